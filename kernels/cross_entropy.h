/// \file
/// Softmax cross-entropy with its gradient and per-example metrics, and log probabilities for evaluation.
#pragma once

#include <cuda_runtime_api.h>

#include "kernels/base/launch_shape.h"
#include "kernels/base/network.h"

namespace ensyn::kernels {

/// Logits are replaced by softmax(z) - onehot(label), the gradient of the loss summed over the minibatch.
template <class T>
struct CrossEntropy {
  Networks<T> networks;
  T* logits = nullptr;  ///< network x batch x stride
  int stride = 0;
  std::int64_t network_stride = 0;
  int classes = 0;
  int batch = 0;
  const std::uint8_t* labels = nullptr;  ///< of the data set, below `classes`
  Inputs<T> inputs;                      ///< only the order of the examples is looked at
  T* nll = nullptr;                      ///< network x batch, nats
  std::uint8_t* correct =
      nullptr;  ///< network x batch: 1 when the most probable class (lowest of equals) is right
};

template <class T>
[[nodiscard]] LaunchShape cross_entropy_shape(const CrossEntropy<T>& args);

/// \throws DeviceError
template <class T>
void cross_entropy(const CrossEntropy<T>& args, cudaStream_t stream);

/// log_probabilities[i][k] = z[i][k] - log sum over j of e^z[i][j].
template <class T>
struct LogSoftmax {
  const T* logits = nullptr;  ///< examples x logits_stride
  int logits_stride = 0;
  T* log_probabilities = nullptr;  ///< examples x stride; may be `logits`
  int stride = 0;
  int classes = 0;
  int examples = 0;
};

template <class T>
[[nodiscard]] LaunchShape log_softmax_shape(const LogSoftmax<T>& args);

/// \throws DeviceError
template <class T>
void log_softmax(const LogSoftmax<T>& args, cudaStream_t stream);

}  // namespace ensyn::kernels
