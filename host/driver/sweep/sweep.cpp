#include "host/driver/sweep/sweep.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>
#include <thread>
#include <utility>

#include "ensyn/ensyn.h"
#include "host/driver/files/data_digests.h"
#include "host/driver/files/folder_lock.h"
#include "host/driver/files/run_folder.h"
#include "host/driver/files/text.h"
#include "host/driver/sweep/batching.h"
#include "host/driver/sweep/chunk.h"
#include "host/driver/sweep/grid.h"
#include "host/driver/sweep/sweep_bands.h"
#include "host/driver/sweep/sweep_file.h"
#include "host/driver/sweep/sweep_folder.h"
#include "host/driver/sweep/sweep_progress.h"
#include "host/driver/sweep/sweep_ranks.h"
#include "host/driver/sweep/sweep_work.h"
#include "host/driver/terminal/signals.h"

namespace ensyn::driver {
namespace {

using nlohmann::ordered_json;

void work_through(WorkSource& source, ChunkTrainer& trainer, std::size_t at_once) {
  const auto watch = [&](std::uint64_t position, std::uint64_t trained) { source.watch(position, trained); };
  const auto deliver = [&](const Delivery& delivery) { source.take(delivery); };
  while (const auto chunk = source.next(std::min(at_once, trainer.limit()))) {
    trainer.train(*chunk, watch, deliver);
    source.watch(0, trainer.trained());
  }
}

/// The work of rank 0 itself.
class OwnWork final : public WorkSource {
 public:
  OwnWork(SweepWork& work, SweepProgress& progress, const RankServer* others)
      : work_(work), progress_(progress), others_(others) {}

  [[nodiscard]] std::optional<Chunk> next(std::size_t wanted) override { return work_.next(wanted); }
  void take(const Delivery& delivery) override { work_.take(delivery); }
  void watch(std::uint64_t position, std::uint64_t trained) override {
    progress_.watch(0, position, trained);
    progress_.show(work_.done());
    static_cast<void>(others_done());
  }
  /// \throws what stopped the server
  [[nodiscard]] bool others_done() const { return others_ == nullptr || others_->done(); }

 private:
  SweepWork& work_;
  SweepProgress& progress_;
  const RankServer* others_;
};

/// Makes the folder what this sweep needs. Writing the configuration also shows that it can be written.
void prepare(const SweepFolder& folder, const SweepSettings& settings, const TrainTest& data) {
  remove_leftovers({folder.config(), folder.rows(), folder.bands(), folder.summary()});
  write_json(folder.config(), with_digests(to_json(settings), data));
  std::error_code ignored;
  std::filesystem::remove(folder.summary(), ignored);
}

std::string shape_text(const Grid& grid, const SweepSettings& settings) {
  const std::string networks = grouped(grid.size()) + (grid.size() == 1 ? " network" : " networks");
  if (settings.hidden.size() > 1) {
    return networks + " of " + std::to_string(settings.hidden.size()) + " architectures";
  }
  std::string sizes;
  for (const int size : grid.architecture(0).sizes)
    sizes += (sizes.empty() ? "" : "-") + std::to_string(size);
  return networks + " of " + sizes;
}

std::string announcement(const Grid& grid, const SweepSettings& settings, const Batching& batching,
                         std::size_t done) {
  std::string text = shape_text(grid, settings) + ", " + std::to_string(batching.at_once) + " at once";
  if (done > 0) text += "; " + grouped(done) + " are done already";
  return text + "\n" + (batching.note.empty() ? "" : batching.note + "\n");
}

std::string summary_text(const SweepFolder& folder, const ordered_json& summary, bool bands) {
  std::string text = grouped(summary["networks"].get<std::uint64_t>()) + " networks are done";
  if (const auto diverged = summary["diverged"].get<std::uint64_t>(); diverged > 0) {
    text += ", of which " + grouped(diverged) + " diverged";
  }
  if (const auto trained = summary["trained"].get<std::uint64_t>(); trained > 0) {
    text += formatted(
        "; %s trained on %s in %s, %s network-steps/s", grouped(trained).c_str(),
        summary["device"].get<std::string>().c_str(), duration_text(summary["seconds"].get<double>()).c_str(),
        grouped(static_cast<std::uint64_t>(summary["network_steps_per_second"].get<double>())).c_str());
  } else {
    text += ": nothing was left to train";
  }
  return text + "\n" + formatted("%-12s", "files") + folder.path.string() + "/ config.json, sweep.csv, " +
         (bands ? "sweep_bands.csv, " : "") + "summary.json\n";
}

/// A sweep as one of its ranks sees it.
class Sweep {
 public:
  Sweep(const SweepSettings& settings, const TrainTest& data, const SweepRun& run, Ranks& ranks)
      : settings_(settings),
        data_(data),
        run_(run),
        ranks_(ranks),
        grid_(settings),
        folder_{settings.base.out},
        execution_(execution_of(ranks, settings)),
        batches_(batching(settings, execution_, grid_, ranks.local_size())),
        trainer_(settings, execution_, data, grid_, folder_.partial()) {}

