/// \file
/// Measures signatures.h's quantities of one network, minibatches shared out over threads.
#pragma once

#include "ensyn/config.h"
#include "ensyn/dataset.h"
#include "ensyn/signatures.h"
#include "host/model/state.h"

namespace ensyn::cpu {

/// A network that stands still.
struct FrozenNetwork {
  const PopulationConfig& population;
  int member = 0;
  const NetworkState& state;
  const Dataset& data;     ///< training set
  std::uint64_t step = 0;  ///< steps that it was trained
};

/// The same bits for any number of threads. \param config with `first_epoch` given. \throws DeviceError for
/// an instruction set that cannot run here, OutOfMemoryError, DivergenceError where a gradient is not finite
[[nodiscard]] Signatures measure_signatures(const FrozenNetwork& network, const SignatureConfig& config,
                                            const ExecutionConfig& execution);

}  // namespace ensyn::cpu
