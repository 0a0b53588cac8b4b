/// \file
/// Training whole networks in one kernel (kernels/streamed_training.h): which populations can be, and how.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "ensyn/config.h"
#include "host/cuda/data.h"
#include "host/cuda/memory.h"
#include "host/cuda/networks.h"
#include "kernels/streamed_training.h"
#include "kernels/tile_state.h"

namespace ensyn::cuda {

/// How a population is trained, and why so.
struct TrainingChoice {
  TrainingMethod method = TrainingMethod::graph;  ///< never `automatic`
  std::string reason;                             ///< for people
  kernels::StreamedShape own_phi, shared_phi;     ///< of `streamed`, for networks of either kind
};

/// The one place that chooses: a pure function. `pixels` says that inputs are bytes.
/// \throws ConfigError that says why, where `wanted` is a method that these networks or this device cannot be
/// trained by
[[nodiscard]] TrainingChoice choose_training(const PopulationConfig& config, bool pixels,
                                             const DeviceInfo& device, TrainingMethod wanted);

template <class T>
class WholeTraining {
 public:
  /// `networks` must outlive it. \throws OutOfMemoryError
  WholeTraining(const PopulationConfig& config, const DeviceNetworks<T>& networks,
                const TrainingChoice& choice, const Stream& stream);

  /// Queues `steps` steps of every member from where they are.
  void enqueue(const kernels::Inputs<T>& inputs, const DeviceData& data, std::uint64_t steps) const;

 private:
  /// Networks of one kind, which one launch trains.
  struct Part {
    bool own_phi = false;
    kernels::StreamedShape shape;
    DeviceBuffer<int> members;
  };

  const DeviceNetworks<T>& networks_;
  cudaStream_t stream_;
  kernels::TiledTraining<T> training_;
  kernels::TileState<T> tiles_;
  DeviceBuffer<T> state_;
  DeviceBuffer<std::int64_t> offsets_;
  std::vector<Part> parts_;
};

extern template class WholeTraining<float>;
extern template class WholeTraining<double>;

}  // namespace ensyn::cuda
