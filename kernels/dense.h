/// \file
/// What stands around products that cuBLAS computes: inputs gathered from the data set, and the ReLU in both
/// directions.
#pragma once

#include <cuda_runtime_api.h>

#include "kernels/base/launch_shape.h"
#include "kernels/base/network.h"

namespace ensyn::kernels {

/// output[b][k] = x[b][k], with 1 in the last of `columns` columns.
template <class T>
struct GatherInputs {
  Networks<T> networks;
  Inputs<T> inputs;
  int columns = 0;
  int batch = 0;
  T* output = nullptr;  ///< network x batch x output_stride
  int output_stride = 0;
  std::int64_t output_network_stride = 0;
};

template <class T>
[[nodiscard]] LaunchShape gather_inputs_shape(const GatherInputs<T>& args);
template <class T>
void gather_inputs(const GatherInputs<T>& args, cudaStream_t stream);

/// values[b][k] becomes 0 where `gate`[b][k] is not above 0; without a gate where it is negative itself,
/// which is the ReLU.
template <class T>
struct Rectify {
  int networks = 1;
  T* values = nullptr;  ///< network x batch x stride
  int stride = 0;
  std::int64_t network_stride = 0;
  const T* gate = nullptr;  ///< network x batch x gate_stride
  int gate_stride = 0;
  std::int64_t gate_network_stride = 0;
  int columns = 0;
  int batch = 0;
};

template <class T>
[[nodiscard]] LaunchShape rectify_shape(const Rectify<T>& args);
template <class T>
void rectify(const Rectify<T>& args, cudaStream_t stream);

}  // namespace ensyn::kernels
