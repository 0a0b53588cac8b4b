/// \file
/// What a thread knows of the block that streams its network, and how tiles come to it
/// (streamed_training.cu).
#pragma once

#include <device/async_copy.h>

#include <cstdint>

#include "kernels/whole/streamed/streamed_training.h"
#include "kernels/whole/tile_update.h"
#include "kernels/whole/warp_sums.h"
#include "kernels/whole/whole_network.h"

namespace ensyn::kernels::streamed {

inline constexpr int kSlots = 2;  // of the ring

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

}  // namespace ensyn::kernels::streamed
