/// \file
/// Parts of the commands' tables of options, and what reads them: for commands that share them with `train`.
#pragma once

#include <filesystem>
#include <initializer_list>
#include <optional>
#include <string>

#include "ensyn/ensyn.h"
#include "host/driver/settings/options.h"
#include "host/driver/settings/settings.h"

namespace ensyn::driver {

/// Passes over the training set that a measurement may make at most.
inline constexpr int kMostPasses = 1'000'000;

[[nodiscard]] OptionTable joined(std::initializer_list<OptionTable> parts);
/// `data`, `dataset` and `classes`. \param fallback the default as the help shows it
[[nodiscard]] OptionTable data_options(const std::string& fallback);
/// Architecture, costs, noise and objective of one network.
[[nodiscard]] OptionTable network_options();
/// How one run trains, its seeds, limits of the data, and `out`.
[[nodiscard]] OptionTable schedule_options();
[[nodiscard]] OptionTable evaluation_options();
[[nodiscard]] OptionTable execution_options();

// Each reads the options of the same name. \throws ConfigError
[[nodiscard]] DataChoice data_choice(const Values& values);
[[nodiscard]] NetworkConfig network_config(const Values& values);
[[nodiscard]] EvaluationConfig evaluation_config(const Values& values);
[[nodiscard]] ExecutionConfig execution_config(const Values& values);

// Each puts settings into a config.json, under the keys of the options of the same name.
void put_data(nlohmann::ordered_json& config, const DataChoice& data);
void put_execution(nlohmann::ordered_json& config, const ExecutionConfig& execution);

[[nodiscard]] std::optional<int> optional_whole(const Values& values, const std::string& key);
[[nodiscard]] std::optional<std::filesystem::path> optional_path(const Values& values,
                                                                 const std::string& key);
/// Of these keys at most one may be given. \throws ConfigError
void exclude(const Values& values, const std::string& one, const std::string& other);
/// One spelling per folder, so that a config.json means the same data wherever it is used.
[[nodiscard]] std::string absolute_path(const std::filesystem::path& folder);

}  // namespace ensyn::driver
