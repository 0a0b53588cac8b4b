// Predictions of many networks in one launch: a block takes one minibatch, or a part of one, of one network
// with mean weights or with one draw, through all layers. With x_0 the examples,
//   x_l = relu(w_l x_(l-1)),   w_l = mu_l + sigma_l xi;   results = log softmax of the last layer's outputs,
// or these as they are.
//
// Examples and activations stay in shared memory. A warp draws a tile of weights, a quad a lane, while mu and
// sigma of its next one are on their way, and multiplies it with all of the block's examples by tensor cores;
// the sums of the warps that share a row of tiles are added in order. What an example's prediction is made of
// does not depend on which others the block or the launch has. Determinism: gpu_to_gpu.

#include "kernels/whole/population_evaluation.h"

#include <device/block_shared.h>
#include <device/launch.h>

#include "ensyn/error.h"
#include "kernels/whole/tile_update.h"
#include "kernels/whole/warp_sums.h"
#include "kernels/whole/whole_network.h"

namespace ensyn::kernels {
namespace {

constexpr int kThreads = 256, kTilesOfBlock = kThreads / 32;
/// Rows of pixels before the examples: all pixels 1, and the bias alone 1 (Pixels, tile_product.h).
[[maybe_unused]] constexpr int kBesidePixels = 2;  // where the kernel is empty

/// Blocks on a multiprocessor that registers must allow: as many as do not make a kernel spill them.
template <class T, int kN, bool kPixels>
constexpr int resident_blocks() {
  if (sizeof(T) != sizeof(float)) return 1;
  return kN == 3 && kPixels ? 3 : 2;
}

/// What a block predicts of.
template <class T>
struct Block {
  const PopulationEvaluation<T>& args;
  const NetworkConstants<T>& constants;
  const T* weights;
  unsigned char* shared;
  int slot, minibatch;         // minibatch of the launch
  std::int64_t first_example;  // of the launch
  int examples;
  int thread, warp;
  Lane lane;

  // As stage_inputs asks.
  [[nodiscard]] __device__ const Inputs<T>& inputs() const { return args.inputs; }
  [[nodiscard]] __device__ int count() const { return examples; }
  [[nodiscard]] __device__ std::int64_t example(int b) const {
    return args.inputs.first_example + first_example + b;
  }

