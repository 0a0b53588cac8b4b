// Whole training steps, many in one launch: for each step t of each network, with x_0 the minibatch,
//   x_l = f(w_l x_(l-1)),  w_l drawn at t;   loss;   delta_(l-1) = f' . w_l^T delta_l,  w_l drawn again;
//   g_l = delta_l x_(l-1)^T;   mu, phi <- Adam.
//
// A block trains a network; blocks never wait for one another. The update of step t is one pass with the
// forward product of t + 1: a tile of parameters comes into shared memory while the tile before is worked on,
// is updated, drawn and multiplied, and goes back, so that each is read and written once a step (once more is
// mu and phi read by the backward pass, of layers behind the first). A lane owns a quad of each of its warp's
// tiles for life: it alone copies, updates and writes it, and no thread waits for another but at the end of a
// row of tiles, where the sums of the warps that share it are added in order.
//
// Where weights share a phi, y = mu x and z = xi x are summed apart: x_l = y + sigma z, and the gradient in
// sigma is the sum of delta z, which is known before the next pass begins. So sigma is, and such networks
// draw their first layer once a step.
//
// Hidden layers have two buffers, for activations of step t and for gradients of t in turn: activations of
// t + 1 replace a row of gradients as soon as its update is done. Determinism: gpu_to_gpu.

#include "kernels/streamed_training.h"

#include <device/async_copy.h>
#include <device/block_shared.h>
#include <device/launch.h>

#include "ensyn/error.h"
#include "kernels/device/tile_update.h"
#include "kernels/device/warp_sums.h"
#include "kernels/device/whole_network.h"

namespace ensyn::kernels {
namespace {

/// Of a block.
template <class T, int kN>
constexpr int most_threads() {
#if defined(__CUDA_ARCH__)
  constexpr int kMajor = __CUDA_ARCH__ / 100;
#else
  constexpr int kMajor = 9;
#endif
  return 32 * streamed_warps(kMajor, sizeof(T) == sizeof(float), kN);
}
constexpr int kSlots = 2;  // of the ring

/// What a thread knows of its block.
template <class T>
struct Block {
  const StreamedTraining<T>& args;
  const NetworkConstants<T>& constants;
  unsigned char* shared;
  T* state;
  int network, thread, warp;
  Lane lane;

  [[nodiscard]] __device__ const TiledLayer& layer(int l) const { return args.of.tiling.layers[l]; }
  [[nodiscard]] __device__ bool is_last(int l) const { return l + 1 == args.of.tiling.layer_count; }
  [[nodiscard]] __device__ int threads() const { return 32 * args.shape.warps; }
  template <class Element = T>
  [[nodiscard]] __device__ Element* part(const SharedPart& part, int copy = 0) const {
    return reinterpret_cast<Element*>(shared + part.at + static_cast<unsigned>(copy) * part.bytes);
  }
  /// Of a hidden layer one of two, of the last the only one.
  [[nodiscard]] __device__ T* outputs(int l, int which) const {
    return part(args.shape.outputs[l], is_last(l) ? 0 : which);
  }
  [[nodiscard]] __device__ NetworkProgress<T>& progress() const {
    return *part<NetworkProgress<T>>(args.shape.progress);
  }
  [[nodiscard]] __device__ const uint4* keys() const { return part<const uint4>(args.shape.keys); }
  [[nodiscard]] __device__ T* phis() const { return args.of.shared_phi + 3 * constants.first_phi; }
  [[nodiscard]] __device__ Minibatch<T> minibatch(std::uint64_t step) const {
    return {args.of, network, step};
  }
};

/// How warps share the tiles of layer l in the forward pass.
template <class T>
__device__ inline Sharers sharers_of(const Block<T>& block, int l) {
  return {block.args.shape.forward_rows[l], Shift{block.args.shape.forward_shift[l]}, block.warp};
}

/// Brings a warp's tiles, in the order in which it takes them, pass after pass.
template <class T, int kFields>
class Tiles {
 public:
  __device__ Tiles(const Block<T>& block, std::uint64_t passes) : block_(block) {
    for (int l = 0; l < block.args.of.tiling.layer_count; ++l) {
      const Sharers sharers = sharers_of(block, l);
      // A warp may have no tile at all.
      if (sharers.row < block.layer(l).row_tiles && sharers.first < block.layer(l).column_tiles)
        passes_ = passes;
    }
    row_ = sharers_of(block, 0).row, column_ = sharers_of(block, 0).first;
    skip_to_tile();
    first_ = fetch();
    if (early()) {
      second_ = fetch();
    } else {
      copies_.end_group();
    }
  }

