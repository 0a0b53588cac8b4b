/// \file
/// What the signatures of Bayesian inference are measured from: squared and absolute gradients, and input
/// rates.
#pragma once

#include <cuda_runtime_api.h>

#include "kernels/base/launch_shape.h"
#include "kernels/base/network.h"

namespace ensyn::kernels {

/// For one minibatch with g = dL/dmu summed over its examples, including the magnitude cost:
///   squared_gradient += g^2,  absolute_gradient += |g|,  input_sum += sum over b of x,  absolute_input_sum
///   += sum of |x|
/// The sums are T: n additions lose at most n rounding units of the sum, so read and clear them now and then.
template <class T>
struct GradientStatistics {
  Networks<T> networks;
  LayerGradient<T> gradient;
  const T* mu = nullptr;  ///< for the sign in the magnitude cost; null leaves that cost out
  std::int64_t mu_network_stride = 0;
  T* squared_gradient = nullptr;   ///< network x rows x layer.stride
  T* absolute_gradient = nullptr;  ///< likewise
  std::int64_t network_stride = 0;
  T* input_sum = nullptr;           ///< network x (columns - 1), or null
  T* absolute_input_sum = nullptr;  ///< likewise, given together
  int batch = 0;
};

template <class T>
[[nodiscard]] LaunchShape gradient_statistics_shape(const GradientStatistics<T>& args);

/// \throws DeviceError
template <class T>
void gradient_statistics(const GradientStatistics<T>& args, cudaStream_t stream);

}  // namespace ensyn::kernels
