/// \file
/// `ensyn signatures`: what it is asked, and the run itself, for commands that run it among others.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "ensyn/ensyn.h"
#include "host/driver/files/csv.h"
#include "host/driver/settings/command.h"
#include "host/driver/settings/options.h"
#include "host/driver/settings/settings.h"

namespace ensyn::driver {

/// Passes that measure at the equilibrium, at least: there the estimate is compared with theory.
constexpr int kEquilibriumPasses = 10;

struct SignatureSettings {
  /// How the network is trained, and `out`. With a `model` only data, evaluation, execution and `out` of it
  /// are used; the rest is the model's.
  TrainSettings train;
  std::optional<std::filesystem::path>
      model;  ///< a run's folder or its model.safetensors, to measure as it is
  /// Of the published protocol: ten passes (bench/results/2026-11-25-signature-passes.txt has one beside
  /// them).
  SignatureConfig measurement;
  bool equilibrium = false;  ///< whether sigma is also brought to its fixed point, and measured again
  EquilibriumConfig rounds;
};

/// The model that a user's RUN names: itself, or the one in the run folder RUN. \throws DataError where there
/// is none, which says what a folder without one is
[[nodiscard]] std::filesystem::path model_file(const std::filesystem::path& given);

/// Which data a network was trained and tested on: settings of the run, of `train` or `signatures`, in the
/// folder of `model`; empty where there is none. \throws ConfigError
[[nodiscard]] Values data_of_run(const std::filesystem::path& model);

[[nodiscard]] const OptionTable& signature_options();
/// Reads the configuration of the run that made the model, where there is one. \throws ConfigError, DataError
[[nodiscard]] SignatureSettings signature_settings(const Values& values);
/// What config.json holds: every setting but `out`, under the keys of `signature_options`, and the command.
[[nodiscard]] nlohmann::ordered_json to_json(const SignatureSettings& settings);

/// What a run found; it is also in the files.
// clang-tidy 14 takes the implicit copy constructor, whose exception specification it has not worked out, for
// noexcept.
struct SignatureRun {              // NOLINT(bugprone-exception-escape)
  Table table;                     ///< signatures.csv
  nlohmann::ordered_json summary;  ///< summary.json
  std::string text;                ///< for people
};

/// Trains (or loads), measures, and writes config.json, signatures.csv, the arrays, model.safetensors and
/// summary.json into `out`, in place of a run that it holds. \param show_progress a line on a terminal
/// \throws Error when interrupted, DivergenceError, and as the library's functions
SignatureRun run_signatures(SignatureSettings settings, bool show_progress);

[[nodiscard]] Command signatures_command();

}  // namespace ensyn::driver