  [[nodiscard]] __device__ const TiledLayer& layer(int l) const { return args.tiling.layers[l]; }
  [[nodiscard]] __device__ bool is_last(int l) const { return l + 1 == args.tiling.layer_count; }
  [[nodiscard]] __device__ int threads() const { return 32 * args.shape.warps; }
  [[nodiscard]] __device__ int features() const { return layer(0).layer.columns - 1; }
  /// Elements of an example that layer l reads.
  [[nodiscard]] __device__ int width(int l) const { return layer(l).column_tiles * kTileColumns; }
  template <class Element = T>
  [[nodiscard]] __device__ Element* part(const SharedPart& part) const {
    return reinterpret_cast<Element*>(shared + part.at);
  }
  template <class Element = T>
  [[nodiscard]] __device__ Element* inputs_of(int l) const {
    return part<Element>(args.shape.room[l % 2]);
  }
  [[nodiscard]] __device__ Sharers sharers(int l) const {
    return Sharers(args.shape.rows_at_a_time[l], args.shape.warps, warp);
  }
};

/// Behind the inputs of each of `rows` examples: that of the bias, and 0 up to where layer l reads.
template <class T, class Element>
__device__ inline void stage_biases(const Block<T>& block, int l, Element* to, int stride, int rows,
                                    Element bias) {
  const int first = block.layer(l).layer.columns - 1, behind = block.width(l) - first;
  for (int i = block.thread; i < rows * behind; i += block.threads())
    to[i / behind * stride + first + i % behind] = i % behind == 0 ? bias : Element(0);
}

template <class T>
__device__ inline void stage(const Block<T>& block, T* to) {
  const int stride = block.args.shape.input_stride;
  stage_inputs(block, to, stride, block.features(), block.thread, block.threads());
  stage_biases(block, 0, to, stride, block.examples, T(1));
}
template <class T>
__device__ inline void stage(const Block<T>& block, std::uint8_t* to) {
  const int stride = block.args.shape.input_stride, features = block.features();
  std::uint8_t *ones = to, *bias = to + stride, *examples = to + kBesidePixels * stride;
  stage_inputs(block, examples, stride, features, block.thread, block.threads());
  stage_biases(block, 0, examples, stride, block.examples, std::uint8_t{0});
  for (int i = block.thread; i < block.width(0); i += block.threads()) {
    ones[i] = i < features ? 1 : 0;
    bias[i] = i == features ? 1 : 0;
  }
}

/// One row of tiles of layer l, the warp's part: its products with all examples.
template <int kN, class T, class Examples>
__device__ inline void multiply_row(const Block<T>& block, int l, int row_tile, const Sharers& sharers,
                                    const Examples& examples, T (&sums)[kN][4]) {
  const TiledLayer& tiled = block.layer(l);
  const bool noisy = block.slot > 0;
  const std::int64_t draw = static_cast<std::int64_t>(block.slot - 1) * block.args.batches +
                            block.args.first_minibatch + block.minibatch;
  const KeyedNoise source =
      keyed_noise(block.template part<const uint4>(block.args.shape.keys), block.constants,
                  static_cast<std::uint64_t>(draw), tiled.layer.tensor, block.args.purpose);
  const T* at = block.weights +
                static_cast<std::int64_t>(tiled.first_tile + row_tile * tiled.column_tiles) *
                    (kWeightFields * kTileElements) +
                4 * (block.thread % 32);
  const auto field = [&](int tile, int which) {
    return four_at(at + (tile * kWeightFields + which) * kTileElements);
  };
  int tile = sharers.first;
  if (tile >= tiled.column_tiles) return;
  Four<T> mu = field(tile, 0), sigma = field(tile, 1);
  while (tile < tiled.column_tiles) {
    // The last tile is fetched once more for want of a next.
    const int next = tile + sharers.warps, fetched = min(next, tiled.column_tiles - 1);
    const Four<T> next_mu = field(fetched, 0), next_sigma = field(fetched, 1);
    Quad<T> w = as_quad(mu);
    if (noisy) {
      const Quad<T> xi = normals_at<T>(source, row_tile * (kTileRows / 2) + block.lane.g,
                                       tile * (kTileColumns / 2) + block.lane.t, tiled.layer.columns);
      ENSYN_UNROLL
      for (int i = 0; i < 4; ++i)
        w.of[i / 2][i % 2] = detail::fused(sigma.of[i], xi.of[i / 2][i % 2], mu.of[i]);
    }
    add_forward<kN>(sums, forward_operand(w), examples, tile * kTileColumns, block.lane);
    tile = next, mu = next_mu, sigma = next_sigma;
  }
}

/// Outputs of layer l for the rows of tiles from `first_tile` on, from the warps' sums.
template <int kN, bool kPixels, class T>
__device__ inline void finish_rows(const Block<T>& block, int l, const Sharers& sharers, int first_tile) {
  const TiledLayer& tiled = block.layer(l);
  const T* sums = block.part(block.args.shape.sums);
  T* outputs = block.inputs_of(l + 1);
  const int rows = min(sharers.at_a_time, tiled.row_tiles - first_tile);
  for (int i = block.thread; i < rows * block.examples * kTileRows; i += block.threads()) {
    const int output = i % kTileRows, b = i / kTileRows % block.examples,
              row = i / kTileRows / block.examples;
    const int r = (first_tile + row) * kTileRows + output;
    if (r >= tiled.layer.rows) continue;
    T value = total_of<kN>(sums, sharers, row, b + (kPixels ? kBesidePixels : 0), output);
    if constexpr (kPixels) {
      const T ones = total_of<kN>(sums, sharers, row, 0, output),
              bias = total_of<kN>(sums, sharers, row, 1, output);
      value = detail::fused(value, block.inputs().scale, detail::fused(ones, block.inputs().shift, bias));
    }
    outputs[b * block.args.shape.output_stride[l] + r] = block.is_last(l) ? value : detail::relu(value);
  }
}

/// From the inputs of layer l to its outputs. All threads of the block are in step before and after.
template <int kN, class T, class Examples>
__device__ inline void forward_layer(const Block<T>& block, int l, const Examples& examples) {
  const TiledLayer& tiled = block.layer(l);
  const Sharers sharers = block.sharers(l);
  if (!block.is_last(l))
    stage_biases(block, l + 1, block.inputs_of(l + 1), block.args.shape.output_stride[l], block.examples,
                 T(1));
  for (int first = 0; first < tiled.row_tiles; first += sharers.at_a_time) {
    T sums[kN][4] = {};
    const int row_tile = first + sharers.row;
    if (row_tile < tiled.row_tiles) multiply_row<kN>(block, l, row_tile, sharers, examples, sums);
    store_warp_sums<kN>(block.part(block.args.shape.sums), sums, block.warp, block.lane);
    __syncthreads();
    finish_rows<kN, Examples::kExact>(block, l, sharers, first);
    __syncthreads();
  }
}

/// Hands over what the last layer gave.
template <class T>
__device__ inline void write_results(const Block<T>& block) {
  const PopulationEvaluation<T>& args = block.args;
  const int last = args.tiling.layer_count - 1, count = block.layer(last).layer.rows,
            lane = block.thread % kSoftmaxLanes;
  const T* outputs = block.inputs_of(last + 1);
  T* results = args.results + (static_cast<std::int64_t>(blockIdx.y) * args.examples + block.first_example) *
                                  args.slots * count;
  // Two examples a warp, which stays together for the sake of the shuffles.
  for (int pair = block.warp; 2 * pair < block.examples; pair += args.shape.warps) {
    const int b = 2 * pair + block.thread % 32 / kSoftmaxLanes;
    const bool valid = b < block.examples;
    const T* z = outputs + (valid ? b : block.examples - 1) * args.shape.output_stride[last];
    Softmax<T> softmax{};
    if (args.log_softmax) softmax = softmax_of(z, count, lane);
    if (!valid) continue;
    T* to = results + (static_cast<std::int64_t>(b) * args.slots + block.slot) * count;
    for (int k = lane; k < count; k += kSoftmaxLanes)
      to[k] = args.log_softmax ? (z[k] - softmax.maximum) - softmax.log_sum : z[k];
  }
}

/// Blocks that share a minibatch.
template <class T>
[[nodiscard]] __host__ __device__ inline int blocks_of_minibatch(const PopulationEvaluation<T>& args) {
  return (args.batch + args.shape.examples - 1) / args.shape.examples;
}
template <class T>
[[nodiscard]] __host__ __device__ inline int minibatches_of(const PopulationEvaluation<T>& args) {
  return static_cast<int>((args.examples + args.batch - 1) / args.batch);
}

template <class T, int kN, bool kPixels>
__global__ void __launch_bounds__(kThreads, resident_blocks<T, kN, kPixels>())
    population_evaluation_kernel(const __grid_constant__ PopulationEvaluation<T> args) {
#if ENSYN_WHOLE_NETWORKS
  const int thread = static_cast<int>(threadIdx.x), network = static_cast<int>(blockIdx.y);
  const int sharing = blocks_of_minibatch(args), minibatches = minibatches_of(args);
  const int in_slot = static_cast<int>(blockIdx.x) / sharing, minibatch = in_slot % minibatches;
  const int begin = static_cast<int>(blockIdx.x) % sharing * args.shape.examples;
  const std::int64_t first = static_cast<std::int64_t>(minibatch) * args.batch + begin;
  const auto left = min(static_cast<std::int64_t>(args.batch - begin), args.examples - first);
  if (left <= 0) return;  // the last minibatch is short: true of the whole block
  const Block<T> block{
      args,
      args.constants[network],
      args.weights + static_cast<std::int64_t>(network) * args.tiling.tiles * (kWeightFields * kTileElements),
      block_shared_bytes(args.shape.shared_bytes),
      in_slot / minibatches,
      minibatch,
      first,
      static_cast<int>(min(left, static_cast<std::int64_t>(args.shape.examples))),
      thread,
      thread / 32,
      own_lane()};
  prepare_keys(block.constants.seed, block.template part<unsigned>(args.shape.keys), thread);
  if constexpr (kPixels) {
    auto* pixels = block.template inputs_of<std::uint8_t>(0);
    stage(block, pixels);
    __syncthreads();
    forward_layer<kN>(block, 0, Pixels<T>{pixels, args.shape.input_stride});
  } else {
    stage(block, block.inputs_of(0));
    __syncthreads();
    forward_layer<kN>(block, 0, Values<T>{block.inputs_of(0), args.shape.input_stride});
  }
  for (int l = 1; l < args.tiling.layer_count; ++l)
    forward_layer<kN>(block, l, Values<T>{block.inputs_of(l), args.shape.output_stride[l - 1]});
  write_results(block);
#endif
}

/// sigma of one weight of a row of the layer.
template <class T>
__device__ inline T sigma_of(const EvaluationWeights<T>& args, const NetworkConstants<T>& constants,
                             const Layer& layer, const T* phi, int row, std::int64_t at) {
  return detail::softplus(constants.sharing == Sharing::none
                              ? phi[at]
                              : *shared_phi_of(args.networks, constants, layer, row))
      .value;
}

template <class T>
__global__ void __launch_bounds__(kThreads)
    evaluation_weights_kernel(const __grid_constant__ EvaluationWeights<T> args) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int tile = static_cast<int>(blockIdx.x) * kTilesOfBlock + static_cast<int>(threadIdx.x) / 32;
  if (tile >= args.tiling.tiles) return;
  T* weights =
      args.weights +
      (static_cast<std::int64_t>(blockIdx.y) * args.tiling.tiles + tile) * (kWeightFields * kTileElements) +
      4 * lane;
  const TilePlace place = place_of(args.tiling, tile, own_lane());
  const Layer& layer = args.tiling.layers[place.layer].layer;
  const int network = args.first + static_cast<int>(blockIdx.y);
  const NetworkConstants<T>& constants = constants_of(args.networks, network);
  const Parameters<T>& parameters = args.layers[place.layer];
  const std::int64_t from = network * parameters.network_stride;
  Four<T> mu{}, sigma{};
  for_elements(layer, place.row, place.column, [&](int i, int j) {
    const std::int64_t at = from + offset_of(layer, place.row + i, place.column + j);
    mu.of[2 * i + j] = parameters.mu[at];
    sigma.of[2 * i + j] = sigma_of(args, constants, layer, parameters.phi, place.row + i, at);
  });
  four_at(weights) = mu;
  four_at(weights + kTileElements) = sigma;
}

template <class T, int kN>
void launch_kind(const PopulationEvaluation<T>& args, cudaStream_t stream) {
  launch("population_evaluation",
         args.inputs.bytes != nullptr ? population_evaluation_kernel<T, kN, true>
                                      : population_evaluation_kernel<T, kN, false>,
         population_evaluation_shape(args), stream, args);
}

/// In x, where CUDA counts 2^31 - 1 blocks and not 2^16 - 1.
template <class T>
std::int64_t blocks_of_network(const PopulationEvaluation<T>& args) {
  if (args.examples == 0) return 0;
  return std::int64_t{1} * args.slots * minibatches_of(args) * blocks_of_minibatch(args);
}

}  // namespace

