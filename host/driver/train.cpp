/// \file
/// `ensyn train`: trains one network, or goes on with one.
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <system_error>
#include <utility>

#include "ensyn/ensyn.h"
#include "host/driver/commands.h"
#include "host/driver/files/data_digests.h"
#include "host/driver/files/folder_lock.h"
#include "host/driver/files/results.h"
#include "host/driver/files/run_folder.h"
#include "host/driver/files/text.h"
#include "host/driver/settings/settings.h"
#include "host/driver/terminal/progress.h"
#include "host/driver/terminal/signals.h"
#include "host/driver/terminal/verbose.h"

namespace ensyn::driver {
namespace {

using nlohmann::ordered_json;

struct TrainFlags : CommonFlags {
  bool resume = false;
  bool overwrite = false;
};

/// What may differ between a run and its continuation: none of it changes the steps already done.
const std::set<std::string> kMayChangeInRun = {"epochs",       "checkpoint_every", "samples",
                                               "averaging",    "threads",          "device",
                                               "device_index", "instruction_set",  "training_method"};

void check_unchanged(const ordered_json& before, const ordered_json& after, const Values& values,
                     const std::filesystem::path& folder) {
  ordered_json keys = before;
  keys.update(after);
  for (const auto& [key, ignored] : keys.items()) {
    const ordered_json was = before.value(key, ordered_json()), is = after.value(key, ordered_json());
    if (was == is || kMayChangeInRun.contains(key)) continue;
    throw ConfigError(values.origin(key) + " is " + is.dump() + ", but the run in " + folder.string() +
                      " has " + was.dump() + ": leave it out to resume, or start a run in another --out");
  }
}

/// A run's settings, and where each came from.
struct Request {
  Values values;
  TrainSettings settings;
};

Request new_run(const Values& asked, const RunFolder& folder, bool overwrite) {
  if (folder.holds_run() && !overwrite) {
    throw ConfigError(folder.path.string() +
                      " already holds a run: continue it with --resume, replace it with " +
                      "--overwrite, or choose another --out");
  }
  return {asked, train_settings(asked)};
}

Request old_run(const Values& asked, const RunFolder& folder) {
  if (!std::filesystem::exists(folder.config())) {
    throw ConfigError("--resume: " + folder.path.string() +
                      " holds no config.json to go on from: check --out, " +
                      "or leave out --resume to start a run there");
  }
  Request request;
  request.values = read_config_file(folder.config(), train_options());
  mark_early_classes(request.values);
  const ordered_json before = to_json(train_settings(request.values));
  request.values.overlay(asked);
  request.settings = train_settings(request.values);
  request.settings.out = folder.path;
  check_unchanged(before, to_json(request.settings), request.values, folder.path);
  return request;
}

Population load_population(const Request& request, const Dataset& train) {
  const TrainSettings& settings = request.settings;
  const RunFolder folder{settings.out};
  Population population = [&] {
    try {
      return Population::load(folder.model(), train, settings.execution);
    } catch (const IoError& error) {
      throw DataError(error.what());
    }
  }();
  if (!(population.config() == settings.population)) {
    throw DataError(folder.model().string() + " was not made with the settings in " +
                    folder.config().string() +
                    ": restore the one that belongs to the other, or start anew with --overwrite");
  }
  const std::uint64_t end = population.steps_per_epoch() * static_cast<std::uint64_t>(settings.epochs);
  if (population.step() > end) {
    throw ConfigError(request.values.origin("epochs") + " is " + std::to_string(settings.epochs) +
                      ", but the run in " + folder.path.string() + " has done " +
                      std::to_string(population.step() / population.steps_per_epoch()) +
                      " and part of another or more: give more");
  }
  return population;
}

/// Runs the epochs and keeps metrics.csv and model.safetensors up to date.
class Training {
 public:
  Training(const TrainSettings& settings, const TrainTest& data, Population& population, bool show_progress)
      : settings_(settings),
        test_(data.test),
        population_(population),
        folder_{settings.out},
        metrics_(folder_.metrics()),
        line_(show_progress, settings.epochs, population.step()),
        first_step_(population.step()) {
    metrics_.keep(population.step() / population.steps_per_epoch(), population.steps_per_epoch());
  }

