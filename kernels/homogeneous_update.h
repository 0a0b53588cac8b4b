/// \file
/// Backward pass to the parameters of networks with homogeneous noise: Adam on mu, and the sum over all
/// parameters of dL/dw xi from which `finish_step` updates the one phi.
#pragma once

#include <cuda_runtime_api.h>

#include "kernels/launch_shape.h"
#include "kernels/parameter_update.h"

namespace ensyn::kernels {

/// As ParameterUpdate, for the networks with homogeneous noise; the others are left alone.
template <class T>
struct HomogeneousUpdate {
  ParameterUpdate<T> update;
  /// network x partial_sum_stride: sums of dL/dw xi over groups of four rows, layer by layer
  T* partial_sums = nullptr;
  int partial_sum_stride = 0;  ///< at least partial_sum_count of these layers
};

/// Groups of four rows in all layers.
template <class T>
[[nodiscard]] int partial_sum_count(const ParameterUpdate<T>& update);

template <class T>
[[nodiscard]] LaunchShape homogeneous_update_shape(const HomogeneousUpdate<T>& args);

/// \throws DeviceError
template <class T>
void homogeneous_update(const HomogeneousUpdate<T>& args, cudaStream_t stream);

}  // namespace ensyn::kernels
