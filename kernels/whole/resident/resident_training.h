/// \file
/// Many training steps of whole networks in one launch: a cluster of blocks for each network, which keeps its
/// parameters on chip for the whole run.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include "kernels/base/launch_shape.h"
#include "kernels/base/shared_room.h"
#include "kernels/whole/tiles.h"

namespace ensyn::kernels {

inline constexpr int kMostClusterBlocks = 16, kMaxResidentLayers = 4, kMostRowTiles = 64;
inline constexpr int kResidentWarps = 12, kResidentExampleTiles = 3;
/// Tiles that a warp may own, whose noise it holds in registers.
inline constexpr int kMostTilesOfWarp = 5;

/// What one block of a cluster owns, and where in its shared memory, in bytes, things lie. Others store there
/// what they compute for it.
struct ResidentBlock {
  int first_tile = 0, end_tile = 0;                                          ///< of the network
  int first_row[kMaxResidentLayers] = {}, end_row[kMaxResidentLayers] = {};  ///< rows of tiles, of a layer
  std::uint32_t state = 0;                                                   ///< of its tiles, in their order
  std::uint32_t drawn = 0;  ///< w (or xi, where sigma is shared) of those behind the first layer
  std::uint32_t inputs = 0, input_bytes = 0;           ///< of two steps: by tile of columns
  std::uint32_t sums = 0;                              ///< of its warps
  std::uint32_t activations[kMaxResidentLayers] = {};  ///< inputs of a layer behind the first
  std::uint32_t deltas[kMaxResidentLayers] = {};  ///< gradients in its rows of outputs; of the last layer
                                                  ///< in all
  int delta_stride[kMaxResidentLayers] = {};
  std::uint32_t delta_sums[kMaxResidentLayers] = {};  ///< over examples, of the first layer
  std::uint32_t kept_noise[kMaxResidentLayers] = {};  ///< its part of x xi, where sigma is shared
  /// From others: parts of a layer's outputs (and of x xi behind them), for who has them as inputs; parts of
  /// the gradients in them, for who owns their rows.
  std::uint32_t output_parts[kMaxResidentLayers] = {}, delta_parts[kMaxResidentLayers] = {};
};

struct ResidentShape {
  int cluster = 0;  ///< blocks of one
  ResidentBlock blocks[kMostClusterBlocks];
  int first_owner[kMaxResidentLayers] = {}, last_owner[kMaxResidentLayers] = {};  ///< blocks, of each layer
  int first_row_tile[kMaxResidentLayers] = {};  ///< of all layers' rows of tiles
  /// Of each row of tiles the blocks that share it: the first, and how many.
  std::uint8_t row_first[kMostRowTiles] = {}, row_blocks[kMostRowTiles] = {};
  int row_splits[kMaxResidentLayers] = {};         ///< most blocks that share a row of a layer
  int activation_stride[kMaxResidentLayers] = {};  ///< elements of an example's inputs to a layer
  // Alike in all blocks.
  std::uint32_t row_sums = 0, sigmas = 0, phis = 0, losses = 0, correct = 0, progress = 0, network = 0,
                keys = 0;
  int most_splits = 1;  ///< of any row
  std::uint32_t shared_bytes = 0;
};

struct ResidentPlan {
  ResidentShape shape;
  std::string problem;  ///< why these networks cannot be trained so, for people; empty where they can
};

/// What a plan depends on.
struct ResidentProblem {
  Tiling tiling;
  int batch = 0;
  bool pixels = false;    ///< inputs are bytes
  bool own_phi = true;    ///< as in TiledTraining
  int most_groups = 1;    ///< of weights that share a phi, in any network
  int most_cluster = 16;  ///< blocks that a cluster may have
  std::size_t shared_limit = 0;
};
/// The smallest cluster that holds such a network.
[[nodiscard]] ResidentPlan resident_plan(const ResidentProblem& problem);

/// Single precision.
struct ResidentTraining {
  TiledTraining<float> of;
  ResidentShape shape;
  int clusters = 0;           ///< to launch, at most one for each network
  unsigned* queue = nullptr;  ///< in device memory, 0: the number of networks that were begun
};

[[nodiscard]] LaunchShape resident_training_shape(const ResidentTraining& args);

/// How many such clusters a device runs at a time; 0 where it can run none. \throws DeviceError
[[nodiscard]] int resident_clusters(const ResidentTraining& args);

/// \pre compute capability 9.0 or more, and as streamed_training \throws DeviceError
void resident_training(const ResidentTraining& args, cudaStream_t stream);

}  // namespace ensyn::kernels
