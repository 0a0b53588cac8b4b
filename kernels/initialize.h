/// \file
/// Initial parameters of one layer.
#pragma once

#include <cuda_runtime_api.h>

#include "kernels/base/launch_shape.h"
#include "kernels/base/network.h"

namespace ensyn::kernels {

/// Where one network starts.
struct InitialValues {
  double mu_range = 0;
  double phi = 0;  ///< inverse softplus of the initial sigma
};

/// mu = mu_range (int32(word) 2^-31 + 2^-32), words of purpose `initial_mu` at step 0; phi as given; moments
/// 0. Elements between a row's end and its stride become 0 too.
template <class T>
struct Initialize {
  Networks<T> networks;
  const InitialValues* values = nullptr;  ///< `count` of them in device memory, or null: `one_value` counts
  InitialValues one_value;
  Layer layer;
  Parameters<T> parameters;
};

template <class T>
[[nodiscard]] LaunchShape initialize_shape(const Initialize<T>& args);

/// \throws DeviceError
template <class T>
void initialize(const Initialize<T>& args, cudaStream_t stream);

}  // namespace ensyn::kernels
