/// \file
/// Training whole networks in one kernel (kernels/whole/resident/resident_training.h,
/// kernels/whole/streamed/streamed_training.h): which populations can be, and how.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "ensyn/config.h"
#include "host/cuda/data.h"
#include "host/cuda/memory.h"
#include "host/cuda/networks.h"
#include "kernels/whole/resident/resident_training.h"
#include "kernels/whole/streamed/streamed_training.h"
#include "kernels/whole/tile_state.h"

namespace ensyn::cuda {

/// How a population is trained, and why so.
struct TrainingChoice {
  TrainingMethod method = TrainingMethod::graph;  ///< never `automatic`
  std::string reason;                             ///< for people
  /// Of networks that have a phi for each weight, and of others.
  struct Shapes {
    kernels::StreamedShape streamed;
    kernels::ResidentShape resident;
    int clusters = 0;  ///< that the device runs at a time, of `resident`
  } own_phi, shared_phi;
};

/// How many clusters of such a launch the device runs at a time; 0 for none.
using ClusterCount = std::function<int(const kernels::ResidentTraining&)>;
/// Asks the runtime; 0 where it refuses.
[[nodiscard]] int clusters_of_device(const kernels::ResidentTraining& training);

/// The one place that chooses: a pure function but for `clusters_of`. `pixels` says that inputs are bytes.
/// \throws ConfigError that says why, where `wanted` is a method that these networks or this device cannot be
/// trained by
[[nodiscard]] TrainingChoice choose_training(const PopulationConfig& config, bool pixels,
                                             const DeviceInfo& device, TrainingMethod wanted,
                                             const ClusterCount& clusters_of = clusters_of_device);

template <class T>
class WholeTraining {
 public:
  /// `networks` must outlive it. \param clusters of `resident` at a time; 0: as many as the device runs
  /// \throws OutOfMemoryError
  WholeTraining(const PopulationConfig& config, const DeviceNetworks<T>& networks,
                const TrainingChoice& choice, const Stream& stream, int clusters = 0);

  /// Queues `steps` steps of every member from where they are.
  void enqueue(const kernels::Inputs<T>& inputs, const DeviceData& data, std::uint64_t steps) const;

 private:
  /// Networks of one kind, which one launch trains.
  struct Part {
    bool own_phi = false;
    TrainingChoice::Shapes shapes;
    DeviceBuffer<int> members;
  };
  void streamed(const kernels::TiledTraining<T>& training, const Part& part) const;
  void resident(const kernels::TiledTraining<T>& training, const Part& part) const;

  TrainingMethod method_;
  int clusters_ = 0;  ///< of `resident` at a time; 0: as many as the device runs
  cudaStream_t stream_;
  kernels::TiledTraining<T> training_;
  kernels::TileState<T> tiles_;
  DeviceBuffer<T> state_;
  DeviceBuffer<std::int64_t> offsets_;
  std::vector<Part> parts_;
  DeviceBuffer<unsigned> queue_;
};

extern template class WholeTraining<float>;
extern template class WholeTraining<double>;

}  // namespace ensyn::cuda
