/// \file
/// The CPU backend's engine.
#pragma once

#include <memory>

#include "host/model/engine.h"

namespace ensyn::cpu {

/// \throws DeviceError for an instruction set that cannot run here, OutOfMemoryError
[[nodiscard]] std::unique_ptr<Engine> make_cpu_engine(const PopulationConfig& config,
                                                      const Dataset& train_data,
                                                      const ExecutionConfig& execution);

}  // namespace ensyn::cpu
