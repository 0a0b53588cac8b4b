/// \file
/// The metadata of a checkpoint's safetensors file: what it is, of which network, and how far trained.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "ensyn/population.h"
#include "host/population/checkpoint.h"

namespace ensyn {

struct CheckpointMetadata {
  CheckpointInfo info;
  std::vector<EpochSums> epoch_sums;  ///< of each member
};

/// \throws DataError, which names `source`
[[noreturn]] void bad_checkpoint(const std::string& source, const std::string& what);

/// \throws DataError where a loss is not finite
[[nodiscard]] std::map<std::string, std::string> checkpoint_metadata(const Checkpoint& checkpoint,
                                                                     const std::string& source);

/// \throws DataError for another format or version, and for what is missing or out of range
[[nodiscard]] CheckpointMetadata read_checkpoint_metadata(const std::map<std::string, std::string>& metadata,
                                                          const std::string& source);

}  // namespace ensyn