  SweepReport lead() {
    if (ranks_.size() > 1) check_agreement(ranks_, agreement_of(settings_, data_));
    const FolderLock lock(folder_.path);
    claim_folder();
    SweepFile rows(folder_.rows(), folder_.journal(), grid_);
    rows.read();
    const std::size_t before = rows.count();
    SweepWork work(grid_, rows, folder_.partial(), folder_.started_chunks(grid_, rows), ranks_.size());
    prepare(folder_, settings_, data_);
    if (run_.announces) std::cout << announcement(grid_, settings_, batches_, before) << std::flush;
    SweepProgress progress(run_.shows_progress, grid_.size(), steps());
    train(work, progress);
    progress.clear();
    std::error_code ignored;
    std::filesystem::remove_all(folder_.partial(), ignored);
    if (settings_.seeds.size() > 1) write_csv(folder_.bands(), sweep_bands(settings_, grid_, rows));
    const ordered_json summary = summarise(work, progress, before);
    write_json(folder_.summary(), summary);
    return {summary, summary_text(folder_, summary, settings_.seeds.size() > 1)};
  }

  void follow() {
    const InterruptGuard guard;
    try {
      RankClient source(ranks_, agreement_of(settings_, data_));
      work_through(source, trainer_, batches_.at_once);
    } catch (const Interrupted&) {
      throw Interrupted("rank " + std::to_string(ranks_.rank()) + " was told to stop");
    }
  }

 private:
  void claim_folder() const {
    if (run_.overwrite) {
      folder_.check_command();
      folder_.remove_sweep();
    } else {
      folder_.check(settings_, data_);
    }
    create_folder(folder_.partial());
  }

  /// Steps of each network.
  [[nodiscard]] std::uint64_t steps() const {
    return data_.train.size() / static_cast<std::size_t>(settings_.base.population.batch) *
           static_cast<std::uint64_t>(settings_.base.epochs);
  }

  void train(SweepWork& work, SweepProgress& progress) {
    const InterruptGuard guard;
    std::optional<RankServer> others;
    if (ranks_.size() > 1) others.emplace(ranks_, work, progress);
    OwnWork source(work, progress, others ? &*others : nullptr);
    try {
      work_through(source, trainer_, batches_.at_once);
      while (!source.others_done()) {
        if (InterruptGuard::interrupted()) throw Interrupted("interrupted");
        progress.show(work.done());
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
      }
    } catch (const Interrupted&) {
      throw Interrupted("interrupted when " + grouped(work.done()) + " of " + grouped(grid_.size()) +
                        " networks were done; to go on: the same command again");
    }
  }

  [[nodiscard]] ordered_json summarise(const SweepWork& work, const SweepProgress& progress,
                                       std::size_t before) const {
    const double seconds = progress.seconds();
    return {{"command", "sweep"},
            {"networks", grid_.size()},
            {"diverged", work.diverged()},
            {"trained", work.done() - before},
            {"network_steps", progress.trained()},
            {"network_steps_per_second", static_cast<double>(progress.trained()) / seconds},
            {"seconds", seconds},
            {"device", trainer_.device()},
            {"training_method", trainer_.training_method()},
            {"ranks", ranks_.size()},
            {"networks_at_once", std::min(batches_.at_once, trainer_.limit())},
            {"config", with_digests(to_json(settings_), data_)}};
  }

  const SweepSettings& settings_;
  const TrainTest& data_;
  const SweepRun& run_;
  Ranks& ranks_;
  Grid grid_;
  SweepFolder folder_;
  ExecutionConfig execution_;
  Batching batches_;
  ChunkTrainer trainer_;
};

}  // namespace

SweepReport run_sweep(SweepSettings settings, const SweepRun& run) {
  if (!run.overwrite) SweepFolder{settings.base.out}.take_classes(settings.base.data);
  const TrainTest data = load_data(settings.base.data);
  complete(settings.base, settings.values, data.train);
  const std::unique_ptr<Ranks> alone = run.ranks == nullptr ? alone_rank() : nullptr;
  Ranks& ranks = run.ranks == nullptr ? *alone : *run.ranks;
  Sweep sweep(settings, data, run, ranks);
  if (ranks.rank() == 0) return sweep.lead();
  sweep.follow();
  return {};
}

}  // namespace ensyn::driver
