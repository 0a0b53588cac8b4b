/// \file
/// Which data the contents of a folder are of: digests in the folder's own JSON file, so that a command that
/// goes on in the folder goes on with the same data.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>

#include "ensyn/dataset.h"

namespace ensyn::driver {

inline constexpr const char* kTrainDigest = "train_digest";
inline constexpr const char* kTestDigest = "test_digest";

/// `config` with Dataset::digest of both sets, under the keys above.
[[nodiscard]] nlohmann::ordered_json with_digests(nlohmann::ordered_json config, const TrainTest& data);
/// `config` without them.
[[nodiscard]] nlohmann::ordered_json without_digests(nlohmann::ordered_json config);

/// Checks that data are those that a folder was begun with. An early version wrote files without digests:
/// that is said on standard error, and accepted.
/// \param before what `file` says. \throws DataError that names both data sets
void check_digests(const nlohmann::ordered_json& before, const std::filesystem::path& file,
                   const TrainTest& data);

}  // namespace ensyn::driver
