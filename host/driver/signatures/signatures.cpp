#include "host/driver/signatures/signatures.h"

#include <algorithm>
#include <chrono>
#include <iostream>
#include <memory>
#include <utility>

#include "host/driver/files/folder_lock.h"
#include "host/driver/files/results.h"
#include "host/driver/files/run_folder.h"
#include "host/driver/files/text.h"
#include "host/driver/signatures/signature_table.h"
#include "host/driver/terminal/progress.h"
#include "host/driver/terminal/signals.h"
#include "host/driver/terminal/verbose.h"

namespace ensyn::driver {
namespace {

using nlohmann::ordered_json;

[[noreturn]] void stop(const std::string& where) {
  throw Error("interrupted " + where +
              ": nothing was measured; run the command again with --overwrite, or train with "
              "`ensyn train`, which goes on where it was, and give its folder with --model");
}

/// The network as the published protocol leaves it.
Population load(const SignatureSettings& settings, const Dataset& train) {
  Population network = [&] {
    try {
      return Population::load(*settings.model, train, settings.train.execution);
    } catch (const IoError& error) {
      throw DataError(error.what());
    }
  }();
  announce(network);
  if (network.size() == 1) return network;
  throw DataError(settings.model->string() + " holds " + std::to_string(network.size()) +
                  " networks: signatures takes one");
}

Population untrained(const SignatureSettings& settings, const TrainTest& data) {
  TrainSettings complete_settings = settings.train;
  complete(complete_settings, Values(), data.train);
  Population network(complete_settings.population, data.train, settings.train.execution);
  announce(network);
  network.check_evaluation(data.test, settings.train.evaluation);
  return network;
}

void train(Population& network, const SignatureSettings& settings, bool show_progress) {
  ProgressLine line(show_progress, settings.train.epochs, 0);
  const bool done = network.train(settings.train.epochs, [&](const Progress& progress) {
    line.show(progress);
    return !InterruptGuard::interrupted();
  });
  line.clear();
  if (!done) stop("at step " + grouped(network.step()));
}

ordered_json fixed_point_json(const Equilibrium& found) {
  ordered_json result{
      {"converged", found.converged}, {"rounds", found.rounds.size()}, {"at_ceiling", found.at_ceiling}};
  for (const EquilibriumRound& round : found.rounds) result["median_ratios"].push_back(round.median_ratios);
  return result;
}

std::string reading(const char* protocol, int passes, const Evaluation& evaluation, const Energy& energy) {
  return formatted(
      "%-12s accuracy %.2f %% (one draw), %.2f %% (mean weights), sigma %.4g root mean square, passes %d\n",
      protocol, 100 * evaluation.sample.accuracy, 100 * evaluation.mean.accuracy, energy.sigma_rms, passes);
}

/// One run, from the network on.
class Run {
 public:
  Run(const SignatureSettings& settings, const TrainTest& data, Population& network)
      : settings_(settings),
        data_(data),
        network_(network),
        folder_{settings.train.out},
        member_(network.config().members.front()) {}

  SignatureRun finish() {
    measure("published", "", settings_.measurement, folder_.model());
    summary_ = results_;
    if (settings_.equilibrium) equilibrium();
    write_csv(folder_.path / "signatures.csv", table_);
    text_ += signature_text(table_);
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start_;
    summary_["steps"] = network_.step();
    summary_["measuring_seconds"] = elapsed.count();
    summary_["device"] = network_.device();
    summary_["training_method"] = network_.training().method;
    summary_["backend"] = network_.backend();
    summary_["seed"] = member_.seed;
    summary_["config"] = to_json(settings_);
    write_json(folder_.summary(), summary_);
    return {std::move(table_), std::move(summary_), std::move(text_)};
  }

 private:
  void measure(const char* protocol, const std::string& prefix, const SignatureConfig& config,
               const std::filesystem::path& model) {
    network_.save(model);
    const Signatures found = network_.signatures(0, config);
    if (InterruptGuard::interrupted()) stop("while measuring");
    add_rows(table_, protocol, found, member_);
    write_arrays(folder_.path, prefix, found);
    const Evaluation evaluation = network_.evaluate(data_.test, settings_.train.evaluation).front();
    const Energy energy = network_.energy(0);
    results_ = accuracy_json(evaluation);
    results_.update(energy_json(energy));
    text_ += reading(protocol, config.epochs, evaluation, energy);
  }

  void equilibrium() {
    const Equilibrium found = equilibrate(network_, 0, settings_.rounds, [](const EquilibriumRound&) {
      return !InterruptGuard::interrupted();
    });
    if (InterruptGuard::interrupted()) stop("on the way to the equilibrium");
    SignatureConfig independent = settings_.measurement;
    independent.epochs = std::max(independent.epochs, kEquilibriumPasses);
    independent.first_epoch = found.end_epoch;
    measure("equilibrium", "equilibrium.", independent, folder_.path / "equilibrium.safetensors");
    results_.update(fixed_point_json(found));
    summary_["equilibrium"] = results_;
    text_ += formatted("%s in %zu rounds; sigma of %s weights at its ceiling\n",
                       found.converged ? "equilibrium reached" : "equilibrium NOT reached",
                       found.rounds.size(), grouped(found.at_ceiling).c_str());
  }

  const SignatureSettings& settings_;
  const TrainTest& data_;
  Population& network_;
  RunFolder folder_;
  const NetworkConfig& member_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  ordered_json results_;
  Table table_ = empty_signature_table();
  ordered_json summary_;
  std::string text_;
};

void signatures(const OverwriteFlags& flags) {
  Values values;
  flags.overlay(values, signature_options());
  const SignatureSettings settings = signature_settings(values);
  const RunFolder folder{settings.train.out};
  const FolderLock lock(folder.path);
  if (folder.holds_run()) {
    std::error_code ignored;
    if (settings.model && std::filesystem::equivalent(folder.model(), *settings.model, ignored)) {
      throw ConfigError("--out " + folder.path.string() + " is the folder of the model: choose another");
    }
    if (!flags.overwrite) {
      throw ConfigError(folder.path.string() +
                        " already holds a run: replace it with --overwrite, or choose another --out");
    }
  }
  const SignatureRun run = run_signatures(settings, !flags.quiet);
  if (flags.json) std::cout << run.summary.dump(2) << '\n';
  if (flags.prints_text()) {
    std::cout << run.text << formatted("%-12s", "files") << folder.path.string()
              << "/ signatures.csv, summary.json, arrays as .npy\n";
  }
}

}  // namespace

SignatureRun run_signatures(SignatureSettings settings, bool show_progress) {
  const InterruptGuard guard;
  if (settings.equilibrium) {
    settings.rounds.validate();
    if (!settings.model) check_has_equilibrium(settings.train.population.members.front());
  }
  const TrainTest data = load_data(settings.train.data);
  const RunFolder folder{settings.train.out};
  Population network = settings.model ? load(settings, data.train) : untrained(settings, data);
  // Files change when all settings have proved good, but before the network trains: what cannot be written
  // shows at once.
  create_folder(folder.path);
  folder.remove_run();
  write_json(folder.config(), to_json(settings));
  if (!settings.model) train(network, settings, show_progress);
  return Run(settings, data, network).finish();
}

Command signatures_command() {
  const auto flags = std::make_shared<OverwriteFlags>();
  return {"signatures",
          "how sigma goes with curvature, learning rate and input rate, and its fixed point",
          signature_options(),
          *flags,
          {{"--overwrite", &flags->overwrite, "replace the run in --out"}},
          std::nullopt,
          [flags] { signatures(*flags); }};
}

}  // namespace ensyn::driver
