/// \file
/// Checkpoints: safetensors files holding everything that resuming bitwise needs.
///
/// Tensors of member m (prefix `m<m>.`, left out when there is one member) and layer l: `layer<l>.mu`,
/// `.phi`,
/// `.sigma`, `.mu.moment1`, `.mu.moment2`, `.phi.moment1`, `.phi.moment2`, of shape rows x columns. Where
/// weights share a phi there are `phi`, `phi.moment1`, `phi.moment2` and `sigma` instead of the layers' own,
/// with one element for each group: each neuron, layer by layer (per_neuron), each layer, or the network
/// (homogeneous). dtype F32 or F64 by the population's precision. Metadata (strings): `format` = "ensyn",
/// `format_version`, `noise_contract`, `step`, `train_examples`, `train_digest` (see host/data/digest.h;
/// missing in files of early versions), `config` (JSON), `epoch_sums` (JSON, one entry per member; the NLL
/// written so that it reads back exactly).
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "ensyn/config.h"
#include "host/model/state.h"

namespace ensyn {

struct Checkpoint {
  PopulationConfig config;
  std::uint64_t step = 0;
  std::uint64_t train_examples = 0;  ///< size of the training set, which fixes the meaning of `step`
  std::string train_digest;          ///< of the training set; empty where an early version wrote the file
  std::vector<NetworkState> members;
};

/// Writes to a temporary file in the same folder, then renames. \throws IoError
void write_checkpoint(const std::filesystem::path& file, const Checkpoint& checkpoint);

/// Validates everything: header, version, configuration, names, shapes, sizes, finite values. \throws
/// IoError, DataError
[[nodiscard]] Checkpoint read_checkpoint(const std::filesystem::path& file);

}  // namespace ensyn