  /// \throws Error when interrupted, DivergenceError
  void run() {
    const InterruptGuard guard;
    const auto done = static_cast<int>(population_.step() / population_.steps_per_epoch());
    for (int epoch = done + 1; epoch <= settings_.epochs; ++epoch) run_epoch(epoch);
    line_.clear();
  }

  [[nodiscard]] double seconds() const { return seconds_.count(); }
  [[nodiscard]] double steps_per_second() const {
    return seconds() > 0 ? static_cast<double>(population_.step() - first_step_) / seconds() : 0;
  }

 private:
  using Clock = std::chrono::steady_clock;

  /// Whether something that happens every `every` epochs, and at the end, is due.
  [[nodiscard]] bool due(int epoch, int every) const {
    return epoch == settings_.epochs || (every > 0 && epoch % every == 0);
  }

  void run_epoch(int epoch) {
    TrainingMetrics metrics;
    const auto watch = [&](const Progress& progress) {
      line_.show(progress);
      if (progress.epoch_ended) metrics = progress.metrics.front();
      return !InterruptGuard::interrupted();
    };
    const auto start = Clock::now();
    try {
      // What was stopped within an epoch is saved all the same, and so looked at.
      if (!population_.train(epoch, watch)) population_.check_finite();
    } catch (const DivergenceError& error) {
      throw DivergenceError(std::string(error.what()) + "; " + last_good(), error.member(), error.step());
    }
    seconds_ += Clock::now() - start;
    const bool ended =
        population_.step() == population_.steps_per_epoch() * static_cast<std::uint64_t>(epoch);
    if (ended) record(epoch, metrics);
    const bool stop = InterruptGuard::interrupted() && !(ended && epoch == settings_.epochs);
    // The row goes first: a kill between the two leaves a row too many, which resuming drops.
    if (stop || due(epoch, settings_.checkpoint_every)) population_.save(folder_.model());
    if (stop) throw Error(interruption());
  }

  void record(int epoch, const TrainingMetrics& metrics) {
    EpochRow row{static_cast<std::uint64_t>(epoch), population_.step(), metrics, {}, population_.energy(0)};
    if (due(epoch, settings_.evaluate_every)) {
      EvaluationConfig config = settings_.evaluation;
      config.samples = 1;
      row.test = population_.evaluate(test_, config).front();
    }
    metrics_.add(row);
  }

  [[nodiscard]] std::string last_good() const {
    std::error_code ignored;
    const bool saved = std::filesystem::exists(folder_.model(), ignored);
    return saved ? "the last good checkpoint is " + folder_.model().string()
                 : "no checkpoint was made before it";
  }

  [[nodiscard]] std::string interruption() const {
    const std::uint64_t end = population_.steps_per_epoch() * static_cast<std::uint64_t>(settings_.epochs);
    return "interrupted at step " + grouped(population_.step()) + " of " + grouped(end) +
           "; to go on: ensyn train --resume " + shell_flag("--out", folder_.path.string());
  }

