#include "host/cuda/whole_training.h"

#include <algorithm>

#include "ensyn/error.h"
#include "host/model/likelihood.h"

namespace ensyn::cuda {

int clusters_of_device(const kernels::ResidentTraining& training) {
  try {
    return kernels::resident_clusters(training);
  } catch (const DeviceError&) {
    return 0;
  }
}

template <class T>
WholeTraining<T>::WholeTraining(const PopulationConfig& config, const DeviceNetworks<T>& networks,
                                const TrainingChoice& choice, const Stream& stream, int clusters)
    : method_(choice.method), clusters_(clusters), stream_(stream.get()) {
  const std::vector<kernels::Layer>& layers = networks.layers();
  const kernels::Tiling tiling = kernels::tiling_of(layers.data(), static_cast<int>(layers.size()));
  std::vector<std::int64_t> offsets;
  std::vector<int> members[2];
  std::int64_t elements = 0;
  for (int m = 0; m < networks.count(); ++m) {
    const bool own_phi = config.members[static_cast<std::size_t>(m)].noise == NoiseKind::heterogeneous;
    members[own_phi ? 1 : 0].push_back(m);
    offsets.push_back(elements);
    elements += kernels::tiled_elements(tiling, own_phi);
  }
  state_ = DeviceBuffer<T>(static_cast<std::size_t>(elements), "the networks' parameters in tiles");
  offsets_ = DeviceBuffer<std::int64_t>(offsets.size(), "the networks' places");
  copy_to_device<std::int64_t>(offsets_.data(), offsets, stream_);
  for (const bool own_phi : {true, false}) {
    const std::vector<int>& of_kind = members[own_phi ? 1 : 0];
    if (of_kind.empty()) continue;
    Part& part = parts_.emplace_back();
    part.own_phi = own_phi;
    part.shapes = own_phi ? choice.own_phi : choice.shared_phi;
    part.members = DeviceBuffer<int>(of_kind.size(), "the networks' numbers");
    copy_to_device<int>(part.members.data(), of_kind, stream_);
  }

  queue_ = DeviceBuffer<unsigned>(1, "a queue");

  tiles_.networks = networks.count();
  tiles_.constants = networks.constants();
  tiles_.tiling = tiling;
  for (int l = 0; l < tiling.layer_count; ++l) tiles_.layers[l] = networks.parameters(l);
  tiles_.state = state_.data();
  tiles_.state_offsets = offsets_.data();

  training_.constants = networks.constants();
  training_.progress = networks.progress();
  training_.shared_phi = networks.shared_phi();
  training_.groups = networks.phi_groups();
  training_.tiling = tiling;
  training_.state = state_.data();
  training_.state_offsets = offsets_.data();
  training_.batch = config.batch;
  if (config.architecture.likelihood == Likelihood::gaussian) {
    const auto gaussian = GaussianConstants<T>::of(config.architecture);
    training_.inverse_variance = gaussian.inverse_variance;
    training_.error_constant = gaussian.constant;
  }
  // The vectors of this function are read until here.
  stream.wait();
}

template <class T>
void WholeTraining<T>::streamed(const kernels::TiledTraining<T>& training, const Part& part) const {
  kernels::streamed_training<T>({training, part.shapes.streamed}, stream_);
}

template <class T>
void WholeTraining<T>::resident(const kernels::TiledTraining<T>& training, const Part& part) const {
  if constexpr (sizeof(T) == sizeof(float)) {
    kernels::ResidentTraining args{training, part.shapes.resident};
    args.clusters = std::min(training.networks, clusters_ > 0 ? clusters_ : part.shapes.clusters);
    args.queue = queue_.data();
    clear(queue_, stream_);
    kernels::resident_training(args, stream_);
  }
}

template <class T>
void WholeTraining<T>::enqueue(const kernels::Inputs<T>& inputs, const DeviceData& data,
                               std::uint64_t steps) const {
  if (steps == 0) return;
  kernels::to_tiles(tiles_, stream_);
  for (const Part& part : parts_) {
    kernels::TiledTraining<T> training = training_;
    training.networks = static_cast<int>(part.members.size());
    training.members = part.members.data();
    training.own_phi = part.own_phi;
    training.inputs = inputs;
    training.labels = data.labels();
    training.targets = data.targets();
    training.steps = steps;
    if (method_ == TrainingMethod::resident) {
      resident(training, part);
    } else {
      streamed(training, part);
    }
  }
  kernels::from_tiles(tiles_, stream_);
}

template class WholeTraining<float>;
template class WholeTraining<double>;

}  // namespace ensyn::cuda
