// Softmax cross-entropy, logits z of one example:
//   p = softmax(z),  nll = -log p[label],  dL/dz = p - onehot(label);   and log p for evaluation.
//
// 16 lanes share an example; lane p takes classes p, p + 16, ... in order, and sums are added by halves: the
// order of the CPU backend, so that both give the same bits. Exponentials are computed twice, which is
// cheaper than to keep them. Determinism: gpu_to_gpu.

#include "kernels/cross_entropy.h"

#include <device/launch.h>

#include "kernels/device/softmax.h"
#include "kernels/device/views.h"

namespace ensyn::kernels {
namespace {

constexpr int kThreads = 128;
constexpr int kLanes = kSoftmaxLanes;
constexpr int kExamples = kThreads / kLanes, kExamplesPerWarp = 32 / kLanes;

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
  const std::int64_t at = static_cast<std::int64_t>(network) * args.batch + b;
  cross_entropy_of(z, args.classes, label, softmax, lane, args.nll[at], args.correct[at]);
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
