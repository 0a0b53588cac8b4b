// Forward pass of one layer with freshly drawn weights:
//   output[b][r] = f(sum over k of w[r][k] x[b][k]),   w drawn with mean mu and SD softplus(phi).
//
// A block draws a few rows of weights, chunk by chunk of columns, into shared memory, one quad a thread, and
// multiplies them with its examples; while it multiplies one chunk it draws the next. Weights never reach
// device memory. Each product is summed by 16 lanes, lane p taking columns p, p + 16, ... in order, and then
// by halves: the order of the CPU backend, so that both give the same bits. Determinism: gpu_to_gpu.

#include "kernels/noisy_forward.h"

#include <device/block_shared.h>
#include <device/launch.h>

#include "ensyn/error.h"
#include "kernels/device/quad.h"
#include "kernels/device/views.h"

namespace ensyn::kernels {
namespace {

constexpr int kThreads = 256;
constexpr int kLanes = 16;  // that share one sum
constexpr int kGroups = kThreads / kLanes;

/// Two chunks of kRows rows of weights: one being drawn, one being multiplied.
template <class T, int kRows>
struct Shared {
  static constexpr int kColumns = 4 * kThreads / kRows;  // one quad a thread
  T weights[2][kRows][kColumns];
};

/// The examples of one block within one minibatch.
struct Examples {
  int minibatch;
  int first, count;  // first is relative to the minibatch
  int in_minibatch;  // examples of the whole minibatch
};

template <class T>
__device__ inline Examples examples_of_block(const NoisyForward<T>& args, int per_block) {
  const int tiles = (args.batch + per_block - 1) / per_block;
  Examples examples{};
  examples.minibatch = static_cast<int>(blockIdx.x) / tiles;
  examples.in_minibatch = min(args.batch, args.examples - examples.minibatch * args.batch);
  examples.first = static_cast<int>(blockIdx.x) % tiles * per_block;
  examples.count = min(per_block, examples.in_minibatch - examples.first);
  return examples;
}

/// Adds the products of one chunk to the sums of one lane.
template <class T, int kRows, int kExamples, class Reader>
__device__ inline void multiply_chunk(const T (&weights)[kRows][Shared<T, kRows>::kColumns],
                                      const Reader (&x)[kExamples], int first, int columns, int lane,
                                      T (&sums)[kExamples][kRows]) {
  const int end = min(columns - first, Shared<T, kRows>::kColumns);
  for (int k = lane; k < end; k += kLanes) {
    T w[kRows];
    ENSYN_UNROLL
    for (int r = 0; r < kRows; ++r) w[r] = weights[r][k];
    ENSYN_UNROLL
    for (int e = 0; e < kExamples; ++e) {
      const T input = first + k == columns - 1 ? T(1) : x[e](first + k);
      ENSYN_UNROLL
      for (int r = 0; r < kRows; ++r) sums[e][r] = detail::fused(w[r], input, sums[e][r]);
    }
  }
}

/// Sum over the 16 lanes, the same bits in each of them.
template <class T>
__device__ inline T sum_of_lanes(T sum) {
  ENSYN_UNROLL
  for (int n = kLanes / 2; n >= 1; n /= 2) sum = sum + __shfl_xor_sync(0xFFFFFFFFu, sum, n);
  return sum;
}

template <class T, int kRows, int kExamples, bool kOtherLaws>
__global__ void __launch_bounds__(kThreads, 1)
    noisy_forward_kernel(const __grid_constant__ NoisyForward<T> args) {
  auto& shared = block_shared<Shared<T, kRows>>();
  constexpr int kColumns = Shared<T, kRows>::kColumns;
  const Examples examples = examples_of_block(args, kGroups * kExamples);
  if (examples.count <= 0) return;  // the last minibatch is short: true of the whole block
  const Layer& layer = args.layer;
  const int network = static_cast<int>(blockIdx.z), first_row = static_cast<int>(blockIdx.y) * kRows;
  const int lane = static_cast<int>(threadIdx.x) % kLanes, group = static_cast<int>(threadIdx.x) / kLanes;
  const WeightSource<T> source = weight_source(args.networks, network, layer, args.mu, args.phi,
                                               args.parameter_network_stride, args.draw, examples.minibatch);
  const std::uint64_t step = args.inputs.order != nullptr ? progress_of(args.networks, network).step : 0;
  const int of_all = examples.minibatch * args.batch + examples.first;  // number of the block's first example

  T sums[kExamples][kRows] = {};
  // One chunk is drawn ahead: the first turn only draws.
  int buffer = 0;
  for (int first = -kColumns; first < layer.columns; first += kColumns, buffer ^= 1) {
    if (first + kColumns < layer.columns) {
      draw_tile<kOtherLaws>(shared.weights[buffer ^ 1], source, layer, first_row, first + kColumns);
    }
    if (first >= 0) {
      with_inputs(args.inputs, layer.columns - 1, network, step, args.batch, [&](const auto& reader_of) {
        // Where there are fewer examples, the last one is computed again and not written.
        decltype(reader_of(0)) x[kExamples];
        ENSYN_UNROLL
        for (int e = 0; e < kExamples; ++e) {
          x[e] = reader_of(of_all + min(group + e * kGroups, examples.count - 1));
        }
        multiply_chunk<T, kRows, kExamples>(shared.weights[buffer], x, first, layer.columns, lane, sums);
      });
    }
    __syncthreads();
  }

  T* output = args.output + network * args.output_network_stride;
  ENSYN_UNROLL
  for (int e = 0; e < kExamples; ++e) {
    ENSYN_UNROLL
    for (int r = 0; r < kRows; ++r) {
      const T sum = sum_of_lanes(sums[e][r]);
      const bool mine = lane == (e * kRows + r) % kLanes;
      if (!mine || group + e * kGroups >= examples.count || first_row + r >= layer.rows) continue;
      output[static_cast<std::int64_t>(of_all + group + e * kGroups) * args.output_stride + first_row + r] =
          args.rectify ? detail::relu(sum) : sum;
    }
  }
}

template <class T, int kRows, int kExamples>
void launch_tile(const NoisyForward<T>& args, cudaStream_t stream) {
  const auto kernel = args.networks.other_laws ? noisy_forward_kernel<T, kRows, kExamples, true>
                                               : noisy_forward_kernel<T, kRows, kExamples, false>;
  launch("noisy_forward", kernel, noisy_forward_shape(args), stream, args);
}

}  // namespace

NoisyForwardTile noisy_forward_tile(int rows, int batch, std::int64_t minibatches, int multiprocessors) {
  // A draw serves all examples of its block, so a large minibatch wants large blocks. Eight rows read each
  // input four times less often than two, but two give four times as many blocks, which is what counts while
  // multiprocessors are idle.
  if (batch > 32) return {8, 64};
  return {minibatches * ceil_divide(rows, 8) < multiprocessors ? 2 : 8, 32};
}

template <class T>
LaunchShape noisy_forward_shape(const NoisyForward<T>& args) {
  LaunchShape shape;
  const int minibatches = args.batch > 0 ? ceil_divide(args.examples, args.batch) : 0;
  // In x, where CUDA counts 2^31 blocks and not 2^16, are the minibatches, of which an evaluation may have
  // many.
  shape.grid.x = static_cast<unsigned>(minibatches * ceil_divide(args.batch, args.tile.examples));
  shape.grid.y = static_cast<unsigned>(ceil_divide(args.layer.rows, args.tile.rows));
  shape.grid.z = static_cast<unsigned>(args.networks.count);
  shape.block.x = kThreads;
  shape.shared_bytes = args.tile.rows == 2 ? sizeof(Shared<T, 2>) : sizeof(Shared<T, 8>);
  return shape;
}

template <class T>
void noisy_forward(const NoisyForward<T>& args, cudaStream_t stream) {
  const NoisyForwardTile& tile = args.tile;
  if (tile == NoisyForwardTile{2, 32}) return launch_tile<T, 2, 2>(args, stream);
  if (tile == NoisyForwardTile{8, 32}) return launch_tile<T, 8, 2>(args, stream);
  if (tile == NoisyForwardTile{8, 64}) return launch_tile<T, 8, 4>(args, stream);
  throw ConfigError("noisy_forward has no tile of " + std::to_string(tile.rows) + " rows by " +
                    std::to_string(tile.examples) + " examples: take 2 or 8 by 32, or 8 by 64");
}

template LaunchShape noisy_forward_shape(const NoisyForward<float>&);
template LaunchShape noisy_forward_shape(const NoisyForward<double>&);
template void noisy_forward(const NoisyForward<float>&, cudaStream_t);
template void noisy_forward(const NoisyForward<double>&, cudaStream_t);

}  // namespace ensyn::kernels
