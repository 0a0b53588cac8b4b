/// \file
/// Moves the networks' parameters between rows (network.h) and tiles (tiles.h).
#pragma once

#include <cuda_runtime_api.h>

#include "kernels/base/launch_shape.h"
#include "kernels/whole/tiles.h"

namespace ensyn::kernels {

template <class T>
struct TileState {
  int networks = 0;
  const NetworkConstants<T>* constants = nullptr;
  Tiling tiling;
  Parameters<T> layers[kMaxTiledLayers];  ///< phi and its moments may be null where no network has its own
  T* state = nullptr;
  const std::int64_t* state_offsets = nullptr;
};

template <class T>
[[nodiscard]] LaunchShape tile_state_shape(const TileState<T>& args);

/// Rows to tiles; padding becomes 0. \throws DeviceError
template <class T>
void to_tiles(const TileState<T>& args, cudaStream_t stream);
/// Tiles to rows. \throws DeviceError
template <class T>
void from_tiles(const TileState<T>& args, cudaStream_t stream);

}  // namespace ensyn::kernels
