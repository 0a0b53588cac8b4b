// How a block trains a network: a pure function of the network's shape and of what a block may have.

#include <algorithm>
#include <bit>
#include <climits>

#include "kernels/whole/streamed/streamed_training.h"

namespace ensyn::kernels {
namespace {

constexpr int kFewestWarps = 4;

/// Fewest tiles of a warp that has any.
int fewest_tiles(const Tiling& tiling, const StreamedShape& shape) {
  int fewest = INT_MAX;
  for (int warp = 0; warp < shape.warps; ++warp) {
    int tiles = 0;
    for (int l = 0; l < tiling.layer_count; ++l) {
      const TiledLayer& layer = tiling.layers[l];
      const int rows = shape.forward_rows[l], warps = shape.warps / rows;
      const int own_rows = std::max(0, layer.row_tiles - warp / warps + rows - 1) / rows;
      const int own_columns = std::max(0, layer.column_tiles - warp % warps + warps - 1) / warps;
      tiles += own_rows * own_columns;
    }
    if (tiles > 0) fewest = std::min(fewest, tiles);
  }
  return fewest;
}

void place(const StreamedProblem& problem, StreamedShape& shape) {
  const Tiling& tiling = problem.tiling;
  const std::size_t element = problem.single ? sizeof(float) : sizeof(double);
  const auto examples = static_cast<std::size_t>(8 * shape.example_tiles);
  const auto rows = static_cast<std::size_t>(!problem.own_phi ? tiling.rows : 0);
  const auto threads = static_cast<std::size_t>(32 * shape.warps);
  const std::size_t fields = problem.own_phi ? kOwnPhiFields : kSharedPhiFields;
  SharedRoom room;
  shape.ring = room.take(threads * fields * 4 * element, 2);
  shape.input_stride = conflict_free_stride(tiling.layers[0].layer.columns);
  shape.inputs =
      room.take(examples * static_cast<std::size_t>(shape.input_stride) * (problem.pixels ? 1 : element), 2);
  for (int l = 0; l < tiling.layer_count; ++l) {
    const TiledLayer& layer = tiling.layers[l];
    // The bias of the next layer is one input more.
    shape.output_stride[l] =
        conflict_free_stride(std::max(layer.row_tiles * kTileRows, layer.layer.rows + 1));
    shape.outputs[l] = room.take(examples * static_cast<std::size_t>(shape.output_stride[l]) * element,
                                 l + 1 < tiling.layer_count ? 2 : 1);
  }
  shape.sums = room.take(static_cast<std::size_t>(shape.warps) * examples * kSumStride * element,
                         !problem.own_phi ? 2 : 1);
  shape.noise_sums = room.take(static_cast<std::size_t>(problem.batch) * rows * element);
  shape.sigmas = room.take(rows * element);
  shape.row_sums = room.take(rows * element);
  shape.losses = room.take(static_cast<std::size_t>(problem.batch) * element);
  shape.correct = room.take(static_cast<std::size_t>(problem.batch));
  shape.progress =
      room.take(problem.single ? sizeof(NetworkProgress<float>) : sizeof(NetworkProgress<double>));
  shape.keys = room.take(2 * 10 * sizeof(std::uint32_t));
  shape.shared_bytes = static_cast<std::uint32_t>(std::min<std::size_t>(room.used(), UINT32_MAX));
}

}  // namespace

StreamedPlan streamed_plan(const StreamedProblem& problem) {
  StreamedPlan plan;
  const int beside = problem.pixels ? 2 : 0, examples = problem.batch + beside, most = problem.single ? 5 : 3;
  if (examples > 8 * most) {
    plan.problem = "minibatches of " + std::to_string(problem.batch) + " examples, of which a block takes " +
                   std::to_string(8 * most - beside) + " at most";
    return plan;
  }
  plan.shape.example_tiles = examples > 24 ? 5 : 3;
  const Tiling& tiling = problem.tiling;
  for (int warps = streamed_warps(problem.major, problem.single, plan.shape.example_tiles);
       warps >= kFewestWarps; warps /= 2) {
    StreamedShape& shape = plan.shape;
    shape.warps = warps;
    for (int l = 0; l < tiling.layer_count; ++l) {
      const TiledLayer& layer = tiling.layers[l];
      shape.forward_rows[l] = rows_at_a_time(layer.row_tiles, layer.column_tiles, warps);
      shape.backward_rows[l] =
          l == 0 ? 1 : rows_at_a_time(tiling.layers[l - 1].row_tiles, 2 * layer.row_tiles, warps);
    }
    for (int l = 0; l < tiling.layer_count; ++l) {
      shape.forward_shift[l] = std::countr_zero(static_cast<unsigned>(warps / shape.forward_rows[l]));
      shape.backward_shift[l] = std::countr_zero(static_cast<unsigned>(warps / shape.backward_rows[l]));
    }
    shape.fetch_early = fewest_tiles(tiling, shape) > 2;
    place(problem, shape);
    if (shape.shared_bytes <= problem.shared_limit) return plan;
  }
  plan.problem = "a network of this shape takes " + std::to_string(plan.shape.shared_bytes) +
                 " bytes of shared memory, a block has " + std::to_string(problem.shared_limit);
  return plan;
}

}  // namespace ensyn::kernels