template <class T>
LaunchShape evaluation_weights_shape(const EvaluationWeights<T>& args) {
  LaunchShape shape;
  shape.grid.x = static_cast<unsigned>(ceil_divide(args.tiling.tiles, kTilesOfBlock));
  shape.grid.y = static_cast<unsigned>(args.count);
  shape.block.x = kThreads;
  return shape;
}

template <class T>
LaunchShape population_evaluation_shape(const PopulationEvaluation<T>& args) {
  LaunchShape shape;
  shape.grid.x = static_cast<unsigned>(blocks_of_network(args));
  shape.grid.y = static_cast<unsigned>(args.networks);
  shape.block.x = static_cast<unsigned>(32 * args.shape.warps);
  shape.shared_bytes = args.shape.shared_bytes;
  return shape;
}

template <class T>
void evaluation_weights(const EvaluationWeights<T>& args, cudaStream_t stream) {
  launch("evaluation_weights", evaluation_weights_kernel<T>, evaluation_weights_shape(args), stream, args);
}

template <class T>
void population_evaluation(const PopulationEvaluation<T>& args, cudaStream_t stream) {
  const int tiles = args.shape.example_tiles;
  if (tiles != 3 && tiles != 7)
    throw ConfigError("population_evaluation has no kernel for " + std::to_string(tiles) +
                      " eights of examples: take 3 or 7");
  if (blocks_of_network(args) > INT32_MAX)
    throw ConfigError("population_evaluation of " + std::to_string(args.slots) + " slots of " +
                      std::to_string(args.examples) +
                      " examples takes more blocks than a launch may have: take fewer examples at a time");
  tiles == 3 ? launch_kind<T, 3>(args, stream) : launch_kind<T, 7>(args, stream);
}

template LaunchShape evaluation_weights_shape(const EvaluationWeights<float>&);
template LaunchShape evaluation_weights_shape(const EvaluationWeights<double>&);
template LaunchShape population_evaluation_shape(const PopulationEvaluation<float>&);
template LaunchShape population_evaluation_shape(const PopulationEvaluation<double>&);
template void evaluation_weights(const EvaluationWeights<float>&, cudaStream_t);
template void evaluation_weights(const EvaluationWeights<double>&, cudaStream_t);
template void population_evaluation(const PopulationEvaluation<float>&, cudaStream_t);
template void population_evaluation(const PopulationEvaluation<double>&, cudaStream_t);

}  // namespace ensyn::kernels
