#include "host/driver/sweep.h"

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <limits>
#include <optional>
#include <utility>

#include "ensyn/ensyn.h"
#include "host/driver/chunk.h"
#include "host/driver/grid.h"
#include "host/driver/memory.h"
#include "host/driver/run_folder.h"
#include "host/driver/signals.h"
#include "host/driver/sweep_file.h"
#include "host/driver/sweep_folder.h"
#include "host/driver/sweep_progress.h"
#include "host/driver/sweep_work.h"
#include "host/driver/text.h"

namespace ensyn::driver {
namespace {

using json = nlohmann::ordered_json;

/// How many networks a worker trains together, and why it is not as many as it would like.
struct Batching {
  std::size_t at_once = 1;
  std::string note;
};

bool uses_cuda(const ExecutionConfig& execution) {
  return execution.device == DeviceKind::cuda ||
         (execution.device == DeviceKind::automatic && cuda_problem().empty());
}

/// \throws OutOfMemoryError when not even one network fits
Batching batching(const SweepSettings& settings, const ExecutionConfig& execution, const Grid& grid) {
  // More than this do not make a device faster, but the work that a kill loses larger.
  constexpr std::size_t kMostOnDevice = 256;
  const std::size_t threads =
      static_cast<std::size_t>(execution.threads > 0 ? execution.threads : available_processors());
  const std::size_t good = uses_cuda(execution) ? kMostOnDevice : threads;
  const std::size_t wanted = std::min(
      grid.size(), settings.networks_at_once ? static_cast<std::size_t>(*settings.networks_at_once) : good);
  double bytes = 0;
  for (std::size_t i = 0; i < grid.size(); i += grid.size() / settings.hidden.size()) {
    bytes = std::max(bytes, network_bytes(grid.population(std::array{i})));
  }
  const auto available = available_memory();
  if (!available) return {wanted, ""};
  const double fit = static_cast<double>(*available) / bytes;
  if (fit < 1) {
    throw OutOfMemoryError("one network needs about " + bytes_text(bytes) + ", but only " +
                           bytes_text(static_cast<double>(*available)) +
                           " of memory are free: use narrower --hidden layers");
  }
  if (fit >= static_cast<double>(wanted)) return {wanted, ""};
  const auto at_once = static_cast<std::size_t>(fit);
  return {at_once, formatted("%zu networks at once need about %s, and %s of memory are free: %zu at once",
                             wanted, bytes_text(bytes * static_cast<double>(wanted)).c_str(),
                             bytes_text(static_cast<double>(*available)).c_str(), at_once)};
}

void work_through(WorkSource& source, ChunkTrainer& trainer, std::size_t at_once) {
  const auto watch = [&](std::uint64_t position, std::uint64_t trained) { source.watch(position, trained); };
  const auto deliver = [&](const Delivery& delivery) { source.take(delivery); };
  while (const auto chunk = source.next(std::min(at_once, trainer.limit()))) {
    trainer.train(*chunk, watch, deliver);
    source.watch(0, trainer.trained());
  }
}

/// The work of this process itself.
class OwnWork final : public WorkSource {
 public:
  OwnWork(SweepWork& work, SweepProgress& progress) : work_(work), progress_(progress) {}

  std::optional<Chunk> next(std::size_t wanted) override { return work_.next(wanted); }
  void take(const Delivery& delivery) override { work_.take(delivery); }
  void watch(std::uint64_t position, std::uint64_t trained) override {
    progress_.watch(0, position, trained);
    progress_.show(work_.done());
  }

 private:
  SweepWork& work_;
  SweepProgress& progress_;
};

/// Makes the folder what this sweep needs. Writing the configuration also shows that it can be written.
void prepare(const SweepFolder& folder, const SweepSettings& settings) {
  remove_leftovers({folder.config(), folder.rows(), folder.bands(), folder.summary()});
  write_json(folder.config(), to_json(settings));
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

json summary_json(const SweepSettings& settings, const Grid& grid, const SweepWork& work,
                  const SweepProgress& progress, const ChunkTrainer& trainer, std::size_t at_once,
                  std::size_t trained) {
  const double seconds = progress.seconds();
  return {{"command", "sweep"},
          {"networks", grid.size()},
          {"diverged", work.diverged()},
          {"trained", trained},
          {"network_steps", progress.trained()},
          {"network_steps_per_second", static_cast<double>(progress.trained()) / seconds},
          {"seconds", seconds},
          {"device", trainer.device()},
          {"networks_at_once", at_once},
          {"config", to_json(settings)}};
}

std::string summary_text(const SweepFolder& folder, const json& summary) {
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
  return text + "\n" + formatted("%-12s", "files") + folder.path.string() +
         "/ config.json, sweep.csv, summary.json\n";
}

}  // namespace

SweepReport run_sweep(SweepSettings settings, const SweepRun& run) {
  const TrainTest data = load_data(settings.base.data);
  complete(settings.base, settings.values, data.train);
  const Grid grid(settings);
  const SweepFolder folder{settings.base.out};
  const ExecutionConfig execution = settings.base.execution;
  const Batching batches = batching(settings, execution, grid);

  if (run.overwrite) {
    folder.check_command();
  } else {
    folder.check(settings);
  }
  create_folder(folder.partial());
  std::optional<FolderLock> lock(folder);
  if (run.overwrite) {
    folder.remove_sweep();
    create_folder(folder.partial());
    lock.emplace(folder);
  }
  SweepFile rows(folder.rows(), folder.journal(), grid);
  rows.read();
  const std::size_t done_before = rows.count();
  SweepWork work(grid, rows, folder.partial(), folder.started_chunks(grid, rows), 1);
  prepare(folder, settings);
  if (run.announces) std::cout << announcement(grid, settings, batches, done_before) << std::flush;

  const std::uint64_t steps = data.train.size() / static_cast<std::size_t>(settings.base.population.batch) *
                              static_cast<std::uint64_t>(settings.base.epochs);
  SweepProgress progress(run.shows_progress, grid.size(), steps);
  ChunkTrainer trainer(settings, execution, data, grid, folder.partial());
  OwnWork source(work, progress);
  const InterruptGuard guard;
  try {
    work_through(source, trainer, batches.at_once);
  } catch (const Interrupted&) {
    throw Interrupted("interrupted when " + grouped(work.done()) + " of " + grouped(grid.size()) +
                      " networks were done; to go on: the same command again");
  }
  progress.clear();
  lock.reset();
  std::error_code ignored;
  std::filesystem::remove_all(folder.partial(), ignored);
  const json summary = summary_json(settings, grid, work, progress, trainer,
                                    std::min(batches.at_once, trainer.limit()), work.done() - done_before);
  write_json(folder.summary(), summary);
  return {summary, summary_text(folder, summary)};
}

}  // namespace ensyn::driver