  /// The next tile: where it lies, and what it holds.
  __device__ T* take(Four<T> (&field)[kFields]) {
    copies_.wait();
    const Four<T>* from = slot(taken_++);
    ENSYN_UNROLL
    for (int f = 0; f < kFields; ++f) field[f] = from[f * block_.threads()];
    T* at = place_of(first_);
    first_ = second_;
    if (early()) second_ = fetch();
    return at;
  }
  /// To be called when the tile has been stored.
  __device__ void done() {
    if (early()) return;
    first_ = fetch();
    copies_.end_group();
  }

 private:
  [[nodiscard]] __device__ T* place_of(int tile) const {
    return block_.state + static_cast<std::int64_t>(tile) * (kFields * kTileElements) +
           4 * (block_.thread % 32);
  }
  [[nodiscard]] __device__ bool early() const { return block_.args.shape.fetch_early; }
  [[nodiscard]] __device__ Four<T>* slot(unsigned number) const {
    return block_.template part<Four<T>>(block_.args.shape.ring, static_cast<int>(number % kSlots)) +
           block_.thread;
  }
  /// From a place behind a row, or in no row, to the next tile.
  __device__ void skip_to_tile() {
    while (passes_ > 0) {
      const TiledLayer& layer = block_.layer(layer_);
      if (row_ < layer.row_tiles && column_ < layer.column_tiles) return;
      const Sharers sharers = sharers_of(block_, layer_);
      row_ += sharers.at_a_time, column_ = sharers.first;
      if (row_ < layer.row_tiles && column_ < layer.column_tiles) return;
      if (++layer_ == block_.args.of.tiling.layer_count) layer_ = 0, --passes_;
      row_ = sharers_of(block_, layer_).row, column_ = sharers_of(block_, layer_).first;
    }
  }
  /// Starts the copy of one tile, if there is one more, and ends a group.
  __device__ int fetch() {
    int tile = 0;
    if (passes_ > 0) {
      const TiledLayer& layer = block_.layer(layer_);
      tile = layer.first_tile + row_ * layer.column_tiles + column_;
      const T* from = place_of(tile);
      auto* to = reinterpret_cast<unsigned char*>(slot(fetched_++));
      ENSYN_UNROLL
      for (int f = 0; f < kFields; ++f) {
        ENSYN_UNROLL
        for (unsigned part = 0; part < sizeof(Four<T>); part += 16) {
          copies_.copy16(to + static_cast<unsigned>(f * block_.threads()) * sizeof(Four<T>) + part,
                         reinterpret_cast<const unsigned char*>(from + f * kTileElements) + part);
        }
      }
      column_ += 1 << block_.args.shape.forward_shift[layer_];
      skip_to_tile();
    }
    copies_.end_group();
    return tile;
  }

