// Moves the networks' parameters between rows and tiles, which the kernels that train whole networks keep
// them in while they run. A warp takes a tile, a lane its quad. Runs once for many steps. Determinism: exact.

#include "kernels/whole/tile_state.h"

#include <device/launch.h>

#include "kernels/whole/tile_product.h"

namespace ensyn::kernels {
namespace {

constexpr int kThreads = 256, kTilesOfBlock = kThreads / 32;

/// Calls move(element of the rows, element of the tile, whether it lies inside the layer) for the lane's quad
/// in one array; the element of the rows is null outside.
template <class T, class Move>
__device__ inline void for_quad(const Layer& layer, T* rows, T* tile, int row, int column, const Move& move) {
  ENSYN_UNROLL
  for (int i = 0; i < 2; ++i) {
    ENSYN_UNROLL
    for (int j = 0; j < 2; ++j) {
      const bool inside = row + i < layer.rows && column + j < layer.columns;
      move(inside ? rows + offset_of(layer, row + i, column + j) : nullptr, tile[2 * i + j]);
    }
  }
}

template <class T, bool kToTiles>
__global__ void __launch_bounds__(kThreads) tile_state_kernel(const __grid_constant__ TileState<T> args) {
  const int network = static_cast<int>(blockIdx.y), lane = static_cast<int>(threadIdx.x) % 32;
  const int tile = static_cast<int>(blockIdx.x) * kTilesOfBlock + static_cast<int>(threadIdx.x) / 32;
  if (tile >= args.tiling.tiles) return;
  const bool own_phi = args.constants[network].sharing == Sharing::none;
  const int fields = own_phi ? kOwnPhiFields : kSharedPhiFields;
  T* state = args.state + args.state_offsets[network] +
             static_cast<std::int64_t>(tile) * fields * kTileElements + 4 * lane;
  const TilePlace place = place_of(args.tiling, tile, own_lane());
  const Parameters<T>& parameters = args.layers[place.layer];
  T* const arrays[kOwnPhiFields] = {parameters.mu,  parameters.mu_moment1,  parameters.mu_moment2,
                                    parameters.phi, parameters.phi_moment1, parameters.phi_moment2};
  ENSYN_UNROLL
  for (int f = 0; f < kOwnPhiFields; ++f) {
    if (f >= fields) break;
    T* rows = arrays[f] + network * parameters.network_stride;
    for_quad(args.tiling.layers[place.layer].layer, rows, state + f * kTileElements, place.row, place.column,
             [](T* element, T& in_tile) {
               if constexpr (kToTiles) {
                 in_tile = element != nullptr ? *element : T(0);
               } else if (element != nullptr) {
                 *element = in_tile;
               }
             });
  }
}

}  // namespace

template <class T>
LaunchShape tile_state_shape(const TileState<T>& args) {
  LaunchShape shape;
  shape.grid.x = static_cast<unsigned>(ceil_divide(args.tiling.tiles, kTilesOfBlock));
  shape.grid.y = static_cast<unsigned>(args.networks);
  shape.block.x = kThreads;
  return shape;
}

template <class T>
void to_tiles(const TileState<T>& args, cudaStream_t stream) {
  launch("to_tiles", tile_state_kernel<T, true>, tile_state_shape(args), stream, args);
}
template <class T>
void from_tiles(const TileState<T>& args, cudaStream_t stream) {
  launch("from_tiles", tile_state_kernel<T, false>, tile_state_shape(args), stream, args);
}

template LaunchShape tile_state_shape(const TileState<float>&);
template LaunchShape tile_state_shape(const TileState<double>&);
template void to_tiles(const TileState<float>&, cudaStream_t);
template void to_tiles(const TileState<double>&, cudaStream_t);
template void from_tiles(const TileState<float>&, cudaStream_t);
template void from_tiles(const TileState<double>&, cudaStream_t);

}  // namespace ensyn::kernels
