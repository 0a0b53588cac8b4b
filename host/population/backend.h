/// \file
/// The choice of a backend.
#pragma once

#include <memory>

#include "ensyn/config.h"
#include "ensyn/dataset.h"
#include "host/model/engine.h"

namespace ensyn {

/// Chooses the backend by `execution`; the members' states are as `initial_state` gives them. All arguments
/// are valid and agree with each other. \throws DeviceError, OutOfMemoryError, ConfigError for a training
/// method that the backend does not have, or not for these networks
[[nodiscard]] std::unique_ptr<Engine> make_engine(const PopulationConfig& config, const Dataset& train_data,
                                                  const ExecutionConfig& execution);

}  // namespace ensyn
