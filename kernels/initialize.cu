// Initial parameters of one layer:
//   mu = mu_range (int32(word) 2^-31 + 2^-32),   phi = log(e^sigma - 1),   moments 0.
//
// Runs once, so it computes in double and rounds once, as the CPU backend does. Determinism: gpu_to_gpu.

#include "kernels/initialize.h"

#include <device/launch.h>

#include "kernels/device/quad.h"

namespace ensyn::kernels {
namespace {

constexpr int kThreads = 128;
constexpr std::uint32_t kPurpose = 2;  // initial_mu

template <class T>
__global__ void __launch_bounds__(kThreads) initialize_kernel(const __grid_constant__ Initialize<T> args) {
  const Layer& layer = args.layer;
  const int network = static_cast<int>(blockIdx.z), row = 2 * static_cast<int>(blockIdx.x);
  const int column = 2 * static_cast<int>(blockIdx.y * kThreads + threadIdx.x);
  if (column >= layer.stride) return;
  const NetworkConstants<T>& constants = constants_of(args.networks, network);
  const InitialValues& values = args.values != nullptr ? args.values[network] : args.one_value;
  const Parameters<T>& p = args.parameters;
  uint4 words{};
  if (column < layer.columns) {
    words =
        quad_words(noise_source(constants, 0, layer.tensor, kPurpose), row / 2, column / 2, layer.columns);
  }
  const std::uint32_t word_of[2][2] = {{words.x, words.y}, {words.z, words.w}};
  ENSYN_UNROLL
  for (int i = 0; i < 2; ++i) {
    ENSYN_UNROLL
    for (int j = 0; j < 2; ++j) {
      if (row + i >= layer.rows || column + j >= layer.stride) continue;
      const bool inside = column + j < layer.columns;
      const std::int64_t at = network * p.network_stride + offset_of(layer, row + i, column + j);
      const double uniform =
          static_cast<double>(static_cast<std::int32_t>(word_of[i][j])) * 0x1p-31 + 0x1p-32;
      p.mu[at] = inside ? static_cast<T>(values.mu_range * uniform) : T(0);
      p.mu_moment1[at] = p.mu_moment2[at] = T(0);
      if (p.phi == nullptr) continue;
      p.phi[at] = inside ? static_cast<T>(values.phi) : T(0);
      p.phi_moment1[at] = p.phi_moment2[at] = T(0);
    }
  }
}

}  // namespace

template <class T>
LaunchShape initialize_shape(const Initialize<T>& args) {
  LaunchShape shape;
  shape.grid.y = static_cast<unsigned>(ceil_divide(args.layer.stride, 2 * kThreads));
  shape.grid.x = static_cast<unsigned>(ceil_divide(args.layer.rows, 2));
  shape.grid.z = static_cast<unsigned>(args.networks.count);
  shape.block.x = kThreads;
  return shape;
}

template <class T>
void initialize(const Initialize<T>& args, cudaStream_t stream) {
  launch("initialize", initialize_kernel<T>, initialize_shape(args), stream, args);
}

template LaunchShape initialize_shape(const Initialize<float>&);
template LaunchShape initialize_shape(const Initialize<double>&);
template void initialize(const Initialize<float>&, cudaStream_t);
template void initialize(const Initialize<double>&, cudaStream_t);

}  // namespace ensyn::kernels
