// Sums for the signatures of Bayesian inference, one minibatch:
//   sum g^2, sum |g|,  g = sum over b of delta[b][r] x[b][k] + lambda B/N sign(mu);   sum x, sum |x| of each
//   input.
//
// A thread owns one quad, as in parameter_update; those of the first two rows also add up the inputs.
// Examples are added in order. Determinism: gpu_to_gpu.

#include "kernels/gradient_statistics.h"

#include <device/launch.h>

#include "kernels/device/gradient.h"
#include "kernels/device/quad.h"

namespace ensyn::kernels {
namespace {

constexpr int kThreads = 128;
// Without a number of blocks to aim at, ptxas spills registers on some architectures for more of them.
constexpr int kBlocks = 4;

template <class T>
__device__ inline void add_inputs(const GradientStatistics<T>& args, int network, std::uint64_t step,
                                  int column) {
  const int inputs = args.gradient.layer.columns - 1;
  with_inputs(args.gradient.inputs, inputs, network, step, args.batch, [&](const auto& reader_of) {
    for (int k = column; k < min(column + 2, inputs); ++k) {
      T sum = 0, absolute = 0;
      for (int b = 0; b < args.batch; ++b) {
        const T x = reader_of(b)(k);
        sum = sum + x;
        absolute = absolute + detail::absolute(x);
      }
      const std::int64_t at = static_cast<std::int64_t>(network) * inputs + k;
      args.input_sum[at] = args.input_sum[at] + sum;
      args.absolute_input_sum[at] = args.absolute_input_sum[at] + absolute;
    }
  });
}

template <class T>
__global__ void __launch_bounds__(kThreads, kBlocks)
    gradient_statistics_kernel(const __grid_constant__ GradientStatistics<T> args) {
  const Layer& layer = args.gradient.layer;
  const int network = static_cast<int>(blockIdx.z), row = 2 * static_cast<int>(blockIdx.x);
  const int column = 2 * static_cast<int>(blockIdx.y * kThreads + threadIdx.x);
  if (column >= layer.columns) return;
  const std::uint64_t step = progress_of(args.networks, network).step;
  const NetworkConstants<T>& constants = constants_of(args.networks, network);
  const Quad<T> g = gradient_quad(args.gradient, network, step, args.batch, row, column);
  for_elements(layer, row, column, [&](int i, int j) {
    const std::int64_t offset = offset_of(layer, row + i, column + j);
    T gradient = g.of[i][j];
    if (args.mu != nullptr) {
      gradient = detail::add_magnitude_gradient(gradient, args.mu[network * args.mu_network_stride + offset],
                                                constants.magnitude, T(0));
    }
    const std::int64_t at = network * args.network_stride + offset;
    args.squared_gradient[at] = detail::fused(gradient, gradient, args.squared_gradient[at]);
    args.absolute_gradient[at] = args.absolute_gradient[at] + detail::absolute(gradient);
  });
  if (row == 0 && args.input_sum != nullptr) add_inputs(args, network, step, column);
}

}  // namespace

template <class T>
LaunchShape gradient_statistics_shape(const GradientStatistics<T>& args) {
  const Layer& layer = args.gradient.layer;
  LaunchShape shape;
  shape.grid.x = static_cast<unsigned>(ceil_divide(layer.rows, 2));
  shape.grid.y = static_cast<unsigned>(ceil_divide(layer.columns, 2 * kThreads));
  shape.grid.z = static_cast<unsigned>(args.networks.count);
  shape.block.x = kThreads;
  return shape;
}

template <class T>
void gradient_statistics(const GradientStatistics<T>& args, cudaStream_t stream) {
  launch("gradient_statistics", gradient_statistics_kernel<T>, gradient_statistics_shape(args), stream, args);
}

template LaunchShape gradient_statistics_shape(const GradientStatistics<float>&);
template LaunchShape gradient_statistics_shape(const GradientStatistics<double>&);
template void gradient_statistics(const GradientStatistics<float>&, cudaStream_t);
template void gradient_statistics(const GradientStatistics<double>&, cudaStream_t);

}  // namespace ensyn::kernels
