/// \file
/// What the commands are asked to do: their tables of options, and the typed, validated settings read from
/// them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "ensyn/ensyn.h"
#include "host/driver/settings/options.h"

namespace ensyn::driver {

/// Which examples: a folder of IDX files, or a data set by name.
struct DataChoice {
  std::optional<std::filesystem::path> folder;
  std::string name = "mnist";  ///< used when there is no folder
  std::optional<int> classes;  ///< of a folder; as many as its training labels ask for where there are none
  /// Whether the folder was read by an early version, which took ten classes even where the labels ask for
  /// fewer, and did not note them in its config.json. Only where there are no `classes`.
  bool early_classes = false;
  std::optional<int> limit_train, limit_test;
  std::string name_flag, train_flag, test_flag;  ///< where the above came from, for messages
};

/// The data, cut to the limits; notes in `choice` the classes that a folder has. \throws ConfigError (unknown
/// name, limit beyond the data), DataError (also when files are missing or unreadable)
[[nodiscard]] TrainTest load_data(DataChoice& choice);

inline constexpr const char* kTrainFolder = "ensyn-train";  ///< unless --out says otherwise

struct TrainSettings {
  DataChoice data;
  std::vector<int> hidden;      ///< widths; input and output come from the data
  PopulationConfig population;  ///< of one member; its architecture is set by `complete`
  int epochs = 50;
  EvaluationConfig evaluation;  ///< of the final evaluation
  ExecutionConfig execution;
  int checkpoint_every = 1;  ///< epochs; 0 is at the end only
  int evaluate_every = 1;    ///< epochs between values in metrics.csv's test columns; 0 is at the end only
  std::filesystem::path out = kTrainFolder;
};

[[nodiscard]] const OptionTable& train_options();
/// \throws ConfigError
[[nodiscard]] TrainSettings train_settings(const Values& values);
/// Takes the architecture's ends from the training set. \throws ConfigError when the batch is larger than it
void complete(TrainSettings& settings, const Values& values, const Dataset& train);
/// What config.json holds: every setting but `out`, under the keys of `train_options`.
[[nodiscard]] nlohmann::ordered_json to_json(const TrainSettings& settings);

struct EvaluateSettings {
  std::optional<DataChoice> data;
  EvaluationConfig evaluation;
  ExecutionConfig execution;
  std::optional<std::uint64_t> seed;         ///< of the weight draws; the network's own by default
  std::optional<std::filesystem::path> out;  ///< the model's folder by default
};

[[nodiscard]] const OptionTable& evaluate_options();
/// \throws ConfigError
[[nodiscard]] EvaluateSettings evaluate_settings(const Values& values);

struct InfoSettings {
  ExecutionConfig execution;
  std::optional<std::filesystem::path> out;
};

[[nodiscard]] const OptionTable& info_options();
/// \throws ConfigError
[[nodiscard]] InfoSettings info_settings(const Values& values);

}  // namespace ensyn::driver
