/// \file
/// Loss of the gaussian likelihood with its gradient, per example.
#pragma once

#include <cuda_runtime_api.h>

#include "kernels/base/launch_shape.h"
#include "kernels/base/network.h"

namespace ensyn::kernels {

/// Outputs are replaced by (f - y) / eps^2, the gradient of the loss summed over the minibatch.
template <class T>
struct SquaredError {
  Networks<T> networks;
  T* outputs = nullptr;  ///< network x batch x stride
  int stride = 0;
  std::int64_t network_stride = 0;
  int count = 0;  ///< outputs of an example
  int batch = 0;
  const float* targets = nullptr;   ///< of the data set: example x count
  T inverse_variance = 0;           ///< 1 / eps^2
  T constant = 0;                   ///< count * (ln eps + ln(2 pi) / 2)
  Inputs<T> inputs;                 ///< only the order of the examples is looked at
  T* nll = nullptr;                 ///< network x batch, nats
  std::uint8_t* correct = nullptr;  ///< network x batch, set to 0: a target is not hit or missed
};

template <class T>
[[nodiscard]] LaunchShape squared_error_shape(const SquaredError<T>& args);

/// \throws DeviceError
template <class T>
void squared_error(const SquaredError<T>& args, cudaStream_t stream);

}  // namespace ensyn::kernels
