/// \file
/// Forward pass of one layer with freshly drawn weights.
#pragma once

#include <cuda_runtime_api.h>

#include "kernels/base/launch_shape.h"
#include "kernels/base/network.h"

namespace ensyn::kernels {

/// How much of the output one block computes. Changes speed only.
struct NoisyForwardTile {
  int rows = 0;      ///< 2 or 8
  int examples = 0;  ///< 32, or 64 with 8 rows
  friend bool operator==(const NoisyForwardTile&, const NoisyForwardTile&) = default;
};

/// output[b][r] = f(sum over k of w[r][k] x[b][k]), w of mean mu and SD sigma by the network's law, one draw
/// per minibatch; f is the identity or ReLU. The examples are those of `ceil(examples / batch)` independent
/// minibatches of `batch`, the last of which may be shorter; in training there is one.
template <class T>
struct NoisyForward {
  Networks<T> networks;
  Layer layer;
  const T* mu = nullptr;
  const T* phi = nullptr;
  std::int64_t parameter_network_stride = 0;
  Inputs<T> inputs;
  T* output = nullptr;  ///< network x example x output_stride
  int output_stride = 0;
  std::int64_t output_network_stride = 0;
  int batch = 0;
  int examples = 0;
  Draw draw;
  bool rectify = false;
  NoisyForwardTile tile;
};

/// The tile for a layer of `rows` rows and `minibatches` minibatches of `batch` examples, in all networks
/// together, on a device of `multiprocessors`.
[[nodiscard]] NoisyForwardTile noisy_forward_tile(int rows, int batch, std::int64_t minibatches,
                                                  int multiprocessors);

template <class T>
[[nodiscard]] LaunchShape noisy_forward_shape(const NoisyForward<T>& args);

/// \throws ConfigError for a tile that is not offered, DeviceError
template <class T>
void noisy_forward(const NoisyForward<T>& args, cudaStream_t stream);

}  // namespace ensyn::kernels
