/// \file
/// Predictions of whole networks, with mean weights and with draws of them, many networks in one launch.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include "kernels/base/launch_shape.h"
#include "kernels/base/shared_room.h"
#include "kernels/whole/tiles.h"

namespace ensyn::kernels {

/// Arrays of a tile (tiles.h) that predictions take: mu and sigma.
inline constexpr int kWeightFields = 2;

/// How a block works on networks of one shape.
struct EvaluationShape {
  int warps = 0;                             ///< of a block
  int example_tiles = 0;                     ///< eights of examples, with those that accompany pixels: 3 or 7
  int examples = 0;                          ///< that a block takes, of one minibatch
  int rows_at_a_time[kMaxTiledLayers] = {};  ///< of tiles, by warps / this many warps each
  int input_stride = 0;                      ///< elements of an example
  int output_stride[kMaxTiledLayers] = {};
  /// Inputs of a layer in one, its outputs in the other, in turn.
  SharedPart room[2];
  SharedPart sums;  ///< of each warp
  SharedPart keys;  ///< of the noise
  std::uint32_t shared_bytes = 0;
};

struct EvaluationPlan {
  EvaluationShape shape;
  std::string problem;  ///< why these networks cannot be evaluated so, for people; empty where they can
};

/// What a plan depends on.
struct EvaluationProblem {
  Tiling tiling;
  int batch = 0;
  bool pixels = false;           ///< inputs are bytes
  bool single = true;            ///< precision
  std::size_t shared_limit = 0;  ///< what a block may have, bytes
};
[[nodiscard]] EvaluationPlan evaluation_plan(const EvaluationProblem& problem);

/// mu and sigma of some networks, in tiles. Elements outside a layer become 0, for good: so they stay with
/// any noise.
template <class T>
struct EvaluationWeights {
  Networks<T> networks;  ///< all
  int first = 0;         ///< network of those that are wanted
  int count = 0;         ///< of them
  Tiling tiling;
  Parameters<T> layers[kMaxTiledLayers];  ///< of all networks; phi may be null where no network has its own
  T* weights = nullptr;                   ///< network x tile x kWeightFields
};

template <class T>
[[nodiscard]] LaunchShape evaluation_weights_shape(const EvaluationWeights<T>& args);
/// \throws DeviceError
template <class T>
void evaluation_weights(const EvaluationWeights<T>& args, cudaStream_t stream);

/// results[n][b][s][.] = what network n predicts of example b, with mean weights for s = 0, and for s > 0
/// with those drawn at step (s - 1) batches + number of the minibatch: one draw for each minibatch of `batch`
/// examples, the last of which may be shorter.
template <class T>
struct PopulationEvaluation {
  int networks = 0;
  const NetworkConstants<T>* constants = nullptr;  ///< of these; their noise is Gaussian
  Tiling tiling;
  const T* weights = nullptr;  ///< of these, from evaluation_weights
  Inputs<T> inputs;            ///< a data set without an order; first_example is that of this launch
  int batch = 0;
  std::int64_t examples = 0;         ///< of this launch
  std::int64_t first_minibatch = 0;  ///< of this launch
  std::int64_t batches = 0;          ///< minibatches of the whole evaluation
  int slots = 0;                     ///< mean weights and draws
  std::uint32_t purpose = 0;         ///< of the noise contract
  bool log_softmax = true;           ///< of the last layer's outputs; else these as they are
  T* results = nullptr;              ///< network x example x slot x output
  EvaluationShape shape;
};

template <class T>
[[nodiscard]] LaunchShape population_evaluation_shape(const PopulationEvaluation<T>& args);

/// \pre a device that `trains_whole_networks` \throws ConfigError for a plan of none of the sizes that are
/// offered, or more blocks than a launch may have, DeviceError
template <class T>
void population_evaluation(const PopulationEvaluation<T>& args, cudaStream_t stream);

}  // namespace ensyn::kernels
