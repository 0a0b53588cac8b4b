// How blocks are to train networks: a pure function. What they compute is tested against the CPU engine
// (tests/cuda/whole_training_test.cpp).

#include "kernels/whole/streamed/streamed_training.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "ensyn/error.h"
#include "kernels/support.h"

namespace ensyn::kernels::test {
namespace {

using ::testing::HasSubstr;

Tiling tiling(const std::vector<int>& sizes) {
  std::vector<Layer> layers;
  for (std::size_t l = 0; l + 1 < sizes.size(); ++l) {
    layers.push_back({sizes[l + 1], sizes[l] + 1, sizes[l] + 4, static_cast<int>(l)});
  }
  return tiling_of(layers.data(), static_cast<int>(layers.size()));
}

StreamedProblem problem(const std::vector<int>& sizes, int batch, bool pixels = true) {
  StreamedProblem problem;
  problem.tiling = tiling(sizes);
  problem.batch = batch;
  problem.pixels = pixels;
  problem.shared_limit = 227 << 10;
  return problem;
}

TEST(Tiling, CountsTilesOfThePapersNetwork) {
  const Tiling of = tiling({784, 100, 100, 10});
  EXPECT_EQ(of.layer_count, 3);
  EXPECT_EQ(of.layers[0].row_tiles, 7);
  EXPECT_EQ(of.layers[0].column_tiles, 99);
  EXPECT_EQ(of.layers[1].first_tile, 693);
  EXPECT_EQ(of.layers[2].first_row, 200);
  EXPECT_EQ(of.tiles, 693 + 91 + 13);
  EXPECT_EQ(of.rows, 210);
  EXPECT_EQ(tiled_elements(of, true), 797 * 128 * 6);
  EXPECT_EQ(tiled_elements(of, false), 797 * 128 * 3);
}

TEST(StreamedPlan, TakesThePapersNetworkOfEitherKind) {
  for (const bool own_phi : {true, false}) {
    StreamedProblem paper = problem({784, 100, 100, 10}, 20);
    paper.own_phi = own_phi;
    const StreamedPlan plan = streamed_plan(paper);
    EXPECT_EQ(plan.problem, "");
    EXPECT_EQ(plan.shape.warps, 16);
    EXPECT_EQ(plan.shape.example_tiles, 3);
    EXPECT_TRUE(plan.shape.fetch_early);
    EXPECT_LE(plan.shape.shared_bytes, 227U << 10);
  }
}

TEST(StreamedPlan, TakesThePapersNetworkWithTheSharedMemoryOfCompute80) {
  StreamedProblem paper = problem({784, 100, 100, 10}, 20);
  paper.major = 8;
  paper.shared_limit = 163 << 10;
  const StreamedPlan plan = streamed_plan(paper);
  EXPECT_EQ(plan.problem, "");
  EXPECT_EQ(plan.shape.warps, 8);
}

TEST(StreamedPlan, TakesThePapersNetworkInDoublePrecision) {
  for (const bool own_phi : {true, false}) {
    StreamedProblem paper = problem({784, 100, 100, 10}, 20);
    paper.own_phi = own_phi;
    paper.single = false;
    const StreamedPlan plan = streamed_plan(paper);
    EXPECT_EQ(plan.problem, "");
    EXPECT_EQ(plan.shape.warps, 4) << "numbers take twice the room";
  }
}

TEST(StreamedPlan, FetchesLateWhereWarpsHaveFewTiles) {
  EXPECT_FALSE(streamed_plan(problem({5, 3, 2}, 3)).shape.fetch_early);
}

TEST(StreamedPlan, PartsDoNotOverlapAndRowsAreReadWithoutConflicts) {
  for (const std::vector<int>& sizes : {std::vector<int>{784, 100, 100, 10}, {1, 1}, {33, 31, 100, 5, 3}}) {
    for (const int batch : {1, 3, 20, 22, 31, 38}) {
      for (const bool own_phi : {true, false}) {
        for (const bool pixels : {true, false}) {
          StreamedProblem of = problem(sizes, batch, pixels);
          of.own_phi = own_phi;
          const StreamedPlan plan = streamed_plan(of);
          // Numbers of 784 features take four times the room of bytes, more than there is.
          if (!pixels && sizes[0] == 784) continue;
          ASSERT_EQ(plan.problem, "");
          const StreamedShape& shape = plan.shape;
          EXPECT_GE(8 * shape.example_tiles, batch + (pixels ? 2 : 0));
          EXPECT_EQ(shape.input_stride % 16, 8);
          EXPECT_GE(shape.input_stride, of.tiling.layers[0].column_tiles * kTileColumns);
          std::vector<std::pair<SharedPart, unsigned>> parts = {
              {shape.ring, 2},       {shape.inputs, 2},  {shape.sums, own_phi ? 1 : 2},
              {shape.noise_sums, 1}, {shape.sigmas, 1},  {shape.row_sums, 1},
              {shape.losses, 1},     {shape.correct, 1}, {shape.progress, 1},
              {shape.keys, 1}};
          for (int l = 0; l < of.tiling.layer_count; ++l) {
            parts.emplace_back(shape.outputs[l], l + 1 < of.tiling.layer_count ? 2 : 1);
            EXPECT_EQ(shape.output_stride[l] % 16, 8);
            EXPECT_GE(shape.output_stride[l], of.tiling.layers[l].row_tiles * kTileRows);
            EXPECT_GE(shape.output_stride[l], of.tiling.layers[l].layer.rows + 1);
            EXPECT_EQ(shape.warps % shape.forward_rows[l], 0);
            EXPECT_EQ(shape.warps % shape.backward_rows[l], 0);
          }
          std::uint32_t all = 0;
          for (const auto& [part, copies] : parts) {
            EXPECT_EQ(part.at % 16, 0U);
            EXPECT_LE(part.at + part.bytes * copies, shape.shared_bytes);
            all += part.bytes * copies;
          }
          EXPECT_EQ(all, shape.shared_bytes) << "parts lie side by side";
        }
      }
    }
  }
}

TEST(StreamedPlan, SaysWhyItDoesNotTakeANetwork) {
  EXPECT_THAT(streamed_plan(problem({784, 100, 10}, 39)).problem,
              HasSubstr("minibatches of 39 examples, of which a block takes 38"));
  StreamedProblem in_double = problem({784, 100, 10}, 23);
  in_double.single = false;
  EXPECT_THAT(streamed_plan(in_double).problem, HasSubstr("takes 22"));
  EXPECT_THAT(streamed_plan(problem({784, 1024, 1024, 10}, 20)).problem,
              HasSubstr("shared memory, a block has"));
}

TEST(StreamedTraining, RefusesShapesOfNoPlan) {
  StreamedTraining<float> args;
  args.shape.example_tiles = 4;
  EXPECT_THROW(streamed_training(args, nullptr), ConfigError);
}

}  // namespace
}  // namespace ensyn::kernels::test
