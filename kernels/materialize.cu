// Standard normals, or sampled weights of mean mu and SD softplus(phi), of one layer, written out; a thread
// for each quad. Determinism: gpu_to_gpu.

#include "kernels/materialize.h"

#include <device/launch.h>

#include "kernels/device/quad.h"

namespace ensyn::kernels {
namespace {

constexpr int kThreads = 128;
// Without a number of blocks to aim at, ptxas spills registers on some architectures for more of them.
constexpr int kBlocks = 4;

template <class T, bool kOtherLaws>
__global__ void __launch_bounds__(kThreads, kBlocks)
    materialize_kernel(const __grid_constant__ Materialize<T> args) {
  const Layer& layer = args.layer;
  const int network = static_cast<int>(blockIdx.z), row = 2 * static_cast<int>(blockIdx.x);
  const int column = 2 * static_cast<int>(blockIdx.y * kThreads + threadIdx.x);
  if (column >= layer.columns) return;
  Quad<T> values{};
  if (args.mu != nullptr) {
    values = sample_quad<kOtherLaws>(weight_source(args.networks, network, layer, args.mu, args.phi,
                                                   args.parameter_network_stride, args.draw, 0),
                                     layer, row, column);
  } else {
    const std::uint64_t step =
        args.draw.from_progress ? progress_of(args.networks, network).step : args.draw.step;
    const NoiseSource noise =
        noise_source(constants_of(args.networks, network), step, layer.tensor, args.draw.purpose);
    values = quad_normals<T>(quad_words(noise, row / 2, column / 2, layer.columns));
  }
  T* output = args.output + network * args.output_network_stride;
  for_elements(layer, row, column, [&](int i, int j) {
    output[static_cast<std::int64_t>(row + i) * args.output_stride + column + j] = values.of[i][j];
  });
}

}  // namespace

template <class T>
LaunchShape materialize_shape(const Materialize<T>& args) {
  LaunchShape shape;
  shape.grid.y = static_cast<unsigned>(ceil_divide(args.layer.columns, 2 * kThreads));
  shape.grid.x = static_cast<unsigned>(ceil_divide(args.layer.rows, 2));
  shape.grid.z = static_cast<unsigned>(args.networks.count);
  shape.block.x = kThreads;
  return shape;
}

template <class T>
void materialize(const Materialize<T>& args, cudaStream_t stream) {
  const auto kernel = args.networks.other_laws ? materialize_kernel<T, true> : materialize_kernel<T, false>;
  launch("materialize", kernel, materialize_shape(args), stream, args);
}

template LaunchShape materialize_shape(const Materialize<float>&);
template LaunchShape materialize_shape(const Materialize<double>&);
template void materialize(const Materialize<float>&, cudaStream_t);
template void materialize(const Materialize<double>&, cudaStream_t);

}  // namespace ensyn::kernels
