/// \file
/// Backward pass to the parameters, fused with the costs and Adam: each parameter is read once and written
/// once.
#pragma once

#include <cuda_runtime_api.h>

#include "kernels/base/launch_shape.h"
#include "kernels/base/network.h"

namespace ensyn::kernels {

inline constexpr int kMaxUpdateLayers = 8;

/// With g = dL/dw summed over the minibatch, the step of Adam on mu with
///   g dw/dmu + B/N (lambda sign(mu) + dP/dmu), P the cost of the prior,
/// and on phi with (g dw/dsigma + B/N (dR/dsigma + dP/dsigma)) dsigma/dphi, w drawn again. Networks whose
/// weights share a phi are left to `homogeneous_update`.
template <class T>
struct ParameterUpdate {
  Networks<T> networks;
  LayerUpdate<T> layers[kMaxUpdateLayers];
  int layer_count = 0;
  int batch = 0;
  Draw draw;
};

template <class T>
[[nodiscard]] LaunchShape parameter_update_shape(const ParameterUpdate<T>& args);

/// \throws DeviceError
template <class T>
void parameter_update(const ParameterUpdate<T>& args, cudaStream_t stream);

}  // namespace ensyn::kernels
