/// \file
/// A network's parameters in tiles, and what the kernels that train whole networks take
/// (streamed_training.h, resident_training.h).
///
/// A tile is 16 outputs x 8 inputs of one layer. It holds, one after the other, mu with its first and second
/// moment and, unless weights share a phi, phi with its own: each 32 quads (tile_product.h), the four
/// elements of the quad of lane 0 first. So a warp reads and writes whole lines, a lane what it alone owns.
/// Tiles follow one another by row of tiles, layer by layer; elements outside a layer are padding.
#pragma once

#include <cstdint>

#include "kernels/base/launch_shape.h"
#include "kernels/base/network.h"

namespace ensyn::kernels {

/// Whether code is made for the architecture that is compiled for. Others either lack tensor cores for these
/// numbers (before 8.0) or have shared memory for small networks only (8.6, 8.9, 12.0): they are not worth
/// the time that compilation takes.
[[nodiscard]] constexpr bool trains_whole_networks(int major, int minor) {
  return minor == 0 && major >= 8 && major <= 10;
}
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ == 800 || __CUDA_ARCH__ == 900 || __CUDA_ARCH__ == 1000
#  define ENSYN_WHOLE_NETWORKS 1
#else
#  define ENSYN_WHOLE_NETWORKS 0
#endif

#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ == 900 || __CUDA_ARCH__ == 1000
#  define ENSYN_CLUSTERS 1
#else
#  define ENSYN_CLUSTERS 0
#endif

inline constexpr int kTileRows = 16, kTileColumns = 8, kTileElements = kTileRows * kTileColumns;
inline constexpr int kMaxTiledLayers = 8;
/// Arrays of a tile where each weight has its phi, and where phi is shared.
inline constexpr int kOwnPhiFields = 6, kSharedPhiFields = 3;

struct TiledLayer {
  Layer layer;
  int row_tiles = 0, column_tiles = 0;
  int first_tile = 0;  ///< of the network
  int first_row = 0;   ///< of all the network's rows
};

/// The networks' shape, in tiles.
struct Tiling {
  TiledLayer layers[kMaxTiledLayers];
  int layer_count = 0;
  int tiles = 0;  ///< of a network
  int rows = 0;   ///< of all layers
};

/// \pre at most kMaxTiledLayers layers
[[nodiscard]] Tiling tiling_of(const Layer* layers, int count);

/// How many rows of tiles a block works on at a time, a power of two, each shared by warps / this many warps,
/// so that `rows` x `columns` tiles take least time. \pre `warps` is a power of two
[[nodiscard]] int rows_at_a_time(int rows, int columns, int warps);

/// Elements of a network's state.
[[nodiscard]] constexpr std::int64_t tiled_elements(const Tiling& tiling, bool own_phi) {
  return static_cast<std::int64_t>(tiling.tiles) * kTileElements *
         (own_phi ? kOwnPhiFields : kSharedPhiFields);
}

/// What a kernel that trains whole networks takes. Networks are independent of one another.
template <class T>
struct TiledTraining {
  int networks = 0;              ///< to train
  const int* members = nullptr;  ///< which
  bool own_phi = true;           ///< whether each of their weights has its phi; else groups share one
  const NetworkConstants<T>* constants = nullptr;
  NetworkProgress<T>* progress = nullptr;
  T* shared_phi = nullptr;           ///< as in Networks
  const PhiGroup* groups = nullptr;  ///< of each kind of noise
  Tiling tiling;
  T* state = nullptr;                           ///< tiles of all networks
  const std::int64_t* state_offsets = nullptr;  ///< where each network's begin, in elements

  Inputs<T> inputs;  ///< of the first layer: a data set
  const std::uint8_t* labels = nullptr;
  const float* targets = nullptr;              ///< instead of labels, for the gaussian likelihood
  T inverse_variance = 0, error_constant = 0;  ///< of that likelihood (squared_error.h)
  int batch = 0;
  std::uint64_t steps = 0;  ///< to run
};

}  // namespace ensyn::kernels