  const Block<T>& block_;
  AsyncCopies<1> copies_;
  int first_ = 0, second_ = 0;  // tiles under way
  unsigned fetched_ = 0, taken_ = 0;
  std::uint64_t passes_ = 0;  // left, with the one under way
  int layer_ = 0, row_ = 0, column_ = 0;
};

/// The sums of a warp; one of two copies where noise is summed apart.
template <class T, int kN>
__device__ inline void store_sums(const Block<T>& block, const T (&sums)[kN][4], int copy) {
  store_warp_sums<kN>(block.part(block.args.shape.sums, copy), sums, block.warp, block.lane);
}

/// Outputs of an example from its sums: those of pixels are in units of a byte.
template <class T, int kN, bool kPixels>
__device__ inline T output_of(const Block<T>& block, const T* sums, const Sharers& sharers, int row, int b,
                              int output) {
  const T total = total_of<kN>(sums, sharers, row, b, output);
  if constexpr (!kPixels) return total;
  const int batch = block.args.of.batch;
  const Inputs<T>& inputs = block.args.of.inputs;
  const T ones = total_of<kN>(sums, sharers, row, batch, output),
          bias = total_of<kN>(sums, sharers, row, batch + 1, output);
  return detail::fused(total, inputs.scale, detail::fused(ones, inputs.shift, bias));
}

/// Outputs of layer l for the rows of tiles from `first_tile` on, from the warps' sums.
template <class T, int kN, bool kShared, bool kPixels>
__device__ inline void finish_rows(const Block<T>& block, int l, const Sharers& sharers, int first_tile,
                                   T* outputs) {
  const TiledLayer& tiled = block.layer(l);
  const int batch = block.args.of.batch, stride = block.args.shape.output_stride[l];
  const T* sums = block.part(block.args.shape.sums);
  const int rows = min(sharers.at_a_time, tiled.row_tiles - first_tile);
  for (int i = block.thread; i < rows * batch * kTileRows; i += block.threads()) {
    const int output = i % kTileRows, b = i / kTileRows % batch, row = i / kTileRows / batch;
    const int r = (first_tile + row) * kTileRows + output;
    // Behind a hidden layer's outputs stands the input of the next one's bias.
    T value = r == tiled.layer.rows && !block.is_last(l) ? T(1) : T(0);
    if (r < tiled.layer.rows) {
      value = output_of<T, kN, kPixels>(block, sums, sharers, row, b, output);
      if constexpr (kShared) {
        const int of_all = tiled.first_row + r;
        const T noise =
            output_of<T, kN, kPixels>(block, block.part(block.args.shape.sums, 1), sharers, row, b, output);
        block.part(block.args.shape.noise_sums)[b * block.args.of.tiling.rows + of_all] = noise;
        value = detail::fused(block.part(block.args.shape.sigmas)[of_all], noise, value);
      }
      if (!block.is_last(l)) value = detail::relu(value);
    }
    outputs[b * stride + r] = value;
  }
}

/// What a pass does: the update of one step, the forward pass of the next, or both.
struct Pass {
  std::uint64_t step;  ///< of the forward pass
  bool update, forward;
  int parity;  ///< which buffers hold the gradients of step - 1 and will hold the activations of `step`
};

/// The gradients of a row of tiles, as the lane needs them.
template <class T, int kN>
struct RowDeltas {
  LeftOperand<T> of[kN];
  T sums[2];  ///< over examples

