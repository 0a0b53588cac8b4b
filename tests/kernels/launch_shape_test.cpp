// How kernels are launched: pure functions, so this needs neither a device nor an emulator.

#include "kernels/base/launch_shape.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>

#include "kernels/cross_entropy.h"
#include "kernels/dense.h"
#include "kernels/finish_step.h"
#include "kernels/gradient_statistics.h"
#include "kernels/homogeneous_update.h"
#include "kernels/initialize.h"
#include "kernels/materialize.h"
#include "kernels/noisy_backward.h"
#include "kernels/noisy_forward.h"
#include "kernels/not_finite.h"
#include "kernels/parameter_update.h"
#include "kernels/squared_error.h"

namespace ensyn::kernels {
namespace {

constexpr int kSizes[] = {1,  2,   3,   5,   7,   8,   9,   31,  32,   33,   64,
                          65, 100, 101, 128, 129, 256, 257, 785, 4097, 70001};
constexpr int kBatches[] = {1, 3, 20, 21, 32, 33, 128, 130, 1000};
constexpr int kNetworkCounts[] = {1, 3, 240, 65535};

/// What every device can launch.
void expect_possible(const LaunchShape& shape) {
  EXPECT_FALSE(shape.empty());
  EXPECT_LE(std::uint64_t{shape.block.x} * shape.block.y * shape.block.z, 1024U);
  EXPECT_LE(shape.block.z, 64U);
  EXPECT_EQ(std::uint64_t{shape.block.x} * shape.block.y * shape.block.z % 32, 0U) << "whole warps";
  EXPECT_LE(shape.shared_bytes, 48U * 1024);
  EXPECT_LE(shape.grid.x, 0x7FFFFFFFU);
  EXPECT_LE(shape.grid.y, 65535U);
  EXPECT_LE(shape.grid.z, 65535U);
  EXPECT_EQ(shape.cluster, Extent{}) << "none needs a cluster yet";
}

/// `blocks` of `tile` cover `size`, and one less would not.
void expect_covers(std::uint64_t blocks, std::uint64_t tile, int size) {
  EXPECT_GE(blocks * tile, static_cast<unsigned>(size));
  EXPECT_LT((blocks - 1) * tile, static_cast<unsigned>(size));
}

template <class T>
Networks<T> networks(int count) {
  Networks<T> result;
  result.count = count;
  return result;
}

template <class T>
class LaunchShapeTest : public ::testing::Test {};
using Numbers = ::testing::Types<float, double>;
TYPED_TEST_SUITE(LaunchShapeTest, Numbers);

TYPED_TEST(LaunchShapeTest, ForwardCoversRowsAndExamplesOfEveryMinibatch) {
  for (const NoisyForwardTile& tile :
       {NoisyForwardTile{2, 32}, NoisyForwardTile{8, 32}, NoisyForwardTile{8, 64}}) {
    for (const int rows : kSizes) {
      for (const int batch : kBatches) {
        for (const int minibatches : {1, 2, 50}) {
          NoisyForward<TypeParam> args;
          args.networks = networks<TypeParam>(3);
          args.layer = {rows, 10, 10, 0};
          args.batch = batch;
          args.examples = batch * minibatches;
          args.tile = tile;
          const LaunchShape shape = noisy_forward_shape(args);
          expect_possible(shape);
          expect_covers(shape.grid.y, static_cast<unsigned>(tile.rows), rows);
          EXPECT_EQ(shape.grid.x, static_cast<unsigned>(minibatches * ceil_divide(batch, tile.examples)));
          EXPECT_EQ(shape.grid.z, 3U);
          // A short last minibatch counts as one.
          if (batch == 1) continue;
          args.examples -= 1;
          EXPECT_EQ(noisy_forward_shape(args), shape);
        }
      }
    }
  }
}

TYPED_TEST(LaunchShapeTest, ForwardTakesALargeDataSetInSmallMinibatches) {
  NoisyForward<TypeParam> args;
  args.layer = {100, 785, 785, 0};
  args.batch = 1;
  args.examples = 100000;
  args.tile = {8, 32};
  expect_possible(noisy_forward_shape(args));
}

TYPED_TEST(LaunchShapeTest, BackwardCoversInputsAndExamples) {
  for (const int tile : {8, 64}) {
    for (const int columns : kSizes) {
      for (const int batch : kBatches) {
        NoisyBackward<TypeParam> args;
        args.networks = networks<TypeParam>(3);
        args.layer = {10, columns + 1, columns + 1, 0};
        args.batch = batch;
        args.tile = {tile};
        const LaunchShape shape = noisy_backward_shape(args);
        expect_possible(shape);
        expect_covers(shape.grid.x, static_cast<unsigned>(tile), columns);
        expect_covers(shape.grid.y, 32, batch);
        EXPECT_EQ(shape.grid.z, 3U);
      }
    }
  }
}

TYPED_TEST(LaunchShapeTest, UpdatesCoverAllLayers) {
  for (const int rows : kSizes) {
    for (const int columns : {1, 64, 65, 101, 785}) {
      ParameterUpdate<TypeParam> args;
      args.networks = networks<TypeParam>(3);
      args.layers[0].gradient.layer = {rows, columns, columns, 0};
      args.layers[1].gradient.layer = {10, rows + 1, rows + 1, 1};
      args.layer_count = 2;
      const LaunchShape shape = parameter_update_shape(args);
      expect_possible(shape);
      const int tiles = ceil_divide(rows, 8) * ceil_divide(columns, 64) + 2 * ceil_divide(rows + 1, 64);
      EXPECT_EQ(shape.grid, (Extent{static_cast<unsigned>(tiles), 1, 3}));
      // A thread for each quad of a tile of 8 x 64.
      EXPECT_EQ(shape.block.x, 8U / 2 * (64 / 2));
      HomogeneousUpdate<TypeParam> homogeneous;
      homogeneous.update = args;
      const LaunchShape other = homogeneous_update_shape(homogeneous);
      expect_possible(other);
      EXPECT_EQ(partial_sum_count(args), ceil_divide(rows, 4) + 3);
      EXPECT_EQ(other.grid, (Extent{static_cast<unsigned>(partial_sum_count(args)), 1, 3}));
    }
  }
}

TYPED_TEST(LaunchShapeTest, KernelsOfParametersCoverRowsAndColumns) {
  for (const int rows : kSizes) {
    for (const int columns : kSizes) {
      Materialize<TypeParam> materialize;
      materialize.layer = {rows, columns, columns + 3, 0};
      GradientStatistics<TypeParam> statistics;
      statistics.gradient.layer = materialize.layer;
      Initialize<TypeParam> initialize;
      initialize.layer = materialize.layer;
      for (const LaunchShape& shape :
           {materialize_shape(materialize), gradient_statistics_shape(statistics)}) {
        expect_possible(shape);
        expect_covers(shape.grid.x, 2, rows);
        expect_covers(shape.grid.y, 2 * shape.block.x, columns);
      }
      const LaunchShape shape = initialize_shape(initialize);
      expect_possible(shape);
      expect_covers(shape.grid.x, 2, rows);
      expect_covers(shape.grid.y, 2 * shape.block.x, columns + 3);
      NotFinite<TypeParam> not_finite;
      not_finite.networks = networks<TypeParam>(3);
      not_finite.layer = materialize.layer;
      const LaunchShape by_warps = not_finite_shape(not_finite);
      expect_possible(by_warps);
      expect_covers(by_warps.grid.x, by_warps.block.x / 32, rows);
      expect_covers(by_warps.grid.y, 256, columns);
      EXPECT_EQ(by_warps.grid.z, 3U);
    }
  }
}

TYPED_TEST(LaunchShapeTest, ElementwiseKernelsCoverExamplesAndColumns) {
  for (const int columns : kSizes) {
    for (const int batch : kBatches) {
      GatherInputs<TypeParam> gather;
      gather.networks = networks<TypeParam>(2);
      gather.columns = columns;
      gather.batch = batch;
      Rectify<TypeParam> rectify;
      rectify.networks = 2;
      rectify.columns = columns;
      rectify.batch = batch;
      for (const LaunchShape& shape : {gather_inputs_shape(gather), rectify_shape(rectify)}) {
        expect_possible(shape);
        EXPECT_EQ(shape.grid.x, static_cast<unsigned>(batch));
        expect_covers(shape.grid.y, shape.block.x, columns);
        EXPECT_EQ(shape.grid.z, 2U);
      }
    }
  }
}

TYPED_TEST(LaunchShapeTest, LossKernelsCoverExamples) {
  for (const int batch : kBatches) {
    CrossEntropy<TypeParam> loss;
    loss.networks = networks<TypeParam>(2);
    loss.batch = batch;
    LogSoftmax<TypeParam> log_softmax;
    log_softmax.examples = batch;
    const LaunchShape shape = cross_entropy_shape(loss);
    expect_possible(shape);
    expect_covers(shape.grid.x, shape.block.x / 16, batch);
    EXPECT_EQ(shape.grid.z, 2U);
    EXPECT_EQ(log_softmax_shape(log_softmax).grid, (Extent{shape.grid.x, 1, 1}));
    SquaredError<TypeParam> squares;
    squares.networks = networks<TypeParam>(2);
    squares.batch = batch;
    EXPECT_EQ(squared_error_shape(squares), shape);
  }
}

TYPED_TEST(LaunchShapeTest, NetworksAreCounted) {
  for (const int count : kNetworkCounts) {
    FinishStep<TypeParam> finish;
    finish.networks = count;
    expect_possible(finish_step_shape(finish));
    EXPECT_EQ(finish_step_shape(finish).grid, (Extent{static_cast<unsigned>(count), 1, 1}));
    Materialize<TypeParam> materialize;
    materialize.networks = networks<TypeParam>(count);
    materialize.layer = {10, 10, 10, 0};
    expect_possible(materialize_shape(materialize));
    EXPECT_EQ(materialize_shape(materialize).grid.z, static_cast<unsigned>(count));
  }
}

TYPED_TEST(LaunchShapeTest, NothingToDoGivesAnEmptyShape) {
  NoisyForward<TypeParam> forward;
  forward.tile = {8, 32};
  EXPECT_TRUE(noisy_forward_shape(forward).empty());
  forward.batch = 20;
  forward.layer.rows = 10;
  EXPECT_TRUE(noisy_forward_shape(forward).empty());
  NoisyBackward<TypeParam> backward;
  backward.tile = {8};
  backward.layer = {10, 1, 1, 0};  // a bias alone
  backward.batch = 20;
  EXPECT_TRUE(noisy_backward_shape(backward).empty());
  backward.layer.columns = 2;
  EXPECT_FALSE(noisy_backward_shape(backward).empty());
  backward.batch = 0;
  EXPECT_TRUE(noisy_backward_shape(backward).empty());
  EXPECT_TRUE(parameter_update_shape(ParameterUpdate<TypeParam>{}).empty());
  EXPECT_TRUE(homogeneous_update_shape(HomogeneousUpdate<TypeParam>{}).empty());
  EXPECT_TRUE(cross_entropy_shape(CrossEntropy<TypeParam>{}).empty());
  EXPECT_TRUE(log_softmax_shape(LogSoftmax<TypeParam>{}).empty());
  EXPECT_TRUE(squared_error_shape(SquaredError<TypeParam>{}).empty());
  EXPECT_TRUE(gather_inputs_shape(GatherInputs<TypeParam>{}).empty());
  EXPECT_TRUE(rectify_shape(Rectify<TypeParam>{}).empty());
  EXPECT_TRUE(materialize_shape(Materialize<TypeParam>{}).empty());
  EXPECT_TRUE(initialize_shape(Initialize<TypeParam>{}).empty());
  EXPECT_TRUE(gradient_statistics_shape(GradientStatistics<TypeParam>{}).empty());
  EXPECT_TRUE(not_finite_shape(NotFinite<TypeParam>{}).empty());
  FinishStep<TypeParam> finish;
  finish.networks = 0;
  EXPECT_TRUE(finish_step_shape(finish).empty());
}

TEST(TileTest, ForwardTakesSmallTilesWhileTheDeviceIsIdle) {
  // One network of 100 rows has 13 tiles of eight rows: too few for 132 multiprocessors.
  EXPECT_EQ(noisy_forward_tile(100, 20, 1, 132), (NoisyForwardTile{2, 32}));
  EXPECT_EQ(noisy_forward_tile(100, 20, 240, 132), (NoisyForwardTile{8, 32}));
  EXPECT_EQ(noisy_forward_tile(100, 20, 1, 13), (NoisyForwardTile{8, 32}));
  EXPECT_EQ(noisy_forward_tile(100, 20, 1, 14), (NoisyForwardTile{2, 32}));
  EXPECT_EQ(noisy_forward_tile(100, 32, 1000, 132), (NoisyForwardTile{8, 32}));
  EXPECT_EQ(noisy_forward_tile(100, 33, 1, 132), (NoisyForwardTile{8, 64}));
  EXPECT_EQ(noisy_forward_tile(1, 1, std::int64_t{1} << 40, 132), (NoisyForwardTile{8, 32}));
}

TEST(TileTest, BackwardTakesSmallTilesWhileTheDeviceIsIdle) {
  EXPECT_EQ(noisy_backward_tile(100, 20, 1, 132), (NoisyBackwardTile{8}));
  EXPECT_EQ(noisy_backward_tile(100, 20, 65, 132), (NoisyBackwardTile{8}));
  EXPECT_EQ(noisy_backward_tile(100, 20, 66, 132), (NoisyBackwardTile{64}));
  EXPECT_EQ(noisy_backward_tile(100, 1000, 3, 132), (NoisyBackwardTile{64}));
}

TEST(LaunchShapeTextTest, SaysWhatIsLaunched) {
  EXPECT_EQ(to_string(LaunchShape{{50, 1, 240}, {256, 1, 1}, 4096, {}}),
            "grid 50 x 1 x 240, block 256 x 1 x 1, 4096 bytes shared");
  EXPECT_EQ(to_string(LaunchShape{{2, 3, 4}, {32, 2, 1}, 0, {2, 1, 1}}),
            "grid 2 x 3 x 4, block 32 x 2 x 1, 0 bytes shared, cluster 2 x 1 x 1");
}

TEST(LaunchShapeTextTest, AZeroInTheGridIsEmpty) {
  EXPECT_FALSE(LaunchShape{}.empty());
  for (const Extent& grid : {Extent{0, 1, 1}, Extent{1, 0, 1}, Extent{1, 1, 0}}) {
    EXPECT_TRUE((LaunchShape{grid, {}, 0, {}}.empty()));
  }
}

}  // namespace
}  // namespace ensyn::kernels
