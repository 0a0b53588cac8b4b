// How a block evaluates a network: a pure function of the network's shape and of what a block may have.

#include <algorithm>
#include <climits>

#include "kernels/whole/population_evaluation.h"

namespace ensyn::kernels {
namespace {

constexpr int kMostWarps = 8;

/// No more warps than there are tiles of any layer.
int warps_for(const Tiling& tiling) {
  int most = 1;
  for (int l = 0; l < tiling.layer_count; ++l)
    most = std::max(most, tiling.layers[l].row_tiles * tiling.layers[l].column_tiles);
  int warps = kMostWarps;
  while (warps / 2 >= most) warps /= 2;
  return warps;
}

void place(const EvaluationProblem& problem, EvaluationShape& shape) {
  const Tiling& tiling = problem.tiling;
  const std::size_t element = problem.single ? sizeof(float) : sizeof(double);
  const auto examples = static_cast<std::size_t>(8 * shape.example_tiles);
  shape.input_stride = conflict_free_stride(tiling.layers[0].layer.columns);
  std::size_t needs[2] = {
      examples * static_cast<std::size_t>(shape.input_stride) * (problem.pixels ? 1 : element), 0};
  for (int l = 0; l < tiling.layer_count; ++l) {
    // The bias of the next layer is one input more.
    shape.output_stride[l] = conflict_free_stride(tiling.layers[l].layer.rows + 1);
    std::size_t& need = needs[(l + 1) % 2];
    need = std::max(need, examples * static_cast<std::size_t>(shape.output_stride[l]) * element);
  }
  SharedRoom room;
  for (int i = 0; i < 2; ++i) shape.room[i] = room.take(needs[i]);
  shape.sums = room.take(static_cast<std::size_t>(shape.warps) * examples * kSumStride * element);
  shape.keys = room.take(2 * 10 * sizeof(std::uint32_t));
  shape.shared_bytes = static_cast<std::uint32_t>(std::min<std::size_t>(room.used(), UINT32_MAX));
}

}  // namespace

EvaluationPlan evaluation_plan(const EvaluationProblem& problem) {
  // A block that takes a part of a minibatch draws all of its weights again, which counts as twelve eights of
  // examples, by instructions.
  constexpr int kDraw = 12;
  const int beside = problem.pixels ? 2 : 0;
  EvaluationPlan plan;
  std::uint32_t least_bytes = UINT32_MAX;
  int least_time = INT_MAX;
  for (const int tiles : {3, 7}) {
    EvaluationShape shape;
    shape.example_tiles = tiles;
    const int blocks = ceil_divide(problem.batch, 8 * tiles - beside);
    shape.examples = ceil_divide(problem.batch, blocks);
    shape.warps = warps_for(problem.tiling);
    for (int l = 0; l < problem.tiling.layer_count; ++l) {
      const TiledLayer& layer = problem.tiling.layers[l];
      shape.rows_at_a_time[l] = rows_at_a_time(layer.row_tiles, layer.column_tiles, shape.warps);
    }
    place(problem, shape);
    least_bytes = std::min(least_bytes, shape.shared_bytes);
    const int time = blocks * (kDraw + tiles);
    if (shape.shared_bytes > problem.shared_limit || time >= least_time) continue;
    least_time = time, plan.shape = shape;
  }
  if (least_time == INT_MAX)
    plan.problem = "a network of this shape takes " + std::to_string(least_bytes) +
                   " bytes of shared memory, a block has " + std::to_string(problem.shared_limit);
  return plan;
}

}  // namespace ensyn::kernels
