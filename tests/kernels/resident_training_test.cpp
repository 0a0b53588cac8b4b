// How a cluster is to hold a network: a pure function. What it computes is tested against the CPU engine
// (tests/cuda/whole_training_test.cpp).

#include "kernels/whole/resident/resident_training.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "kernels/support.h"

namespace ensyn::kernels::test {
namespace {

using ::testing::HasSubstr;

ResidentProblem problem(const std::vector<int>& sizes, int batch, bool own_phi = true, bool pixels = true) {
  std::vector<Layer> layers;
  for (std::size_t l = 0; l + 1 < sizes.size(); ++l) {
    layers.push_back({sizes[l + 1], sizes[l] + 1, sizes[l] + 4, static_cast<int>(l)});
  }
  ResidentProblem problem;
  problem.tiling = tiling_of(layers.data(), static_cast<int>(layers.size()));
  problem.batch = batch;
  problem.pixels = pixels;
  problem.own_phi = own_phi;
  problem.shared_limit = 227 << 10;
  return problem;
}

TEST(ResidentPlan, TakesThePapersNetworkOfEitherKind) {
  for (const bool own_phi : {true, false}) {
    const ResidentPlan plan = resident_plan(problem({784, 100, 100, 10}, 20, own_phi));
    EXPECT_EQ(plan.problem, "");
    EXPECT_EQ(plan.shape.cluster, 16);
    EXPECT_LE(plan.shape.shared_bytes, 227U << 10);
    EXPECT_EQ(plan.shape.first_owner[2], plan.shape.last_owner[2]) << "the last layer is within one block";
  }
}

/// Every tile has one owner, every row is known to be shared by those that own a tile of it.
void expect_consistent(const ResidentProblem& of, const ResidentShape& shape) {
  int tile = 0;
  for (int c = 0; c < shape.cluster; ++c) {
    EXPECT_EQ(shape.blocks[c].first_tile, tile);
    EXPECT_GT(shape.blocks[c].end_tile, tile) << "no block is idle";
    tile = shape.blocks[c].end_tile;
  }
  EXPECT_EQ(tile, of.tiling.tiles);
  for (int l = 0; l < of.tiling.layer_count; ++l) {
    const TiledLayer& layer = of.tiling.layers[l];
    for (int row = 0; row < layer.row_tiles; ++row) {
      const int first = layer.first_tile + row * layer.column_tiles, end = first + layer.column_tiles;
      std::vector<int> owners;
      for (int c = 0; c < shape.cluster; ++c) {
        const ResidentBlock& block = shape.blocks[c];
        const bool owns = block.first_tile < end && block.end_tile > first;
        EXPECT_EQ(row >= block.first_row[l] && row < block.end_row[l], owns);
        if (!owns) continue;
        owners.push_back(c);
        EXPECT_GE(c, shape.first_owner[l]);
        EXPECT_LE(c, shape.last_owner[l]);
      }
      ASSERT_FALSE(owners.empty());
      const int row_tile = shape.first_row_tile[l] + row;
      EXPECT_EQ(shape.row_first[row_tile], owners.front());
      EXPECT_EQ(shape.row_blocks[row_tile], static_cast<int>(owners.size()));
      EXPECT_EQ(owners.back() - owners.front() + 1, static_cast<int>(owners.size())) << "side by side";
      EXPECT_LE(static_cast<int>(owners.size()), shape.row_splits[l]);
    }
  }
}

TEST(ResidentPlan, IsConsistentForAllShapes) {
  for (const std::vector<int>& sizes : {std::vector<int>{784, 100, 100, 10},
                                        {784, 100, 10},
                                        {784, 10},
                                        {1, 1},
                                        {33, 31, 100, 5, 3},
                                        {5, 200, 3},
                                        {300, 120, 60, 10}}) {
    for (const int batch : {1, 3, 20, 22}) {
      for (const bool own_phi : {true, false}) {
        for (const bool pixels : {true, false}) {
          const ResidentProblem of = problem(sizes, batch, own_phi, pixels);
          const ResidentPlan plan = resident_plan(of);
          // Numbers of 784 features take four times the room of bytes.
          if (!pixels && sizes[0] == 784) continue;
          ASSERT_EQ(plan.problem, "") << sizes[0] << " " << sizes.size();
          expect_consistent(of, plan.shape);
        }
      }
    }
  }
}

TEST(ResidentPlan, TakesTheSmallestClusterThatHoldsANetwork) {
  EXPECT_EQ(resident_plan(problem({30, 20, 3}, 20)).shape.cluster, 1);
  EXPECT_EQ(resident_plan(problem({784, 10}, 20)).shape.cluster, 2);
}

TEST(ResidentPlan, SaysWhyItDoesNotTakeANetwork) {
  EXPECT_THAT(resident_plan(problem({784, 100, 10}, 23)).problem, HasSubstr("takes 22 at most"));
  EXPECT_THAT(resident_plan(problem({784, 1000, 10}, 20)).problem,
              HasSubstr("no cluster of up to 16 blocks"));
  EXPECT_THAT(resident_plan(problem({2, 2, 2, 2, 2, 2}, 20)).problem, HasSubstr("4 layers"));
  ResidentProblem small = problem({784, 100, 100, 10}, 20);
  small.most_cluster = 8;
  EXPECT_THAT(resident_plan(small).problem, HasSubstr("no cluster of up to 8 blocks"));
}

}  // namespace
}  // namespace ensyn::kernels::test