  __device__ RowDeltas(const Values<T>& deltas, int batch, int first_row, const Lane& lane) : sums{} {
    load_deltas<kN>(of, deltas, first_row, lane);
    for (int b = 0; b < batch; ++b) {
      sums[0] = sums[0] + deltas(b, first_row + 2 * lane.g);
      sums[1] = sums[1] + deltas(b, first_row + 2 * lane.g + 1);
    }
  }
};

/// dL/dw of the lane's quad.
template <int kN, class T>
__device__ inline Quad<T> gradient_at(const Block<T>& block, const RowDeltas<T, kN>& deltas,
                                      const Values<T>& examples, int /*bias*/, int column) {
  return tile_gradient<kN>(deltas.of, examples, column, block.lane);
}
template <int kN, class T>
__device__ inline Quad<T> gradient_at(const Block<T>& block, const RowDeltas<T, kN>& deltas,
                                      const Pixels<T>& examples, int bias, int column) {
  Quad<T> g = tile_gradient<kN>(deltas.of, examples, column, block.lane);
  const Inputs<T>& inputs = block.args.of.inputs;
  ENSYN_UNROLL
  for (int j = 0; j < 2; ++j) {
    const bool is_bias = column + 2 * block.lane.t + j == bias;
    const T scale = is_bias ? T(0) : inputs.scale, shift = is_bias ? T(1) : inputs.shift;
    ENSYN_UNROLL
    for (int i = 0; i < 2; ++i) g.of[i][j] = detail::fused(g.of[i][j], scale, deltas.sums[i] * shift);
  }
  return g;
}

/// The forward product of one tile, drawn anew.
template <int kN, class T, class Examples>
__device__ inline void draw_and_multiply(const Four<T> (&field)[kOwnPhiFields], const Quad<T>& xi,
                                         const Examples& examples, int column, const Lane& lane,
                                         T (&sums)[kN][4], T (&/*noise_sums*/)[1][4]) {
  add_forward<kN>(sums, forward_operand(draw_own(field[0], field[3], xi)), examples, column, lane);
}
template <int kN, class T, class Examples>
__device__ inline void draw_and_multiply(const Four<T> (&field)[kSharedPhiFields], const Quad<T>& xi,
                                         const Examples& examples, int column, const Lane& lane,
                                         T (&sums)[kN][4], T (&noise_sums)[kN][4]) {
  add_forward<kN>(sums, forward_operand(as_quad(field[0])), examples, column, lane);
  add_forward<kN>(noise_sums, forward_operand(xi), examples, column, lane);
}

/// One row of tiles of layer l, the warp's part: updates its tiles and adds the products of the new weights.
template <int kN, class T, int kFields, class Examples, int kNoise>
__device__ inline void row_of_tiles(const Block<T>& block, Tiles<T, kFields>& tiles, const Pass& pass, int l,
                                    int row_tile, const Sharers& sharers, const Values<T>& gradients,
                                    const Examples& before, const Examples& now, T (&sums)[kN][4],
                                    T (&noise_sums)[kNoise][4]) {
  constexpr bool kShared = kFields == kSharedPhiFields;
  const TiledLayer& tiled = block.layer(l);
  const int columns = tiled.layer.columns, row_quad = row_tile * (kTileRows / 2) + block.lane.g;
  const KeyedNoise next = keyed_noise(block.keys(), block.constants, pass.step, tiled.layer.tensor, 0);
  // Not a copy, for which there are no registers.
  const detail::AdamRates<T>& rates = block.progress().adam;
  const RowDeltas<T, kN> deltas(gradients, pass.update ? block.args.of.batch : 0, row_tile * kTileRows,
                                block.lane);
  for (int tile = sharers.first; tile < tiled.column_tiles; tile += sharers.warps) {
    const int column = tile * kTileColumns, column_quad = tile * (kTileColumns / 2) + block.lane.t;
    Four<T> field[kFields];
    T* at = tiles.take(field);
    if (pass.update) {
      const Quad<T> g = gradient_at<kN>(block, deltas, before, columns - 1, column);
      const TileCosts<T> costs(block.constants);  // not kept, for want of registers
      if constexpr (kShared) {
        update_mu_alone(field, g, costs, rates);
      } else {
        const KeyedNoise drawn{next.keys, next.quad_high, next.step_and_stream - 1};
        update_own(field, g, normals_at<T>(drawn, row_quad, column_quad, columns), costs, rates);
      }
      ENSYN_UNROLL
      for (int f = 0; f < kFields; ++f) four_at(at + f * kTileElements) = field[f];
    }
    tiles.done();
    if (pass.forward) {
      draw_and_multiply<kN>(field, normals_at<T>(next, row_quad, column_quad, columns), now, column,
                            block.lane, sums, noise_sums);
    }
  }
}

/// The pass through layer l, whose inputs were `before` at the last step and are `now`.
template <int kN, class T, int kFields, class Examples>
__device__ inline void pass_layer(const Block<T>& block, Tiles<T, kFields>& tiles, const Pass& pass, int l,
                                  const Examples& before, const Examples& now) {
  constexpr bool kShared = kFields == kSharedPhiFields;
  const TiledLayer& tiled = block.layer(l);
  const Sharers sharers = sharers_of(block, l);
  T* outputs = block.outputs(l, pass.parity);
  const Values<T> gradients{outputs, block.args.shape.output_stride[l]};
  for (int first = 0; first < tiled.row_tiles; first += sharers.at_a_time) {
    T sums[kN][4] = {}, noise_sums[kShared ? kN : 1][4] = {};
    const int row_tile = first + sharers.row;
    if (row_tile < tiled.row_tiles)
      row_of_tiles<kN>(block, tiles, pass, l, row_tile, sharers, gradients, before, now, sums, noise_sums);
    if (!pass.forward) continue;
    store_sums<T, kN>(block, sums, 0);
    if constexpr (kShared) store_sums<T, kN>(block, noise_sums, 1);
    __syncthreads();
    finish_rows<T, kN, kShared, Examples::kExact>(block, l, sharers, first, outputs);
    __syncthreads();
  }
}

/// The quad of the tiles' outputs 2 t, 2 t + 1 and inputs 2 g, 2 g + 1, from 8 outputs and 16 inputs on,
/// drawn again; 0 where there is no tile.
template <class T, int kFields>
__device__ inline Quad<T> draw_transposed(const Block<T>& block, const TiledLayer& tiled,
                                          const KeyedNoise& source, int eight, int sixteen) {
  const Lane& lane = block.lane;
  const int column_tile = 2 * sixteen + lane.g / 4;
  if (column_tile >= tiled.column_tiles) return {};
  const int owner = 4 * (4 * (eight % 2) + lane.t) + lane.g % 4;
  const std::int64_t tile = tiled.first_tile + eight / 2 * tiled.column_tiles + column_tile;
  const T* from = block.state + tile * (kFields * kTileElements) + 4 * owner;
  const Quad<T> xi = normals_at<T>(source, 4 * eight + lane.t, 8 * sixteen + lane.g, tiled.layer.columns);
  if constexpr (kFields == kSharedPhiFields) {
    const int row = 8 * eight + 2 * lane.t, last = tiled.layer.rows - 1;
    const T* sigmas = block.part(block.args.shape.sigmas) + tiled.first_row;
    return draw_shared(four_at(from), {sigmas[min(row, last)], sigmas[min(row + 1, last)]}, xi);
  } else {
    return draw_own(four_at(from), four_at(from + 3 * kTileElements), xi);
  }
}

/// From the gradients in the outputs of layer l to those of the layer below.
template <int kN, int kFields, class T>
__device__ inline void backward_layer(const Block<T>& block, const Pass& pass, int l) {
  const TiledLayer &tiled = block.layer(l), &below = block.layer(l - 1);
  const Sharers sharers(block.args.shape.backward_rows[l], Shift{block.args.shape.backward_shift[l]},
                        block.warp);
  const Values<T> deltas{block.outputs(l, pass.parity ^ 1), block.args.shape.output_stride[l]};
  const T* activations = block.outputs(l - 1, pass.parity);
  T* outputs = block.outputs(l - 1, pass.parity ^ 1);
  const int batch = block.args.of.batch, stride = block.args.shape.output_stride[l - 1];
  const KeyedNoise source = keyed_noise(block.keys(), block.constants, pass.step, tiled.layer.tensor, 0);
  for (int first = 0; first < below.row_tiles; first += sharers.at_a_time) {
    T sums[kN][4] = {};
    const int sixteen = first + sharers.row;
    if (sixteen < below.row_tiles) {
      for (int eight = sharers.first; eight < 2 * tiled.row_tiles; eight += sharers.warps) {
        const Quad<T> w = draw_transposed<T, kFields>(block, tiled, source, eight, sixteen);
        add_forward<kN>(sums, backward_operand(w), deltas, 8 * eight, block.lane);
      }
    }
    store_sums<T, kN>(block, sums, 0);
    __syncthreads();
    const int rows = min(sharers.at_a_time, below.row_tiles - first);
    for (int i = block.thread; i < rows * batch * kTileRows; i += block.threads()) {
      const int input = i % kTileRows, b = i / kTileRows % batch, row = i / kTileRows / batch;
      const int k = (first + row) * kTileRows + input;
      T value = 0;
      if (k < below.layer.rows && detail::less(T(0), activations[b * stride + k]))
        value = total_of<kN>(block.part(block.args.shape.sums), sharers, row, b, input);
      outputs[b * stride + k] = value;
    }
    __syncthreads();
  }
}

/// The gradient in sigma of each row, then every shared phi and the sigmas that follow.
template <class T>
__device__ inline void update_sigmas(const Block<T>& block, int parity) {
  const Tiling& tiling = block.args.of.tiling;
  T* row_sums = block.part(block.args.shape.row_sums);
  const T* noise = block.part(block.args.shape.noise_sums);
  for (int l = 0; l < tiling.layer_count; ++l) {
    const T* deltas = block.outputs(l, parity ^ 1);
    for (int r = block.thread; r < tiling.layers[l].layer.rows; r += block.threads()) {
      const int of_all = tiling.layers[l].first_row + r;
      T sum = 0;
      for (int b = 0; b < block.args.of.batch; ++b) {
        sum = detail::fused(deltas[b * block.args.shape.output_stride[l] + r],
                            noise[b * tiling.rows + of_all], sum);
      }
      row_sums[of_all] = sum;
    }
  }
  __syncthreads();
  update_shared_phis(block.args.of, block.constants, block.phis(), row_sums, block.progress().adam,
                     block.thread, block.args.shape.warps);
  __syncthreads();
  sigmas_of(tiling, block.constants, block.phis(), block.part(block.args.shape.sigmas), block.thread,
            block.threads());
}

/// Everything 0 but what stands beside examples and activations for good: inputs of biases, and the examples
/// that accompany pixels.
template <class T>
__device__ inline void clear_shared(const Block<T>& block, bool pixels) {
  const StreamedShape& shape = block.args.shape;
  auto* words = block.template part<unsigned>(shape.inputs);
  // What lies before is written before it is read.
  const unsigned count = (shape.shared_bytes - shape.inputs.at) / 4;
  for (unsigned i = static_cast<unsigned>(block.thread); i < count;
       i += static_cast<unsigned>(block.threads()))
    words[i] = 0;
  __syncthreads();
  const Tiling& tiling = block.args.of.tiling;
  const int batch = block.args.of.batch, features = tiling.layers[0].layer.columns - 1;
  for (int which = 0; which < 2; ++which) {
    if (pixels) {
      auto* at = block.template part<std::uint8_t>(shape.inputs, which);
      for (int i = block.thread; i < features; i += block.threads()) at[batch * shape.input_stride + i] = 1;
      if (block.thread == 0) at[(batch + 1) * shape.input_stride + features] = 1;
    } else {
      T* at = block.part(shape.inputs, which);
      for (int b = block.thread; b < batch; b += block.threads()) at[b * shape.input_stride + features] = 1;
    }
    for (int l = 0; l + 1 < tiling.layer_count; ++l) {
      for (int b = block.thread; b < batch; b += block.threads())
        block.outputs(l, which)[b * shape.output_stride[l] + tiling.layers[l].layer.rows] = 1;
    }
  }
}

/// The network's steps. Examples: Pixels or Values.
template <int kN, int kFields, class Examples, class Element, class T>
__device__ inline void train(const Block<T>& block) {
  constexpr bool kShared = kFields == kSharedPhiFields;
  const TiledTraining<T>& of = block.args.of;
  const StreamedShape& shape = block.args.shape;
  const int threads = block.threads(), last = of.tiling.layer_count - 1;
  const int features = of.tiling.layers[0].layer.columns - 1;
  clear_shared(block, Examples::kExact);
  __syncthreads();
  if (block.thread == 0) block.progress() = of.progress[block.network];
  prepare_keys(block.constants.seed, block.template part<unsigned>(shape.keys), block.thread);
  if constexpr (kShared)
    sigmas_of(of.tiling, block.constants, block.phis(), block.part(shape.sigmas), block.thread, threads);
  __syncthreads();
  const std::uint64_t first = block.progress().step;
  stage_inputs(block.minibatch(first), block.template part<Element>(shape.inputs), shape.input_stride,
               features, block.thread, threads);
  Tiles<T, kFields> tiles(block, of.steps + 1);
  __syncthreads();
  for (std::uint64_t i = 0; i <= of.steps; ++i) {
    const auto parity = static_cast<int>(i % 2);
    const Pass pass{first + i, i > 0, i < of.steps, parity};
    const Examples before{block.template part<Element>(shape.inputs, parity ^ 1), shape.input_stride};
    const Examples now{block.template part<Element>(shape.inputs, parity), shape.input_stride};
    pass_layer<kN>(block, tiles, pass, 0, before, now);
    // The next minibatch replaces the last.
    if (i + 1 < of.steps)
      stage_inputs(block.minibatch(pass.step + 1), block.template part<Element>(shape.inputs, parity ^ 1),
                   shape.input_stride, features, block.thread, threads);
    for (int l = 1; l <= last; ++l) {
      pass_layer<kN>(block, tiles, pass, l,
                     Values<T>{block.outputs(l - 1, parity ^ 1), shape.output_stride[l - 1]},
                     Values<T>{block.outputs(l - 1, parity), shape.output_stride[l - 1]});
    }
    if (!pass.forward) break;
    T* losses = block.part(shape.losses);
    auto* correct = block.template part<std::uint8_t>(shape.correct);
    loss_of(block.minibatch(pass.step), block.outputs(last, 0), shape.output_stride[last],
            of.tiling.layers[last].layer.rows, losses, correct, block.thread, shape.warps);
    // No warp reads the rates before the next pass, or the next barrier.
    if (block.thread == threads - 1) block.progress().adam = rates_of(block.constants, pass.step);
    __syncthreads();
    if (block.thread == 0) add_losses(block.progress(), pass.step, losses, correct, of.batch);
    for (int l = last; l >= 1; --l) backward_layer<kN, kFields>(block, pass, l);
    if constexpr (kShared) update_sigmas(block, parity);
    __syncthreads();
  }
  __syncthreads();
  if (block.thread == 0) {
    NetworkProgress<T>& progress = block.progress();
    progress.step = first + of.steps;
    progress.adam = rates_of(block.constants, progress.step);
    of.progress[block.network] = progress;
  }
}

template <class T, int kN, int kFields, bool kPixels>
__global__ void __launch_bounds__(most_threads<T, kN>(), 1)
    streamed_training_kernel(const __grid_constant__ StreamedTraining<T> args) {
#if ENSYN_WHOLE_NETWORKS
  const int network = args.of.members[blockIdx.x], thread = static_cast<int>(threadIdx.x);
  const Block<T> block{args,
                       args.of.constants[network],
                       block_shared_bytes(args.shape.shared_bytes),
                       args.of.state + args.of.state_offsets[network],
                       network,
                       thread,
                       thread / 32,
                       own_lane()};
  if constexpr (kPixels) {
    train<kN, kFields, Pixels<T>, std::uint8_t>(block);
  } else {
    train<kN, kFields, Values<T>, T>(block);
  }
#endif
}

template <class T, int kN>
void launch_kind(const StreamedTraining<T>& args, cudaStream_t stream) {
  const bool pixels = args.of.inputs.bytes != nullptr;
  const auto own = pixels ? streamed_training_kernel<T, kN, kOwnPhiFields, true>
                          : streamed_training_kernel<T, kN, kOwnPhiFields, false>;
  const auto shared = pixels ? streamed_training_kernel<T, kN, kSharedPhiFields, true>
                             : streamed_training_kernel<T, kN, kSharedPhiFields, false>;
  launch("streamed_training", args.of.own_phi ? own : shared, streamed_training_shape(args), stream, args);
}

}  // namespace

template <class T>
LaunchShape streamed_training_shape(const StreamedTraining<T>& args) {
  LaunchShape shape;
  shape.grid.x = static_cast<unsigned>(args.of.networks);
  shape.block.x = static_cast<unsigned>(32 * args.shape.warps);
  shape.shared_bytes = args.shape.shared_bytes;
  return shape;
}

template <class T>
void streamed_training(const StreamedTraining<T>& args, cudaStream_t stream) {
  if (args.shape.example_tiles == 3) return launch_kind<T, 3>(args, stream);
  if constexpr (sizeof(T) == sizeof(float)) {
    if (args.shape.example_tiles == 5) return launch_kind<T, 5>(args, stream);
  }
  throw ConfigError("streamed_training has no kernel for " + std::to_string(args.shape.example_tiles) +
                    " eights of examples: take 3, or 5 in single precision");
}

template LaunchShape streamed_training_shape(const StreamedTraining<float>&);
template LaunchShape streamed_training_shape(const StreamedTraining<double>&);
template void streamed_training(const StreamedTraining<float>&, cudaStream_t);
template void streamed_training(const StreamedTraining<double>&, cudaStream_t);

}  // namespace ensyn::kernels
