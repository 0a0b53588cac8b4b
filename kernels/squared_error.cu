// Loss of the gaussian likelihood, outputs f of one example with targets y:
//   nll = sum over k of (f_k - y_k)^2 / (2 eps^2) + constant,  dL/df_k = (f_k - y_k) / eps^2.
//
// 16 lanes share an example; lane p takes outputs p, p + 16, ... in order, and sums are added by halves: the
// order of the CPU backend, so that both give the same bits. Determinism: gpu_to_gpu.

#include "kernels/squared_error.h"

#include <device/launch.h>

#include "kernels/device/views.h"

namespace ensyn::kernels {
namespace {

constexpr int kThreads = 128;
constexpr int kLanes = 16;
constexpr int kExamples = kThreads / kLanes, kExamplesPerWarp = 32 / kLanes;

template <class T>
__global__ void __launch_bounds__(kThreads, 1)
    squared_error_kernel(const __grid_constant__ SquaredError<T> args) {
  constexpr unsigned kAll = 0xFFFFFFFFu;
  const int lane = static_cast<int>(threadIdx.x) % kLanes, network = static_cast<int>(blockIdx.z);
  const int b = static_cast<int>(blockIdx.x) * kExamples + static_cast<int>(threadIdx.x) / kLanes;
  // A warp without an example leaves as a whole; half a warp without one has an empty sum to add.
  if (b / kExamplesPerWarp * kExamplesPerWarp >= args.batch) return;
  const bool valid = b < args.batch;
  T sum = 0;
  if (valid) {
    const std::uint64_t step = progress_of(args.networks, network).step;
    T* f = args.outputs + network * args.network_stride + static_cast<std::int64_t>(b) * args.stride;
    const float* y = args.targets + example_of(args.inputs, network, step, args.batch, b) * args.count;
    for (int k = lane; k < args.count; k += kLanes) {
      const auto error = detail::squared_error(f[k], static_cast<T>(y[k]), args.inverse_variance);
      sum = sum + error.nll;
      f[k] = error.slope;
    }
  }
  ENSYN_UNROLL
  for (int n = kLanes / 2; n >= 1; n /= 2) sum = sum + __shfl_xor_sync(kAll, sum, n);
  if (!valid || lane != 0) return;
  const std::int64_t at = static_cast<std::int64_t>(network) * args.batch + b;
  args.nll[at] = sum + args.constant;
  args.correct[at] = 0;
}

}  // namespace

template <class T>
LaunchShape squared_error_shape(const SquaredError<T>& args) {
  LaunchShape shape;
  shape.grid.x = static_cast<unsigned>(ceil_divide(args.batch, kExamples));
  shape.grid.z = static_cast<unsigned>(args.networks.count);
  shape.block.x = kThreads;
  return shape;
}

template <class T>
void squared_error(const SquaredError<T>& args, cudaStream_t stream) {
  launch("squared_error", squared_error_kernel<T>, squared_error_shape(args), stream, args);
}

template LaunchShape squared_error_shape(const SquaredError<float>&);
template LaunchShape squared_error_shape(const SquaredError<double>&);
template void squared_error(const SquaredError<float>&, cudaStream_t);
template void squared_error(const SquaredError<double>&, cudaStream_t);

}  // namespace ensyn::kernels
