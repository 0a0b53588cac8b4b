#include "kernels/whole/tiles.h"

#include <climits>

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

int rows_at_a_time(int rows, int columns, int warps) {
  // What all warps do between two turns counts as two tiles.
  constexpr int kBetween = 2;
  int best = 1, least = INT_MAX;
  for (int at_a_time = 1; at_a_time <= warps; at_a_time *= 2) {
    const int time = ceil_divide(rows, at_a_time) * (ceil_divide(columns, warps / at_a_time) + kBetween);
    if (time < least) least = time, best = at_a_time;
  }
  return best;
}

}  // namespace ensyn::kernels
