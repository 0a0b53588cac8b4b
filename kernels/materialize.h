/// \file
/// Noise or sampled weights of one layer, written out: for inspection, and for products that cuBLAS computes.
#pragma once

#include <cuda_runtime_api.h>

#include "kernels/base/launch_shape.h"
#include "kernels/base/network.h"

namespace ensyn::kernels {

/// output = w of mean mu and SD sigma by the network's law, or standard normals where `mu` is null.
template <class T>
struct Materialize {
  Networks<T> networks;
  Layer layer;
  const T* mu = nullptr;  ///< null: the noise itself
  const T* phi = nullptr;
  std::int64_t parameter_network_stride = 0;
  Draw draw;
  T* output = nullptr;  ///< network x rows x output_stride
  int output_stride = 0;
  std::int64_t output_network_stride = 0;
};

template <class T>
[[nodiscard]] LaunchShape materialize_shape(const Materialize<T>& args);

/// \throws DeviceError
template <class T>
void materialize(const Materialize<T>& args, cudaStream_t stream);

}  // namespace ensyn::kernels
