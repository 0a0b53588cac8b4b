/// \file
/// What a thread of a cluster knows of its block, and where the block's tiles lie (resident_training.cu).
#pragma once

#include <cooperative_groups.h>

#include <cstdint>

#include "kernels/whole/resident/resident_training.h"
#include "kernels/whole/tile_update.h"
#include "kernels/whole/whole_network.h"

namespace ensyn::kernels::resident {

inline constexpr int kThreads = 32 * kResidentWarps, kN = kResidentExampleTiles;

// Device code: elsewhere the compiler does not know clusters.
#if ENSYN_CLUSTERS

namespace cg = cooperative_groups;

/// What a thread knows of its block and network.
struct Block {
  const ResidentTraining& args;
  const NetworkConstants<float>& constants;
  unsigned char* shared;
  int network, rank, thread, warp;
  Lane lane;

  [[nodiscard]] __device__ const ResidentShape& shape() const { return args.shape; }
  [[nodiscard]] __device__ const ResidentBlock& own() const { return args.shape.blocks[rank]; }
  [[nodiscard]] __device__ const TiledLayer& layer(int l) const { return args.of.tiling.layers[l]; }
  [[nodiscard]] __device__ int layers() const { return args.of.tiling.layer_count; }
  [[nodiscard]] __device__ bool is_last(int l) const { return l + 1 == layers(); }
  [[nodiscard]] __device__ int batch() const { return args.of.batch; }
  [[nodiscard]] __device__ bool owns(int l) const { return own().end_row[l] > own().first_row[l]; }
  template <class Element = float>
  [[nodiscard]] __device__ Element* at(std::uint32_t offset) const {
    return reinterpret_cast<Element*>(shared + offset);
  }
  [[nodiscard]] __device__ const uint4* keys() const { return at<const uint4>(args.shape.keys); }
  [[nodiscard]] __device__ NetworkProgress<float>& progress() const {
    return *at<NetworkProgress<float>>(args.shape.progress);
  }
  [[nodiscard]] __device__ Minibatch<float> minibatch(std::uint64_t step) const {
    return {args.of, network, step};
  }
  /// Gradients in the outputs of layer l: of the own rows, of the last layer of all.
  [[nodiscard]] __device__ Values<float> deltas(int l) const {
    return {at(own().deltas[l]), own().delta_stride[l]};
  }
  [[nodiscard]] __device__ int first_delta(int l) const {
    return is_last(l) ? 0 : own().first_row[l] * kTileRows;
  }
  [[nodiscard]] __device__ Values<float> activations(int l) const {
    return {at(own().activations[l]), args.shape.activation_stride[l]};
  }
};

/// The block's tiles of a layer: [first, end) of the layer's.
struct Run {
  int first, end;
  __device__ Run(const Block& block, int l)
      : first(max(block.own().first_tile - block.layer(l).first_tile, 0)),
        end(min(block.own().end_tile - block.layer(l).first_tile,
                block.layer(l).row_tiles * block.layer(l).column_tiles)) {
    end = max(end, first);
  }
  [[nodiscard]] __device__ int tiles() const { return end - first; }
  /// Warps that own tiles of the run, the first ones: each at least one.
  [[nodiscard]] __device__ int warps() const { return min(kResidentWarps, tiles()); }
  /// The warp's tiles, of the run, begin here.
  [[nodiscard]] __device__ int first_of(int warp) const {
    return warp < warps() ? warp * tiles() / warps() : tiles();
  }
  /// Which warp owns tile `i` of the run.
  [[nodiscard]] __device__ int warp_of(int i) const { return ((i + 1) * warps() - 1) / tiles(); }
};

/// A tile that a warp owns. Packed, since a warp keeps those of a whole run in registers.
class OwnTile {
 public:
  OwnTile() = default;
  __device__ OwnTile(int layer, int row, int column) : packed_(layer << 24 | row << 16 | column) {}
  [[nodiscard]] __device__ bool there() const { return packed_ >= 0; }
  /// Hides from the compiler that this stays the same from step to step: it would keep all that follows from
  /// it in registers, of which there are too few.
  __device__ void forget() { asm volatile("" : "+r"(packed_)); }
  /// Negative where there is none.
  [[nodiscard]] __device__ int layer() const { return packed_ >> 24; }
  [[nodiscard]] __device__ int row() const { return packed_ >> 16 & 0xFF; }
  [[nodiscard]] __device__ int column() const { return packed_ & 0xFFFF; }
  /// Of the block's tiles.
  [[nodiscard]] __device__ int number(const Block& block) const {
    const TiledLayer& of = block.layer(layer());
    return of.first_tile + row() * of.column_tiles + column() - block.own().first_tile;
  }

 private:
  int packed_ = -1;
};

/// One array of a tile: of all lanes.
__device__ inline Four<float>& state_at(const Block& block, int number, int fields, int field) {
  return block.at<Four<float>>(block.own().state)[(number * fields + field) * 32 + block.thread % 32];
}
/// What was drawn for a tile, of some lane: w of those behind the first layer, or xi of all where weights
/// share a phi.
template <int kFields>
__device__ inline Four<float>& drawn_at(const Block& block, int number, int lane) {
  const int first = kFields == kSharedPhiFields ? 0 : Run(block, 0).tiles();
  return block.at<Four<float>>(block.own().drawn)[(number - first) * 32 + lane];
}
__device__ inline Four<float> as_four(const Quad<float>& of) {
  return {{of.of[0][0], of.of[0][1], of.of[1][0], of.of[1][1]}};
}

__device__ inline std::size_t size_of(const Tiling& tiling, int l, int splits, int batch) {
  return static_cast<std::size_t>(tiling.layers[l].row_tiles * splits * batch * kTileRows);
}

#endif

}  // namespace ensyn::kernels::resident
