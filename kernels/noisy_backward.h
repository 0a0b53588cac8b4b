/// \file
/// Backward pass of one layer to its inputs, with the weights of the forward pass drawn again.
#pragma once

#include <cuda_runtime_api.h>

#include "kernels/base/launch_shape.h"
#include "kernels/base/network.h"

namespace ensyn::kernels {

/// How much of the output one block computes. Changes speed only.
struct NoisyBackwardTile {
  int columns = 0;  ///< 8 or 64
  friend bool operator==(const NoisyBackwardTile&, const NoisyBackwardTile&) = default;
};

/// output[b][k] = (activation[b][k] > 0) * sum over r of delta[b][r] w[r][k] for the layer's inputs k (not
/// the bias), with the w of the forward pass. Without `activation` nothing is masked.
template <class T>
struct NoisyBackward {
  Networks<T> networks;
  Layer layer;
  const T* mu = nullptr;
  const T* phi = nullptr;
  std::int64_t parameter_network_stride = 0;
  const T* delta = nullptr;  ///< network x batch x delta_stride: gradient in the layer's outputs
  int delta_stride = 0;
  std::int64_t delta_network_stride = 0;
  const T* activation = nullptr;  ///< network x batch x activation_stride: the layer's inputs, after the ReLU
  int activation_stride = 0;
  std::int64_t activation_network_stride = 0;
  T* output = nullptr;  ///< network x batch x output_stride
  int output_stride = 0;
  std::int64_t output_network_stride = 0;
  int batch = 0;
  Draw draw;
  NoisyBackwardTile tile;
};

[[nodiscard]] NoisyBackwardTile noisy_backward_tile(int columns, int batch, int networks,
                                                    int multiprocessors);

template <class T>
[[nodiscard]] LaunchShape noisy_backward_shape(const NoisyBackward<T>& args);

/// \throws ConfigError for a tile that is not offered, DeviceError
template <class T>
void noisy_backward(const NoisyBackward<T>& args, cudaStream_t stream);

}  // namespace ensyn::kernels
