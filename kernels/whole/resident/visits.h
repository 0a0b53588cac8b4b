/// \file
/// What a warp does to its tiles: update, draw, multiply (resident_training.cu).
#pragma once

#include <type_traits>

#include "kernels/whole/resident/inputs.h"
#include "kernels/whole/resident/sums.h"
#include "kernels/whole/resident/warp.h"

namespace ensyn::kernels::resident {

// Device code: elsewhere the compiler does not know clusters.
#if ENSYN_CLUSTERS

/// dL/dw of the lane's quad in a tile of the first layer.
template <bool kPixels, class Examples>
__device__ inline Quad<float> first_gradient(const Block& block, const LeftOperand<float> (&deltas)[kN],
                                             const Examples& examples, const OwnTile& tile) {
  Quad<float> g = tile_gradient<kN>(deltas, examples, 0, block.lane);
  if constexpr (!kPixels) return g;
  const Inputs<float>& inputs = block.args.of.inputs;
  const int bias = block.layer(0).layer.columns - 1;
  const float* sums = block.at(block.own().delta_sums[0]) +
                      (tile.row() - block.own().first_row[0]) * kTileRows + 2 * block.lane.g;
  ENSYN_UNROLL
  for (int j = 0; j < 2; ++j) {
    const bool is_bias = tile.column() * kTileColumns + 2 * block.lane.t + j == bias;
    const float scale = is_bias ? 0.0f : inputs.scale, shift = is_bias ? 1.0f : inputs.shift;
    ENSYN_UNROLL
    for (int i = 0; i < 2; ++i) g.of[i][j] = detail::fused(g.of[i][j], scale, sums[i] * shift);
  }
  return g;
}

template <int kFields>
__device__ inline void load_state(const Block& block, int number, Four<float> (&field)[kFields]) {
  ENSYN_UNROLL
  for (int f = 0; f < kFields; ++f) field[f] = state_at(block, number, kFields, f);
}
template <int kFields>
__device__ inline void store_state(const Block& block, int number, const Four<float> (&field)[kFields]) {
  ENSYN_UNROLL
  for (int f = 0; f < kFields; ++f) state_at(block, number, kFields, f) = field[f];
}

/// The lane's weights of tile `number`, the warp's q-th, after a step with gradient g.
template <int kFields>
__device__ inline void update_tile(const Block& block, const Warp<kFields>& warp, int q, int number,
                                   Four<float> (&field)[kFields], const Quad<float>& g,
                                   const TileCosts<float>& costs) {
  if constexpr (kFields == kSharedPhiFields) {
    update_mu_alone(field, g, costs, block.progress().adam);
  } else {
    update_own(field, g, warp.last(q), costs, block.progress().adam);
  }
  store_state(block, number, field);
}

/// The first layer's tiles: the update of the step before, then the product of this one.
template <int kFields, class Element>
__device__ inline void visit_first(const Block& block, Warp<kFields>& warp, bool update, bool forward,
                                   int parity) {
  constexpr bool kShared = kFields == kSharedPhiFields, kPixels = sizeof(Element) == 1;
  using Examples = std::conditional_t<kPixels, Pixels<float>, Values<float>>;
  const StagedInputs<Element> before(block, parity ^ 1), now(block, parity);
  const int examples = sum_examples(block, kPixels);
  const TileCosts<float> costs(block.constants);
  RowSums<kShared> sums;
  LeftOperand<float> deltas[kN];
  warp.for_tiles(block, 0, [&](int q, const OwnTile& tile) {
    if (tile.row() != sums.row) {
      if (forward) close_row(block, 0, sums, examples);
      sums.clear();
      sums.row = tile.row();
      if (update)
        load_deltas<kN>(deltas, block.deltas(0), tile.row() * kTileRows - block.first_delta(0), block.lane);
    }
    const int number = tile.number(block);
    Four<float> field[kFields];
    load_state(block, number, field);
    if (update) {
      const Quad<float> g =
          first_gradient<kPixels>(block, deltas, Examples{before.of(tile.column()), kTileColumns}, tile);
      update_tile(block, warp, q, number, field, g, costs);
    }
    if (!forward) return;
    const Examples x{now.of(tile.column()), kTileColumns};
    const Quad<float> xi = warp.next(block, q, number);
    if constexpr (kShared) {
      add_forward<kN>(sums.of, forward_operand(as_quad(field[0])), x, 0, block.lane);
      add_forward<kN>(sums.noise, forward_operand(xi), x, 0, block.lane);
    } else {
      add_forward<kN>(sums.of, forward_operand(draw_own(field[0], field[3], xi)), x, 0, block.lane);
      warp.advance(q);
    }
  });
  if (forward) close_row(block, 0, sums, examples);
}

/// The tiles behind the first layer: their update, and what `next_step` draws.
template <int kFields>
__device__ inline void visit_behind(const Block& block, Warp<kFields>& warp, bool update, bool draw,
                                    std::uint64_t next_step) {
  constexpr bool kShared = kFields == kSharedPhiFields;
  const TileCosts<float> costs(block.constants);
  ENSYN_ROLLED
  for (int l = 1; l < block.layers(); ++l) {
    if (!block.owns(l)) continue;
    warp.for_tiles(block, l, [&](int q, const OwnTile& tile) {
      const int number = tile.number(block);
      Four<float> field[kFields];
      load_state(block, number, field);
      if (update) {
        LeftOperand<float> deltas[kN];
        load_deltas<kN>(deltas, block.deltas(l), tile.row() * kTileRows - block.first_delta(l), block.lane);
        const Quad<float> g =
            tile_gradient<kN>(deltas, block.activations(l), tile.column() * kTileColumns, block.lane);
        update_tile(block, warp, q, number, field, g, costs);
      }
      if (!draw) return;
      Four<float>& drawn = drawn_at<kFields>(block, number, block.thread % 32);
      if constexpr (kShared) {
        drawn = as_four(noise_of(block, tile, next_step));
      } else {
        warp.advance(q);
        drawn = as_four(draw_own(field[0], field[3], warp.last(q)));
      }
    });
  }
}

/// The product of a layer behind the first.
template <int kFields>
__device__ inline void forward_behind(const Block& block, Warp<kFields>& warp, int l) {
  constexpr bool kShared = kFields == kSharedPhiFields;
  const int examples = sum_examples(block, false);
  RowSums<kShared> sums;
  warp.for_tiles(block, l, [&](int /*q*/, const OwnTile& tile) {
    if (tile.row() != sums.row) {
      close_row(block, l, sums, examples);
      sums.clear();
      sums.row = tile.row();
    }
    const int number = tile.number(block), column = tile.column() * kTileColumns;
    const Quad<float> drawn = as_quad(drawn_at<kFields>(block, number, block.thread % 32));
    if constexpr (kShared) {
      const Quad<float> mu = as_quad(state_at(block, number, kFields, 0));
      add_forward<kN>(sums.of, forward_operand(mu), block.activations(l), column, block.lane);
      add_forward<kN>(sums.noise, forward_operand(drawn), block.activations(l), column, block.lane);
    } else {
      add_forward<kN>(sums.of, forward_operand(drawn), block.activations(l), column, block.lane);
    }
  });
  close_row(block, l, sums, examples);
}

#endif

}  // namespace ensyn::kernels::resident
