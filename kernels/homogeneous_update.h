/// \file
/// Backward pass to the parameters of networks whose weights share a phi, all or in groups: Adam on mu, and
/// the partial sums of dL/dw xi from which `finish_step` updates each phi.
#pragma once

#include <cuda_runtime_api.h>

#include "kernels/base/launch_shape.h"
#include "kernels/parameter_update.h"

namespace ensyn::kernels {

/// As ParameterUpdate, for the networks whose weights share a phi; the others are left alone.
template <class T>
struct HomogeneousUpdate {
  ParameterUpdate<T> update;
  /// network x partial_sum_stride: sums of dL/dw xi, and of a Laplace prior's gradient in sigma, over each
  /// four rows, layer by layer, or over each row where it has a phi of its own, then four for each four rows
  T* partial_sums = nullptr;
  int partial_sum_stride = 0;  ///< at least partial_sum_count of all layers, or four times that
  int first_four = 0;          ///< partial_sum_count of the network's layers before these
};

/// Number of fours of rows in all layers.
template <class T>
[[nodiscard]] int partial_sum_count(const ParameterUpdate<T>& update);

template <class T>
[[nodiscard]] LaunchShape homogeneous_update_shape(const HomogeneousUpdate<T>& args);

/// \throws DeviceError
template <class T>
void homogeneous_update(const HomogeneousUpdate<T>& args, cudaStream_t stream);

}  // namespace ensyn::kernels
