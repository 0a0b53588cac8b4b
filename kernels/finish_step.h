/// \file
/// End of a training step: metrics, the update of a shared phi, and the constants of the next step.
#pragma once

#include <cuda_runtime_api.h>

#include "kernels/base/launch_shape.h"
#include "kernels/base/network.h"

namespace ensyn::kernels {

/// For each network: adds the minibatch to the epoch's sums, or notes the step at which its loss stopped
/// being finite; updates each phi that weights share; advances the step and computes Adam's rates for the
/// next one. Of a single network that is given by value only the phi that all its weights share is updated.
template <class T>
struct FinishStep {
  int networks = 1;
  const NetworkConstants<T>* constants = nullptr;  ///< of each network, or null: `one_constants` counts
  NetworkProgress<T>* progress = nullptr;          ///< of each network, or null with it: `one_adam` counts
  T* shared_phi = nullptr;                         ///< as in Networks
  const T* partial_sums = nullptr;                 ///< network x partial_sum_count, of `homogeneous_update`
  int partial_sum_count = 0;
  const T* nll = nullptr;                 ///< network x batch, of `cross_entropy`
  const std::uint8_t* correct = nullptr;  ///< network x batch
  int batch = 0;
  NetworkConstants<T> one_constants{};
  detail::AdamRates<T> one_adam{};
  const PhiGroup* groups = nullptr;  ///< where weights share a phi, from constants.first_group on
  PhiGroup one_group{};              ///< of a single network that is given by value
};

template <class T>
[[nodiscard]] LaunchShape finish_step_shape(const FinishStep<T>& args);

/// \throws DeviceError
template <class T>
void finish_step(const FinishStep<T>& args, cudaStream_t stream);

}  // namespace ensyn::kernels