  const TrainSettings& settings_;
  const Dataset& test_;
  Population& population_;
  RunFolder folder_;
  MetricsFile metrics_;
  ProgressLine line_;
  std::uint64_t first_step_;
  std::chrono::duration<double> seconds_{0};
};

/// Whether sigma is twice or half of where it started, or further away.
bool sigma_moved(const Population& population, const Energy& energy) {
  const double ratio = energy.sigma_rms / population.config().members.front().sigma_init;
  return !(ratio > 0.5 && ratio < 2);
}

ordered_json summary_json(const ordered_json& config, const Population& population, const Training& training,
                          const Evaluation& evaluation, const Energy& energy) {
  ordered_json summary = accuracy_json(evaluation);
  summary.update(energy_json(energy));
  summary["sigma_moved"] = sigma_moved(population, energy);
  summary["steps"] = population.step();
  summary["steps_per_second"] = training.steps_per_second();
  summary["seconds"] = training.seconds();
  summary["device"] = population.device();
  summary["training_method"] = population.training().method;
  summary["backend"] = population.backend();
  summary["seed"] = population.config().members.front().seed;
  summary["config"] = config;
  return summary;
}

std::string sigma_text(const Population& population, const Energy& energy) {
  if (sigma_moved(population, energy)) return "";
  return formatted(
             "%-12ssigma hardly left its start, %.4g: where it should, give more --epochs, a larger --lr or ",
             "note", population.config().members.front().sigma_init) +
         "--sigma-init, or --preset digits for data as small as these\n";
}

std::string summary_text(const TrainSettings& settings, const TrainTest& data, const Population& population,
                         const Training& training) {
  std::string text = std::to_string(settings.epochs) + (settings.epochs == 1 ? " epoch of " : " epochs of ") +
                     data.train.name() + ", " + grouped(population.step()) + " steps, on " +
                     population.device();
  if (training.steps_per_second() > 0) {
    text += formatted(": %s steps/s, %s",
                      grouped(static_cast<std::uint64_t>(training.steps_per_second())).c_str(),
                      duration_text(training.seconds()).c_str());
  } else {
    text += ": was complete, nothing to train";
  }
  return text + "\n";
}

void train(const TrainFlags& flags) {
  if (flags.resume && flags.overwrite) {
    throw ConfigError("--resume and --overwrite exclude each other: give one");
  }
  Values asked;
  flags.overlay(asked, train_options());
  const RunFolder folder{asked.get<std::string>("out", kTrainFolder)};
  const FolderLock lock(folder.path);
  Request request = flags.resume ? old_run(asked, folder) : new_run(asked, folder, flags.overwrite);
  TrainSettings& settings = request.settings;
  const TrainTest data = load_data(settings.data);
  complete(settings, request.values, data.train);
  if (flags.resume) check_digests(read_json(folder.config()), folder.config(), data);
  const bool loads = flags.resume && std::filesystem::exists(folder.model());
  Population population = loads ? load_population(request, data.train)
                                : Population(settings.population, data.train, settings.execution);
  announce(population);
  population.check_evaluation(data.test, settings.evaluation);
  Training training(settings, data, population, !flags.quiet);

  // From here on files change. Writing the configuration also shows that the folder can be written.
  if (flags.overwrite) folder.remove_run();
  folder.remove_leftovers();
  const ordered_json config = with_digests(to_json(settings), data);
  write_json(folder.config(), config);

  training.run();
  const Evaluation evaluation = population.evaluate(data.test, settings.evaluation).front();
  const Energy energy = population.energy(0);
  const ordered_json summary = summary_json(config, population, training, evaluation, energy);
  write_json(folder.summary(), summary);
  if (flags.json) std::cout << summary.dump(2) << '\n';
  if (flags.prints_text()) {
    std::cout << summary_text(settings, data, population, training) << results_text(evaluation, energy)
              << sigma_text(population, energy) << formatted("%-12s", "files") << folder.path.string()
              << "/ config.json, metrics.csv, summary.json, model.safetensors\n";
  }
}

}  // namespace

Command train_command() {
  const auto flags = std::make_shared<TrainFlags>();
  return {"train",
          "trains one network, or goes on with one",
          train_options(),
          *flags,
          {{"--resume", &flags->resume, "go on with the run in --out where it was stopped"},
           {"--overwrite", &flags->overwrite, "replace the run in --out"}},
          std::nullopt,
          [flags] { train(*flags); }};
}

}  // namespace ensyn::driver
