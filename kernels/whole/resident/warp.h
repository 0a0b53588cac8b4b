/// \file
/// A warp's tiles with their noise (resident_training.cu).
#pragma once

#include "kernels/whole/resident/block.h"

namespace ensyn::kernels::resident {

// Device code: elsewhere the compiler does not know clusters.
#if ENSYN_CLUSTERS

/// The noise of a tile at some step.
__device__ inline Quad<float> noise_of(const Block& block, const OwnTile& tile, std::uint64_t step) {
  const Layer& layer = block.layer(tile.layer()).layer;
  return normals_at<float>(keyed_noise(block.keys(), block.constants, step, layer.tensor, 0),
                           tile.row() * (kTileRows / 2) + block.lane.g,
                           tile.column() * (kTileColumns / 2) + block.lane.t, layer.columns);
}

/// A warp's tiles with their noise. Where each weight has its phi, noise is needed from the forward pass to
/// the update and is held in registers, that of the coming step beside it.
template <int kFields>
class Warp {
 public:
  static constexpr int kTiles = kMostTilesOfWarp;

  __device__ explicit Warp(const Block& block) {
    int l = 0;
    Run run(block, 0);
    int i = run.first_of(block.warp), end = run.first_of(block.warp + 1);
    ENSYN_UNROLL
    for (int q = 0; q < kTiles; ++q) {
      while (i >= end && l + 1 < block.layers()) {
        run = Run(block, ++l);
        i = run.first_of(block.warp), end = run.first_of(block.warp + 1);
      }
      tiles_[q] = {};
      if (i >= end) continue;
      const int tile = run.first + i++, columns = block.layer(l).column_tiles;
      tiles_[q] = OwnTile(l, tile / columns, tile % columns);
    }
  }

  /// Calls visit(number of the tile in the warp, tile) for the warp's tiles of layer l.
  template <class Visit>
  __device__ void for_tiles(const Block& /*block*/, int l, const Visit& visit) {
    ENSYN_UNROLL
    for (int q = 0; q < kTiles; ++q) {
      tiles_[q].forget();
      if (tiles_[q].layer() == l) visit(q, tiles_[q]);
    }
  }
  /// Draws the noise of `step` for tiles [first, end) of the warp's.
  __device__ void draw(const Block& block, std::uint64_t step, int first, int end) {
    ENSYN_UNROLL
    for (int q = 0; q < kTiles; ++q) {
      tiles_[q].forget();
      if (q < first || q >= end || !tiles_[q].there()) continue;
      next_[q] = noise_of(block, tiles_[q], step);
    }
  }
  /// Of the step that is drawn for, and of the last.
  [[nodiscard]] __device__ Quad<float> next(const Block& /*block*/, int q, int /*number*/) const {
    return next_[q];
  }
  [[nodiscard]] __device__ const Quad<float>& last(int q) const { return last_[q]; }
  /// A tile's next noise becomes its last.
  __device__ void advance(int q) { last_[q] = next_[q]; }

 private:
  OwnTile tiles_[kTiles];
  Quad<float> next_[kTiles], last_[kTiles];
};

/// Where weights share a phi the update needs no noise, so that one place in shared memory does for each
/// tile.
template <>
class Warp<kSharedPhiFields> {
 public:
  static constexpr int kTiles = kMostTilesOfWarp;

  __device__ explicit Warp(const Block& /*block*/) {}

  template <class Visit>
  __device__ void for_tiles(const Block& block, int l, const Visit& visit) {
    const Run run(block, l);
    const int columns = block.layer(l).column_tiles, end = run.first + run.first_of(block.warp + 1);
    int tile = run.first + run.first_of(block.warp), row = tile / columns, column = tile % columns;
    ENSYN_ROLLED
    for (int q = 0; tile < end; ++tile, ++q) {
      visit(q, OwnTile(l, row, column));
      if (++column == columns) column = 0, ++row;
    }
  }
  /// Of the first layer: the other tiles' noise is needed until they are updated, and is drawn then.
  __device__ void draw(const Block& block, std::uint64_t step, int first, int end) {
    for_tiles(block, 0, [&](int q, const OwnTile& tile) {
      if (q >= first && q < end)
        drawn_at<kSharedPhiFields>(block, tile.number(block), block.thread % 32) =
            as_four(noise_of(block, tile, step));
    });
  }
  [[nodiscard]] __device__ Quad<float> next(const Block& block, int /*q*/, int number) const {
    return as_quad(drawn_at<kSharedPhiFields>(block, number, block.thread % 32));
  }
};

#endif

}  // namespace ensyn::kernels::resident
