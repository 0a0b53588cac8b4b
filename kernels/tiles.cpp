#include "kernels/tiles.h"

namespace ensyn::kernels {

Tiling tiling_of(const Layer* layers, int count) {
  Tiling tiling;
  tiling.layer_count = count;
  for (int l = 0; l < count; ++l) {
    TiledLayer& tiled = tiling.layers[l];
    tiled.layer = layers[l];
    tiled.row_tiles = ceil_divide(layers[l].rows, kTileRows);
    tiled.column_tiles = ceil_divide(layers[l].columns, kTileColumns);
    tiled.first_tile = tiling.tiles;
    tiled.first_row = tiling.rows;
    tiling.tiles += tiled.row_tiles * tiled.column_tiles;
    tiling.rows += layers[l].rows;
  }
  return tiling;
}

}  // namespace ensyn::kernels
