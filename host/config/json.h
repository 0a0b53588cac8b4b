/// \file
/// Configurations as JSON, in checkpoints and in files. Every field is written; `prior_sigma` is null for
/// infinity and `stream` is null where the index decides. Numbers read back exactly, seeds as 64-bit
/// integers.
#pragma once

#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "ensyn/config.h"

namespace ensyn {

/// In the order of the structs.
[[nodiscard]] nlohmann::ordered_json json_of(const Architecture& value);
[[nodiscard]] nlohmann::ordered_json json_of(const NetworkConfig& value);
[[nodiscard]] nlohmann::ordered_json json_of(const PopulationConfig& value);
[[nodiscard]] nlohmann::ordered_json json_of(const EvaluationConfig& value);
[[nodiscard]] nlohmann::ordered_json json_of(const ExecutionConfig& value);

/// Overwrites the fields of `value` whose keys `json` has; arrays are replaced whole, and each member of a
/// population starts from the defaults. Ranges are left to `validate`. \param path stands before the keys in
/// errors, for example `members[0].`; empty for a whole file. \throws ConfigError that names the key
void apply_json(const nlohmann::json& json, const std::string& path, Architecture& value);
void apply_json(const nlohmann::json& json, const std::string& path, NetworkConfig& value);
void apply_json(const nlohmann::json& json, const std::string& path, PopulationConfig& value);
void apply_json(const nlohmann::json& json, const std::string& path, EvaluationConfig& value);
void apply_json(const nlohmann::json& json, const std::string& path, ExecutionConfig& value);

/// Parses the text of a configuration; a key given twice is an error too. \param source names the text in
/// errors. \throws ConfigError
[[nodiscard]] nlohmann::json parse_config(std::string_view text, const std::string& source);

}  // namespace ensyn
