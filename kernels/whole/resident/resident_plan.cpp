// How a cluster holds a network: a pure function of the network's shape and of what a block may have.

#include <algorithm>
#include <climits>
#include <vector>

#include "kernels/whole/resident/resident_training.h"

namespace ensyn::kernels {
namespace {

constexpr std::size_t kElement = sizeof(float);
constexpr int kExamples = 8 * kResidentExampleTiles;

/// Tiles of a layer that a block owns, and the rows that they lie in, as [first, end).
struct Part {
  int first = 0, end = 0, first_row = 0, end_row = 0;
  [[nodiscard]] int tiles() const { return end - first; }
  [[nodiscard]] int rows() const { return end_row - first_row; }
};

Part part_of(const Tiling& tiling, const ResidentBlock& block, int l) {
  const TiledLayer& layer = tiling.layers[l];
  Part part;
  part.first = std::max(block.first_tile, layer.first_tile) - layer.first_tile;
  part.end =
      std::min(block.end_tile, layer.first_tile + layer.row_tiles * layer.column_tiles) - layer.first_tile;
  if (part.end <= part.first) return {};
  part.first_row = part.first / layer.column_tiles;
  part.end_row = (part.end - 1) / layer.column_tiles + 1;
  return part;
}

/// Tiles [first, end) to `blocks` blocks from number `at` on, as evenly as can be.
void deal(ResidentShape& shape, int at, int blocks, int first, int end) {
  for (int b = 0; b < blocks; ++b) {
    shape.blocks[at + b].first_tile = first + (end - first) * b / blocks;
    shape.blocks[at + b].end_tile = first + (end - first) * (b + 1) / blocks;
  }
}

/// Who shares what.
void find_owners(const Tiling& tiling, ResidentShape& shape) {
  int row_tile = 0;
  shape.most_splits = 1;
  for (int l = 0; l < tiling.layer_count; ++l) {
    const TiledLayer& layer = tiling.layers[l];
    shape.first_row_tile[l] = row_tile;
    shape.row_splits[l] = 0;
    shape.first_owner[l] = INT_MAX;
    for (int c = 0; c < shape.cluster; ++c) {
      const Part part = part_of(tiling, shape.blocks[c], l);
      shape.blocks[c].first_row[l] = part.first_row, shape.blocks[c].end_row[l] = part.end_row;
      if (part.tiles() == 0) continue;
      shape.first_owner[l] = std::min(shape.first_owner[l], c);
      shape.last_owner[l] = c;
    }
    for (int row = 0; row < layer.row_tiles; ++row, ++row_tile) {
      int first = -1, count = 0;
      for (int c = 0; c < shape.cluster; ++c) {
        const Part part = part_of(tiling, shape.blocks[c], l);
        if (part.tiles() == 0 || row < part.first_row || row >= part.end_row) continue;
        if (first < 0) first = c;
        ++count;
      }
      shape.row_first[row_tile] = static_cast<std::uint8_t>(first);
      shape.row_blocks[row_tile] = static_cast<std::uint8_t>(count);
      shape.row_splits[l] = std::max(shape.row_splits[l], count);
    }
    shape.most_splits = std::max(shape.most_splits, shape.row_splits[l]);
    if (l > 0) shape.activation_stride[l] = conflict_free_stride(layer.layer.columns);
  }
}

/// Elements of a row of tiles, of all examples of the minibatch.
std::size_t row_elements(const ResidentProblem& problem) {
  return static_cast<std::size_t>(problem.batch) * kTileRows;
}

/// Places what only some blocks have.
std::size_t place_block(const ResidentProblem& problem, ResidentShape& shape, int c, SharedRoom room) {
  const Tiling& tiling = problem.tiling;
  ResidentBlock& block = shape.blocks[c];
  const auto tiles = static_cast<std::size_t>(block.end_tile - block.first_tile);
  const std::size_t tile = kTileElements * kElement;
  const std::size_t kinds = problem.own_phi ? 1 : 2;
  block.state = room.take(tiles * tile * (problem.own_phi ? kOwnPhiFields : kSharedPhiFields)).at;
  const Part inputs = part_of(tiling, block, 0);
  const int columns = std::min(inputs.tiles(), tiling.layers[0].column_tiles);
  const SharedPart staged = room.take(
      static_cast<std::size_t>(columns * kExamples * kTileColumns) * (problem.pixels ? 1 : kElement), 2);
  block.inputs = staged.at, block.input_bytes = staged.bytes;
  const auto first_tiles = static_cast<std::size_t>(inputs.tiles());
  block.drawn = room.take((problem.own_phi ? tiles - first_tiles : tiles) * tile).at;
  int slots = 0;
  for (int l = 0; l < tiling.layer_count; ++l) {
    const Part part = part_of(tiling, block, l);
    const bool last = l + 1 == tiling.layer_count;
    const bool has_outputs = last ? part.tiles() > 0 : part_of(tiling, block, l + 1).tiles() > 0;
    const TiledLayer& layer = tiling.layers[l];
    if (has_outputs) {
      block.output_parts[l] = room.take(static_cast<std::size_t>(layer.row_tiles * shape.row_splits[l]) *
                                        row_elements(problem) * kElement * kinds)
                                  .at;
    }
    if (part.tiles() == 0) continue;
    slots = std::max(slots, kResidentWarps + part.rows() - 1);
    if (l > 0) {
      block.activations[l] =
          room.take(static_cast<std::size_t>(kExamples * shape.activation_stride[l]) * kElement).at;
    }
    block.delta_stride[l] = conflict_free_stride((last ? layer.row_tiles : part.rows()) * kTileRows);
    block.deltas[l] = room.take(static_cast<std::size_t>(kExamples * block.delta_stride[l]) * kElement).at;
    const auto own_rows = static_cast<std::size_t>(part.rows());
    if (l == 0) block.delta_sums[l] = room.take(own_rows * kTileRows * kElement).at;
    if (!last) {
      const auto from = static_cast<std::size_t>(shape.last_owner[l + 1] - shape.first_owner[l + 1] + 1);
      block.delta_parts[l] = room.take(own_rows * from * row_elements(problem) * kElement).at;
    }
    if (!problem.own_phi) block.kept_noise[l] = room.take(own_rows * row_elements(problem) * kElement).at;
  }
  const int examples = inputs.tiles() > 0 && problem.pixels ? problem.batch + 2 : problem.batch;
  block.sums = room.take(static_cast<std::size_t>(slots * examples * kSumStride) * kElement * kinds).at;
  return room.used();
}

void place(const ResidentProblem& problem, ResidentShape& shape) {
  SharedRoom common;
  const auto rows = static_cast<std::size_t>(problem.own_phi ? 0 : problem.tiling.rows);
  const auto batch = static_cast<std::size_t>(problem.batch);
  shape.row_sums = common.take(rows * static_cast<std::size_t>(shape.most_splits) * kElement).at;
  shape.sigmas = common.take(rows * kElement).at;
  shape.phis =
      common.take(problem.own_phi ? 0 : 3 * static_cast<std::size_t>(problem.most_groups) * kElement).at;
  shape.losses = common.take(batch * kElement).at;
  shape.correct = common.take(batch).at;
  shape.progress = common.take(sizeof(NetworkProgress<float>)).at;
  shape.network = common.take(sizeof(int)).at;
  shape.keys = common.take(2 * 10 * sizeof(std::uint32_t)).at;
  std::size_t most = 0;
  for (int c = 0; c < shape.cluster; ++c) most = std::max(most, place_block(problem, shape, c, common));
  shape.shared_bytes = static_cast<std::uint32_t>(std::min<std::size_t>(most, UINT32_MAX));
}

/// Most tiles of a warp in any block.
int most_tiles(const Tiling& tiling, const ResidentShape& shape) {
  int most = 0;
  for (int c = 0; c < shape.cluster; ++c) {
    for (int w = 0; w < kResidentWarps; ++w) {
      int tiles = 0;
      for (int l = 0; l < tiling.layer_count; ++l) {
        const int count = part_of(tiling, shape.blocks[c], l).tiles();
        const int warps = std::min(kResidentWarps, count);
        if (w < warps) tiles += (w + 1) * count / warps - w * count / warps;
      }
      most = std::max(most, tiles);
    }
  }
  return most;
}

/// A way to share the tiles among `cluster` blocks, of which the last `behind` own those behind the first
/// layer, and them alone; 0 where all own a part of everything. Time: what the slowest warp has to do.
struct Trial {
  ResidentShape shape;
  int time = INT_MAX;
};
Trial trial(const ResidentProblem& problem, int cluster, int behind) {
  const Tiling& tiling = problem.tiling;
  Trial result;
  ResidentShape& shape = result.shape;
  shape.cluster = cluster;
  const int first = behind == 0 ? tiling.tiles : tiling.layers[1].first_tile;
  if (first < cluster - behind || tiling.tiles - first < behind) return result;
  deal(shape, 0, cluster - behind, 0, first);
  deal(shape, cluster - behind, behind, first, tiling.tiles);
  find_owners(tiling, shape);
  place(problem, shape);
  const int tiles = most_tiles(tiling, shape);
  if (tiles <= kMostTilesOfWarp && shape.shared_bytes <= problem.shared_limit) result.time = tiles;
  return result;
}

}  // namespace

ResidentPlan resident_plan(const ResidentProblem& problem) {
  ResidentPlan plan;
  const Tiling& tiling = problem.tiling;
  int row_tiles = 0;
  for (int l = 0; l < tiling.layer_count; ++l) row_tiles += tiling.layers[l].row_tiles;
  if (tiling.layer_count > kMaxResidentLayers || row_tiles > kMostRowTiles) {
    plan.problem = "a cluster takes " + std::to_string(kMaxResidentLayers) + " layers and " +
                   std::to_string(kMostRowTiles * kTileRows) + " neurons at most";
    return plan;
  }
  const int most = kExamples - (problem.pixels ? 2 : 0);
  if (problem.batch > most) {
    plan.problem = "minibatches of " + std::to_string(problem.batch) +
                   " examples, of which a cluster takes " + std::to_string(most) + " at most";
    return plan;
  }
  for (int cluster = 1; cluster <= problem.most_cluster; cluster *= 2) {
    Trial best;
    for (int behind = 0; behind < (tiling.layer_count > 1 ? cluster : 1); ++behind) {
      const Trial next = trial(problem, cluster, behind);
      if (next.time < best.time) best = next;
    }
    if (best.time == INT_MAX) continue;
    plan.shape = best.shape;
    return plan;
  }
  plan.problem =
      "no cluster of up to " + std::to_string(problem.most_cluster) + " blocks holds " +
      std::to_string(tiled_elements(tiling, problem.own_phi) * static_cast<std::int64_t>(kElement)) +
      " bytes of parameters and what belongs to them";
  return plan;
}

}  // namespace ensyn::kernels
