// Backward pass of one layer to its inputs, with the weights of the forward pass drawn again:
//   output[b][k] = (activation[b][k] > 0) * sum over r of delta[b][r] w[r][k].
//
// A block owns a few columns and a tile of examples. It draws its columns of the weights, chunk by chunk of
// rows, into shared memory, one quad a thread; each thread then adds the chunk to the sums of one column and
// its examples. Rows are added in order, as the CPU backend does, so that both give the same bits.
// Determinism: gpu_to_gpu.

#include "kernels/noisy_backward.h"

#include <device/block_shared.h>
#include <device/launch.h>

#include "ensyn/error.h"
#include "kernels/device/quad.h"
#include "kernels/device/views.h"

namespace ensyn::kernels {
namespace {

constexpr int kThreads = 256;

template <class T, int kColumns>
struct Shared {
  static constexpr int kRows = 4 * kThreads / kColumns;  // one quad a thread
  T weights[2][kRows][kColumns];
};

/// Examples that each thread of a column takes; a block has kThreads / kColumns threads for a column.
template <int kColumns>
inline constexpr int kExamplesPerThread = kColumns == 8 ? 1 : 8;
template <int kColumns>
inline constexpr int kExamplesPerBlock = kThreads / kColumns* kExamplesPerThread<kColumns>;

template <class T, int kColumns, bool kOtherLaws>
__global__ void __launch_bounds__(kThreads, 1)
    noisy_backward_kernel(const __grid_constant__ NoisyBackward<T> args) {
  auto& shared = block_shared<Shared<T, kColumns>>();
  constexpr int kRows = Shared<T, kColumns>::kRows;
  constexpr int kExamples = kExamplesPerThread<kColumns>, kSlots = kThreads / kColumns;
  const Layer& layer = args.layer;
  const int network = static_cast<int>(blockIdx.z), first_column = static_cast<int>(blockIdx.x) * kColumns;
  const int first_example = static_cast<int>(blockIdx.y) * kSlots * kExamples;
  const int column = static_cast<int>(threadIdx.x) % kColumns,
            slot = static_cast<int>(threadIdx.x) / kColumns;
  const WeightSource<T> source = weight_source(args.networks, network, layer, args.mu, args.phi,
                                               args.parameter_network_stride, args.draw, 0);

  const T* delta[kExamples];
  ENSYN_UNROLL
  for (int e = 0; e < kExamples; ++e) {
    // Where there are fewer examples, the last one is computed again and not written.
    const int example = min(first_example + slot + e * kSlots, args.batch - 1);
    delta[e] = args.delta + network * args.delta_network_stride +
               static_cast<std::int64_t>(example) * args.delta_stride;
  }
  T sums[kExamples] = {};
  // One chunk is drawn ahead: the first turn only draws.
  int buffer = 0;
  for (int first = -kRows; first < layer.rows; first += kRows, buffer ^= 1) {
    if (first + kRows < layer.rows) {
      draw_tile<kOtherLaws>(shared.weights[buffer ^ 1], source, layer, first + kRows, first_column);
    }
    if (first >= 0) {
      const int end = min(layer.rows - first, kRows);
      for (int r = 0; r < end; ++r) {
        const T w = shared.weights[buffer][r][column];
        ENSYN_UNROLL
        for (int e = 0; e < kExamples; ++e) sums[e] = detail::fused(delta[e][first + r], w, sums[e]);
      }
    }
    __syncthreads();
  }

  const int k = first_column + column;
  if (k >= layer.columns - 1) return;
  ENSYN_UNROLL
  for (int e = 0; e < kExamples; ++e) {
    const int example = first_example + slot + e * kSlots;
    if (example >= args.batch) continue;
    const bool passes =
        args.activation == nullptr ||
        detail::less(T(0), args.activation[network * args.activation_network_stride +
                                           static_cast<std::int64_t>(example) * args.activation_stride + k]);
    args.output[network * args.output_network_stride +
                static_cast<std::int64_t>(example) * args.output_stride + k] = passes ? sums[e] : T(0);
  }
}

template <class T, int kColumns>
void launch_tile(const NoisyBackward<T>& args, cudaStream_t stream) {
  const auto kernel = args.networks.other_laws ? noisy_backward_kernel<T, kColumns, true>
                                               : noisy_backward_kernel<T, kColumns, false>;
  launch("noisy_backward", kernel, noisy_backward_shape(args), stream, args);
}

}  // namespace

NoisyBackwardTile noisy_backward_tile(int columns, int batch, int networks, int multiprocessors) {
  // 64 columns read each delta eight times less often than 8, but 8 give eight times as many blocks and have
  // all rows of a layer of up to 128 in one chunk, which is what counts while multiprocessors are idle.
  const std::int64_t blocks = static_cast<std::int64_t>(networks) * ceil_divide(columns, 64) *
                              ceil_divide(batch, kExamplesPerBlock<64>);
  return {blocks < multiprocessors ? 8 : 64};
}

template <class T>
LaunchShape noisy_backward_shape(const NoisyBackward<T>& args) {
  const int columns = args.tile.columns;
  LaunchShape shape;
  shape.grid.x = static_cast<unsigned>(ceil_divide(args.layer.columns - 1, columns));
  shape.grid.y = static_cast<unsigned>(
      ceil_divide(args.batch, columns == 8 ? kExamplesPerBlock<8> : kExamplesPerBlock<64>));
  shape.grid.z = static_cast<unsigned>(args.networks.count);
  shape.block.x = kThreads;
  shape.shared_bytes = columns == 8 ? sizeof(Shared<T, 8>) : sizeof(Shared<T, 64>);
  return shape;
}

template <class T>
void noisy_backward(const NoisyBackward<T>& args, cudaStream_t stream) {
  if (args.tile == NoisyBackwardTile{8}) return launch_tile<T, 8>(args, stream);
  if (args.tile == NoisyBackwardTile{64}) return launch_tile<T, 64>(args, stream);
  throw ConfigError("noisy_backward has no tile of " + std::to_string(args.tile.columns) +
                    " columns: take 8 or 64");
}

template LaunchShape noisy_backward_shape(const NoisyBackward<float>&);
template LaunchShape noisy_backward_shape(const NoisyBackward<double>&);
template void noisy_backward(const NoisyBackward<float>&, cudaStream_t);
template void noisy_backward(const NoisyBackward<double>&, cudaStream_t);

}  // namespace ensyn::kernels
