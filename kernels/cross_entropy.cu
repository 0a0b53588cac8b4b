// Softmax cross-entropy, logits z of one example:
//   p = softmax(z),  nll = -log p[label],  dL/dz = p - onehot(label);   and log p for evaluation.
//
// 16 lanes share an example; lane p takes classes p, p + 16, ... in order, and sums are added by halves: the
// order of the CPU backend, so that both give the same bits. Exponentials are computed twice, which is
// cheaper than to keep them. Determinism: gpu_to_gpu.

#include "kernels/cross_entropy.h"

#include <device/launch.h>

#include "kernels/device/views.h"

namespace ensyn::kernels {
namespace {

constexpr int kThreads = 128;
constexpr int kLanes = 16;
constexpr int kExamples = kThreads / kLanes, kExamplesPerWarp = 32 / kLanes;

template <class T>
struct Softmax {
  T maximum, log_sum, reciprocal_sum;
  int best;  // first of the largest logits
};

/// Every lane of the 16 gets the same. All lanes of a warp must call.
template <class T>
__device__ inline Softmax<T> softmax_of(const T* logits, int classes, int lane) {
  constexpr unsigned kAll = 0xFFFFFFFFu;
  Softmax<T> result{};
  // Classes beyond the last repeat class 0, which never wins over itself.
  T maximum = logits[0];
  int best = 0;
  for (int k = lane; k < classes; k += kLanes) {
    if (maximum < logits[k]) maximum = logits[k], best = k;
  }
  ENSYN_UNROLL
  for (int n = kLanes / 2; n >= 1; n /= 2) {
    const T other = __shfl_xor_sync(kAll, maximum, n);
    const int other_best = __shfl_xor_sync(kAll, best, n);
    const bool wins = maximum < other || (maximum == other && other_best < best);
    maximum = wins ? other : maximum;
    best = wins ? other_best : best;
  }
  T sum = 0;
  for (int k = lane; k < classes; k += kLanes) sum = sum + detail::exponential(logits[k] - maximum);
  ENSYN_UNROLL
  for (int n = kLanes / 2; n >= 1; n /= 2) sum = sum + __shfl_xor_sync(kAll, sum, n);
  result.maximum = maximum;
  // The logarithm works on bits, so NaN has to be handed on: 0 is added to any other sum.
  result.log_sum = detail::logarithm(sum) + (sum - sum);
  result.reciprocal_sum = T(1) / sum;
  result.best = best;
  return result;
}

template <class T>
__global__ void __launch_bounds__(kThreads, 1)
    cross_entropy_kernel(const __grid_constant__ CrossEntropy<T> args) {
  const int lane = static_cast<int>(threadIdx.x) % kLanes, network = static_cast<int>(blockIdx.z);
  const int b = static_cast<int>(blockIdx.x) * kExamples + static_cast<int>(threadIdx.x) / kLanes;
  // A warp without an example leaves as a whole. Where only half of one has an example, the other half reads
  // the last one along with it, for the sake of the shuffles, after which alone anything is written.
  if (b / kExamplesPerWarp * kExamplesPerWarp >= args.batch) return;
  const bool valid = b < args.batch;
  const int example = valid ? b : args.batch - 1;
  T* z = args.logits + network * args.network_stride + static_cast<std::int64_t>(example) * args.stride;
  const Softmax<T> softmax = softmax_of(z, args.classes, lane);
  if (!valid) return;
  const std::uint64_t step = progress_of(args.networks, network).step;
  const int label = args.labels[example_of(args.inputs, network, step, args.batch, b)];
  for (int k = lane; k < args.classes; k += kLanes) {
    const T shifted = z[k] - softmax.maximum;
    if (k == label) {
      const std::int64_t at = static_cast<std::int64_t>(network) * args.batch + b;
      args.nll[at] = softmax.log_sum - shifted;
      args.correct[at] = softmax.best == label ? 1 : 0;
    }
    const T p = detail::exponential(shifted) * softmax.reciprocal_sum;
    z[k] = k == label ? p - T(1) : p;
  }
}

template <class T>
__global__ void __launch_bounds__(kThreads, 1)
    log_softmax_kernel(const __grid_constant__ LogSoftmax<T> args) {
  const int lane = static_cast<int>(threadIdx.x) % kLanes;
  const int i = static_cast<int>(blockIdx.x) * kExamples + static_cast<int>(threadIdx.x) / kLanes;
  if (i / kExamplesPerWarp * kExamplesPerWarp >= args.examples) return;
  const bool valid = i < args.examples;
  const auto example = static_cast<std::int64_t>(valid ? i : args.examples - 1);
  const T* z = args.logits + example * args.logits_stride;
  const Softmax<T> softmax = softmax_of(z, args.classes, lane);
  if (!valid) return;
  for (int k = lane; k < args.classes; k += kLanes) {
    args.log_probabilities[example * args.stride + k] = (z[k] - softmax.maximum) - softmax.log_sum;
  }
}

}  // namespace

template <class T>
LaunchShape cross_entropy_shape(const CrossEntropy<T>& args) {
  LaunchShape shape;
  shape.grid.x = static_cast<unsigned>(ceil_divide(args.batch, kExamples));
  shape.grid.z = static_cast<unsigned>(args.networks.count);
  shape.block.x = kThreads;
  return shape;
}

template <class T>
void cross_entropy(const CrossEntropy<T>& args, cudaStream_t stream) {
  launch("cross_entropy", cross_entropy_kernel<T>, cross_entropy_shape(args), stream, args);
}

template <class T>
LaunchShape log_softmax_shape(const LogSoftmax<T>& args) {
  LaunchShape shape;
  shape.grid.x = static_cast<unsigned>(ceil_divide(args.examples, kExamples));
  shape.block.x = kThreads;
  return shape;
}

template <class T>
void log_softmax(const LogSoftmax<T>& args, cudaStream_t stream) {
  launch("log_softmax", log_softmax_kernel<T>, log_softmax_shape(args), stream, args);
}

template LaunchShape cross_entropy_shape(const CrossEntropy<float>&);
template LaunchShape cross_entropy_shape(const CrossEntropy<double>&);
template void cross_entropy(const CrossEntropy<float>&, cudaStream_t);
template void cross_entropy(const CrossEntropy<double>&, cudaStream_t);
template LaunchShape log_softmax_shape(const LogSoftmax<float>&);
template LaunchShape log_softmax_shape(const LogSoftmax<double>&);
template void log_softmax(const LogSoftmax<float>&, cudaStream_t);
template void log_softmax(const LogSoftmax<double>&, cudaStream_t);

}  // namespace ensyn::kernels
