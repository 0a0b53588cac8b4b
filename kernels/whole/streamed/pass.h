/// \file
/// A pass through a layer: the update of one step and the forward product of the next, and the way back
/// (streamed_training.cu).
#pragma once

#include "kernels/whole/streamed/block.h"

namespace ensyn::kernels::streamed {

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

}  // namespace ensyn::kernels::streamed
