/// \file
/// `ensyn evaluate MODEL`: how good a saved network is, with and without its noise.
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "ensyn/ensyn.h"
#include "host/driver/commands.h"
#include "host/driver/files/folder_lock.h"
#include "host/driver/files/results.h"
#include "host/driver/files/run_folder.h"
#include "host/driver/files/text.h"
#include "host/driver/settings/settings.h"
#include "host/driver/signatures/signatures.h"
#include "host/driver/terminal/verbose.h"

namespace ensyn::driver {
namespace {

using nlohmann::ordered_json;

constexpr const char* kEvaluation = "evaluation.json";

struct EvaluateFlags : CommonFlags {
  std::string model;
};

/// The data that the run which made the model was tested on, unless flags name others.
EvaluateSettings resolve(const Values& asked, const std::filesystem::path& model) {
  Values values;
  if (!asked.has("data") && !asked.has("dataset")) {
    values = data_of_run(model);
    values.drop("limit_train");
  }
  values.overlay(asked);
  return evaluate_settings(values);
}

/// The network alone. Loading binds a network to a training set, of which evaluation needs nothing but the
/// size, so a blank one of that size stands in for it.
Population load_network(const std::filesystem::path& model, const EvaluateSettings& settings) {
  const CheckpointInfo info = read_checkpoint_info(model);
  if (info.config.members.size() != 1) {
    throw DataError(model.string() + " holds " + std::to_string(info.config.members.size()) +
                    " networks: evaluate takes one");
  }
  if (info.config.architecture.likelihood != Likelihood::categorical) {
    throw DataError(model.string() + " holds a network for regression: evaluate takes classifiers");
  }
  // What the noise contract can put in order; damage would otherwise look like a lack of memory.
  constexpr std::uint64_t kMostExamples = std::uint64_t{1} << 31;
  if (info.train_examples > kMostExamples) {
    throw DataError(model.string() + ": train_examples is " + std::to_string(info.train_examples) +
                    ", more than ensyn can train on; the file is damaged");
  }
  const Architecture& architecture = info.config.architecture;
  const auto blank = [&](std::uint64_t examples) {
    const auto bytes = examples * static_cast<std::uint64_t>(architecture.inputs());
    if (const auto available = available_memory(); available && bytes > *available) {
      throw OutOfMemoryError(model.string() + ": train_examples is " + std::to_string(examples) + ", of " +
                             std::to_string(architecture.inputs()) +
                             " inputs, more than fit into memory: give the file as ensyn wrote it");
    }
    return Dataset::from_bytes(std::vector<std::uint8_t>(bytes), std::vector<std::uint8_t>(examples),
                               architecture.inputs(), architecture.outputs());
  };
  Population loaded = Population::load_with_other_data(model, blank(info.train_examples), settings.execution);
  if (!settings.seed) return loaded;
  PopulationConfig config = info.config;
  config.members.front().seed = *settings.seed;
  Population reseeded(config, blank(static_cast<std::uint64_t>(config.batch)), settings.execution);
  for (int layer = 0; layer < architecture.layers(); ++layer) {
    reseeded.set_parameters(0, layer, loaded.parameters(0, layer));
  }
  return reseeded;
}

Dataset load_test_set(EvaluateSettings& settings) {
  if (!settings.data) throw ConfigError("no data to evaluate on: give --data DIR or --dataset NAME");
  return load_data(*settings.data).test;
}

void check_fits(const Dataset& test, const Architecture& architecture) {
  if (test.feature_count() == architecture.inputs() && test.classes() <= architecture.outputs()) return;
  throw DataError(test.name() + " has " + std::to_string(test.feature_count()) + " features and " +
                  std::to_string(test.classes()) + " classes, but the model has " +
                  std::to_string(architecture.inputs()) + " inputs and " +
                  std::to_string(architecture.outputs()) +
                  " outputs: give data like those it was trained on");
}

void evaluate(const EvaluateFlags& flags) {
  Values asked;
  flags.overlay(asked, evaluate_options());
  const std::filesystem::path model = model_file(flags.model);
  EvaluateSettings settings = resolve(asked, model);
  const std::filesystem::path folder = settings.out.value_or(model.parent_path());
  // A training may go on in the model's folder, of which this file is no part.
  const FolderLock lock(folder, kEvaluation);
  const Dataset test = load_test_set(settings);
  const Population network = [&] {
    try {
      return load_network(model, settings);
    } catch (const IoError& error) {
      throw DataError(error.what());
    }
  }();
  announce(network);
  check_fits(test, network.config().architecture);

  const auto start = std::chrono::steady_clock::now();
  const Evaluation evaluation = network.evaluate(test, settings.evaluation).front();
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
  const Energy energy = network.energy(0);

  ordered_json result = evaluation_json(evaluation);
  result.update(energy_json(energy));
  result["examples"] = test.size();
  result["data"] = test.name();
  result["model"] = std::filesystem::absolute(model).string();
  result["eval_batch"] = settings.evaluation.batch;
  result["averaging"] = name(settings.evaluation.averaging);
  result["seconds"] = elapsed.count();
  result["device"] = network.device();
  result["backend"] = network.backend();
  result["seed"] = network.config().members.front().seed;
  const std::filesystem::path file = folder / kEvaluation;
  write_json(file, result);
  if (flags.json) std::cout << result.dump(2) << '\n';
  if (flags.prints_text()) {
    std::cout << model.string() << " on " << grouped(test.size()) << " examples of " << test.name() << "\n"
              << results_text(evaluation, energy)
              << formatted("%-12s%10.4f  nats of mutual information between class and weights\n", "noise",
                           evaluation.mutual_information)
              << formatted("%-12s", "file") << file.string() << "\n";
  }
}

}  // namespace

Command evaluate_command() {
  const auto flags = std::make_shared<EvaluateFlags>();
  return {"evaluate",
          "accuracy, loss and calibration of a saved network",
          evaluate_options(),
          *flags,
          {},
          Argument{"MODEL", &flags->model, "model.safetensors, or the folder of the run that made it"},
          [flags] { evaluate(*flags); }};
}

}  // namespace ensyn::driver
