/// \file
/// Many training steps of whole networks in one launch: a block for each network, whose parameters stream
/// through it once a step.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <string>

#include "kernels/base/launch_shape.h"
#include "kernels/base/shared_room.h"
#include "kernels/whole/tiles.h"

namespace ensyn::kernels {

/// How a block works on networks of one shape.
struct StreamedShape {
  int warps = 0;  ///< of a block
  int example_tiles =
      0;  ///< eights of examples, with those that accompany pixels: 3, or 5 in single precision
  /// Whether a tile is fetched while the one before the last is worked on; else, where a warp has so few that
  /// it would fetch what it has not yet stored, after the last.
  bool fetch_early = false;
  /// Rows of tiles that are worked on at a time, by warps / this many warps each: in the forward pass, which
  /// is one with the update, and in the backward pass.
  int forward_rows[kMaxTiledLayers] = {}, backward_rows[kMaxTiledLayers] = {};
  /// Logarithms to base 2 of those numbers of warps.
  int forward_shift[kMaxTiledLayers] = {}, backward_shift[kMaxTiledLayers] = {};
  int input_stride = 0;                     ///< elements of an example
  int output_stride[kMaxTiledLayers] = {};  ///< elements of an example's outputs
  SharedPart ring;                          ///< tiles on their way
  SharedPart inputs;                        ///< two: of this step and of the next
  SharedPart outputs[kMaxTiledLayers];      ///< two of a hidden layer: activations, and gradients in them
  SharedPart sums;                          ///< of each warp
  SharedPart noise_sums;                    ///< x xi: example x row of all layers
  SharedPart sigmas, row_sums;              ///< of each row of all layers
  SharedPart losses, correct, progress, keys;
  std::uint32_t shared_bytes = 0;
};

struct StreamedPlan {
  StreamedShape shape;
  std::string problem;  ///< why these networks cannot be trained so, for people; empty where they can
};

/// Most warps of a block, by the registers that a thread needs: 128, or up to 255.
[[nodiscard]] constexpr int streamed_warps(int major, bool single, int example_tiles) {
  return major > 8 && single && example_tiles == 3 ? 16 : 8;
}

/// What a plan depends on.
struct StreamedProblem {
  Tiling tiling;
  int batch = 0;
  bool pixels = false;           ///< inputs are bytes
  bool single = true;            ///< precision
  bool own_phi = true;           ///< as in TiledTraining
  int major = 9;                 ///< of the device's compute capability
  std::size_t shared_limit = 0;  ///< what a block may have, bytes
};
[[nodiscard]] StreamedPlan streamed_plan(const StreamedProblem& problem);

/// Steps as `of` says, each network by itself: forward pass with freshly drawn weights, loss, backward pass,
/// Adam. The weights of heterogeneous networks are drawn three times a step where a layer is not the first
/// (forward, backward, update), else twice; those of others once or twice.
template <class T>
struct StreamedTraining {
  TiledTraining<T> of;
  StreamedShape shape;
};

template <class T>
[[nodiscard]] LaunchShape streamed_training_shape(const StreamedTraining<T>& args);

/// \pre a device that `trains_whole_networks`, Gaussian noise, no Laplace prior, Adam's epsilon at least
/// 1e-15 \throws ConfigError for a plan of none of the sizes that are offered, DeviceError
template <class T>
void streamed_training(const StreamedTraining<T>& args, cudaStream_t stream);

}  // namespace ensyn::kernels
