#include "host/cuda/whole_training.h"

#include "host/likelihood.h"

namespace ensyn::cuda {

template <class T>
WholeTraining<T>::WholeTraining(const PopulationConfig& config, const DeviceNetworks<T>& networks,
                                const TrainingChoice& choice, const Stream& stream)
    : networks_(networks), stream_(stream.get()) {
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
    part.shape = own_phi ? choice.own_phi : choice.shared_phi;
    part.members = DeviceBuffer<int>(of_kind.size(), "the networks' numbers");
    copy_to_device<int>(part.members.data(), of_kind, stream_);
  }

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
void WholeTraining<T>::enqueue(const kernels::Inputs<T>& inputs, const DeviceData& data,
                               std::uint64_t steps) const {
  if (steps == 0) return;
  kernels::to_tiles(tiles_, stream_);
  for (const Part& part : parts_) {
    kernels::StreamedTraining<T> args;
    args.of = training_;
    args.of.networks = static_cast<int>(part.members.size());
    args.of.members = part.members.data();
    args.of.own_phi = part.own_phi;
    args.of.inputs = inputs;
    args.of.labels = data.labels();
    args.of.targets = data.targets();
    args.of.steps = steps;
    args.shape = part.shape;
    kernels::streamed_training(args, stream_);
  }
  kernels::from_tiles(tiles_, stream_);
}

template class WholeTraining<float>;
template class WholeTraining<double>;

}  // namespace ensyn::cuda
