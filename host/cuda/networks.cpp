#include "host/cuda/networks.h"

#include <algorithm>
#include <array>
#include <map>

#include "ensyn/detail/step.h"
#include "ensyn/error.h"
#include "host/model/engine.h"
#include "host/model/phi_groups.h"
#include "host/model/step_constants.h"
#include "kernels/initialize.h"
#include "kernels/not_finite.h"

namespace ensyn::cuda {
namespace {

using kernels::InitialValues;
using kernels::Layer;
using kernels::NetworkConstants;
using kernels::NetworkProgress;
using kernels::PhiGroup;

static_assert(kernels::kNoStep == kNoDivergence);

/// A row begins on 16 bytes whatever the type.
constexpr int kRowAlignment = 4;

/// CUDA numbers blocks in z, one for each network, with 16 bits.
constexpr std::size_t kMostNetworks = 65535;

kernels::Sharing sharing_of(NoiseKind noise) {
  switch (noise) {
    case NoiseKind::per_neuron:
      return kernels::Sharing::row;
    case NoiseKind::per_layer:
      return kernels::Sharing::layer;
    case NoiseKind::homogeneous:
      return kernels::Sharing::network;
    case NoiseKind::heterogeneous:
      break;
  }
  return kernels::Sharing::none;
}

template <class T>
NetworkConstants<T> constants_of(const NetworkConfig& config, std::uint32_t stream, double fraction) {
  const StepConstants<T> step = step_constants<T>(config, fraction);
  if (step.terms.size() > kernels::kMaxCostTerms) {
    throw ConfigError("a network on a CUDA device has at most " + std::to_string(kernels::kMaxCostTerms) +
                      " cost terms, but " + std::to_string(step.terms.size()) +
                      " were given: use fewer, or --device cpu");
  }
  NetworkConstants<T> constants;
  constants.seed = config.seed;
  constants.stream = static_cast<std::uint64_t>(stream) << 40;
  constants.learning_rate = config.adam.learning_rate;
  constants.beta1 = config.adam.beta1;
  constants.beta2 = config.adam.beta2;
  constants.epsilon = config.adam.epsilon;
  constants.magnitude = step.magnitude;
  constants.inverse_variance = step.inverse_variance;
  constants.inverse_scale = step.inverse_scale;
  std::copy(step.terms.begin(), step.terms.end(), constants.terms);
  constants.term_count = static_cast<int>(step.terms.size());
  constants.sharing = sharing_of(config.noise);
  constants.law = config.law;
  constants.vesicles = config.vesicles;
  return constants;
}

/// The groups of weights that share a phi, with the partial sums of kernels::HomogeneousUpdate that belong to
/// each.
std::vector<PhiGroup> kernel_groups(NoiseKind noise, const Architecture& architecture) {
  constexpr int kFour = 4;
  const PhiGroups groups(noise, architecture);
  std::vector<PhiGroup> result(groups.count());
  if (result.empty()) return result;
  int four = 0;
  for (const Layer& layer : device_layers(architecture)) {
    for (int row = 0; row < layer.rows; row += groups.by_row() ? 1 : kFour) {
      const std::size_t g = groups.of(layer.tensor, row);
      const int part = groups.by_row() ? kFour * four + row : four + row / kFour;
      if (result[g].part_count == 0) result[g] = {part, 0, groups.size(g)};
      ++result[g].part_count;
    }
    four += kernels::ceil_divide(layer.rows, kFour);
  }
  return result;
}

/// Moves one layer between the padded rows of a field and a dense matrix, by assign(dense element, field
/// element).
template <class Field, class Dense, class Assign>
void for_layer(const Layer& layer, Field* field, Dense& dense, const Assign& assign) {
  std::size_t i = 0;
  for (int row = 0; row < layer.rows; ++row, field += layer.stride) {
    for (int column = 0; column < layer.columns; ++column) assign(dense[i++], field[column]);
  }
}

/// The vectors of one layer's state in the order of the fields.
template <class State>
auto fields_of(State& layer) {
  return std::array{&layer.mu,  &layer.mu_moment1,  &layer.mu_moment2,
                    &layer.phi, &layer.phi_moment1, &layer.phi_moment2};
}

}  // namespace

std::vector<Layer> device_layers(const Architecture& architecture) {
  std::vector<Layer> layers;
  int first_row = 0;
  for (int l = 0; l < architecture.layers(); ++l) {
    const int columns = architecture.sizes[static_cast<std::size_t>(l)] + 1;
    layers.push_back({architecture.sizes[static_cast<std::size_t>(l) + 1], columns,
                      kernels::ceil_divide(columns, kRowAlignment) * kRowAlignment, l, l, first_row});
    first_row += layers.back().rows;
  }
  return layers;
}

template <class T>
DeviceNetworks<T>::DeviceNetworks(const PopulationConfig& config, double fraction, cudaStream_t stream)
    : configs_(config.members), layers_(device_layers(config.architecture)) {
  const std::size_t count = configs_.size();
  if (count > kMostNetworks) {
    throw ConfigError("a CUDA device trains at most " + std::to_string(kMostNetworks) +
                      " networks at once, but " + std::to_string(count) + " were given: train them in parts");
  }
  for (const Layer& layer : layers_) {
    offsets_.push_back(network_stride_);
    network_stride_ += static_cast<std::int64_t>(layer.rows) * layer.stride;
  }
  for (const NetworkConfig& member : configs_) {
    (member.noise == NoiseKind::heterogeneous ? any_heterogeneous_ : any_shared_) = true;
    if (member.noise == NoiseKind::per_neuron) any_by_row_ = true;
    if (step_constants<T>(member, fraction).inverse_scale != 0) any_laplace_ = true;
  }
  const std::size_t fields = any_heterogeneous_ ? kFields : kFields / 2;
  state_ =
      DeviceBuffer<T>(fields * count * static_cast<std::size_t>(network_stride_), "the networks' parameters");
  constants_ = DeviceBuffer<NetworkConstants<T>>(count, "the networks' constants");
  progress_ = DeviceBuffer<NetworkProgress<T>>(count, "the networks' progress");
  mirror_ = PinnedBuffer<NetworkProgress<T>>(count, "the networks' progress");
  not_finite_ = DeviceBuffer<unsigned>(count, "the networks' flags");

  std::vector<NetworkConstants<T>> constants;
  std::vector<InitialValues> initial;
  std::vector<T> shared;
  std::vector<PhiGroup> groups;
  std::map<NoiseKind, int> first_group;
  for (std::size_t m = 0; m < count; ++m) {
    const auto member = static_cast<int>(m);
    const NoiseKind noise = configs_[m].noise;
    if (first_group.emplace(noise, static_cast<int>(groups.size())).second) {
      const auto own = kernel_groups(noise, config.architecture);
      groups.insert(groups.end(), own.begin(), own.end());
    }
    first_phi_.push_back(shared.size() / 3);
    constants.push_back(constants_of<T>(configs_[m], stream_of(configs_[m], member), fraction));
    constants.back().first_phi = static_cast<std::int64_t>(first_phi_.back());
    constants.back().first_group = first_group[noise];
    constants.back().group_count = static_cast<int>(phi_group_count(noise, config.architecture));
    initial.push_back({configs_[m].mu_range, inverse_softplus(configs_[m].sigma_init)});
    for (int g = 0; g < constants.back().group_count; ++g) {
      shared.insert(shared.end(), {static_cast<T>(initial.back().phi), T(0), T(0)});
    }
    mirror_.data()[m] = progress_at(member, 0);
  }
  first_phi_.push_back(shared.size() / 3);
  shared_phi_ = DeviceBuffer<T>(shared.size(), "the networks' shared phi");
  phi_groups_ = DeviceBuffer<PhiGroup>(groups.size(), "the groups of weights that share a phi");
  const DeviceBuffer<InitialValues> device_initial(count, "initial values");
  copy_to_device<NetworkConstants<T>>(constants_.data(), constants, stream);
  copy_to_device<InitialValues>(device_initial.data(), initial, stream);
  copy_to_device<T>(shared_phi_.data(), shared, stream);
  copy_to_device<PhiGroup>(phi_groups_.data(), groups, stream);
  upload_progress(stream);
  for (int l = 0; l < static_cast<int>(layers_.size()); ++l) {
    kernels::initialize<T>(
        {all(), device_initial.data(), {}, layers_[static_cast<std::size_t>(l)], parameters(l)}, stream);
  }
  // The buffers of this function are read until here.
  check(cudaStreamSynchronize(stream), "initialising the networks");
}

template <class T>
kernels::Networks<T> DeviceNetworks<T>::all() const {
  kernels::Networks<T> networks;
  networks.count = count();
  networks.constants = constants_.data();
  networks.progress = progress_.data();
  networks.shared_phi = shared_phi_.data();
  networks.other_laws = std::any_of(configs_.begin(), configs_.end(), [](const NetworkConfig& member) {
    return member.law != NoiseLaw::gaussian;
  });
  networks.any_laplace = any_laplace_;
  return networks;
}

template <class T>
kernels::Networks<T> DeviceNetworks<T>::one(int member) const {
  kernels::Networks<T> networks = all();
  networks.count = 1;
  networks.constants += member;
  networks.progress += member;
  networks.other_laws = configs_[static_cast<std::size_t>(member)].law != NoiseLaw::gaussian;
  return networks;
}

template <class T>
T* DeviceNetworks<T>::field(int index) const noexcept {
  if (index >= kFields / 2 && !any_heterogeneous_) return nullptr;
  return state_.data() + index * count() * network_stride_;
}

template <class T>
kernels::Parameters<T> DeviceNetworks<T>::parameters(int layer, int member) const {
  const std::int64_t offset = member * network_stride_ + offsets_[static_cast<std::size_t>(layer)];
  const auto at = [&](int index) { return field(index) == nullptr ? nullptr : field(index) + offset; };
  return {at(0), at(1), at(2), at(3), at(4), at(5), network_stride_};
}

template <class T>
NetworkProgress<T> DeviceNetworks<T>::progress_at(int member, std::uint64_t step) const {
  const AdamConfig& adam = configs_[static_cast<std::size_t>(member)].adam;
  NetworkProgress<T> progress;
  progress.step = step;
  progress.adam =
      ensyn::detail::adam_rates<T>(adam.learning_rate, adam.beta1, adam.beta2, adam.epsilon, step);
  return progress;
}

template <class T>
void DeviceNetworks<T>::download_progress(cudaStream_t stream) {
  copy_from_device<NetworkProgress<T>>({mirror_.data(), mirror_.size()}, progress_.data(), stream);
}

template <class T>
void DeviceNetworks<T>::upload_progress(cudaStream_t stream) {
  copy_to_device<NetworkProgress<T>>(progress_.data(), std::span(mirror_.data(), mirror_.size()), stream);
}

template <class T>
void DeviceNetworks<T>::set_step(std::uint64_t step, cudaStream_t stream) {
  bool changed = false;
  for (int m = 0; m < count(); ++m) {
    NetworkProgress<T>& progress = mirror_.data()[m];
    if (progress.step == step) continue;
    const NetworkProgress<T> sums = progress;
    progress = progress_at(m, step);
    progress.examples = sums.examples, progress.correct = sums.correct, progress.nll = sums.nll;
    changed = true;
  }
  if (changed) upload_progress(stream);
}

template <class T>
void DeviceNetworks<T>::clear_epoch_sums(cudaStream_t stream) {
  for (NetworkProgress<T>& progress : std::span(mirror_.data(), mirror_.size())) {
    progress.examples = progress.correct = 0;
    progress.nll = 0;
  }
  upload_progress(stream);
}

template <class T>
std::optional<int> DeviceNetworks<T>::first_not_finite(const Stream& stream) const {
  clear(not_finite_, stream.get());
  for (std::size_t l = 0; l < layers_.size(); ++l) {
    kernels::not_finite<T>({all(), layers_[l], parameters(static_cast<int>(l)), not_finite_.data()},
                           stream.get());
  }
  std::vector<unsigned> flags(not_finite_.size());
  copy_from_device<unsigned>(flags, not_finite_.data(), stream.get());
  stream.wait();
  const auto found = std::find(flags.begin(), flags.end(), 1U);
  if (found == flags.end()) return std::nullopt;
  return static_cast<int>(found - flags.begin());
}

template <class T>
int DeviceNetworks<T>::fields_of_member(int member) const noexcept {
  return configs_[static_cast<std::size_t>(member)].noise == NoiseKind::heterogeneous ? kFields : kFields / 2;
}

template <class T>
NetworkState DeviceNetworks<T>::read(int member, const Stream& stream) const {
  const int fields = fields_of_member(member);
  std::vector<T> host(static_cast<std::size_t>(fields * network_stride_));
  const auto m = static_cast<std::size_t>(member);
  std::vector<T> shared(3 * (first_phi_[m + 1] - first_phi_[m]));
  for (int f = 0; f < fields; ++f) {
    copy_from_device<T>(std::span(host).subspan(static_cast<std::size_t>(f * network_stride_),
                                                static_cast<std::size_t>(network_stride_)),
                        field(f) + member * network_stride_, stream.get());
  }
  copy_from_device<T>(shared, shared_phi_.data() + 3 * first_phi_[m], stream.get());
  stream.wait();

  NetworkState state;
  for (std::size_t l = 0; l < layers_.size(); ++l) {
    LayerState& to = state.layers.emplace_back();
    to.rows = layers_[l].rows;
    to.columns = layers_[l].columns;
    const auto vectors = fields_of(to);
    for (int f = 0; f < fields; ++f) {
      std::vector<double>& dense = *vectors[static_cast<std::size_t>(f)];
      dense.resize(static_cast<std::size_t>(to.rows) * static_cast<std::size_t>(to.columns));
      for_layer(layers_[l], host.data() + f * network_stride_ + offsets_[l], dense,
                [](double& element, T value) { element = value; });
    }
  }
  const NetworkProgress<T>& progress = mirror(member);
  for (std::size_t at = 0; at < shared.size(); at += 3) {
    state.shared_phi.value.push_back(shared[at]);
    state.shared_phi.moment1.push_back(shared[at + 1]);
    state.shared_phi.moment2.push_back(shared[at + 2]);
  }
  state.epoch = {progress.examples, progress.correct, progress.nll};
  return state;
}

template <class T>
void DeviceNetworks<T>::write(int member, const NetworkState& state, const Stream& stream) {
  const int fields = fields_of_member(member);
  std::vector<T> host(static_cast<std::size_t>(fields * network_stride_));
  for (std::size_t l = 0; l < layers_.size(); ++l) {
    const auto vectors = fields_of(state.layers[l]);
    for (int f = 0; f < fields; ++f) {
      for_layer(layers_[l], host.data() + f * network_stride_ + offsets_[l],
                *vectors[static_cast<std::size_t>(f)],
                [](double value, T& element) { element = static_cast<T>(value); });
    }
  }
  for (int f = 0; f < fields; ++f) {
    copy_to_device<T>(field(f) + member * network_stride_,
                      std::span(host).subspan(static_cast<std::size_t>(f * network_stride_),
                                              static_cast<std::size_t>(network_stride_)),
                      stream.get());
  }
  const SharedPhi& from = state.shared_phi;
  std::vector<T> shared;
  for (std::size_t g = 0; g < from.value.size(); ++g) {
    shared.insert(shared.end(), {static_cast<T>(from.value[g]), static_cast<T>(from.moment1[g]),
                                 static_cast<T>(from.moment2[g])});
  }
  copy_to_device<T>(shared_phi_.data() + 3 * first_phi_[static_cast<std::size_t>(member)], shared,
                    stream.get());
  NetworkProgress<T>& progress = mirror_.data()[member];
  progress.examples = state.epoch.examples;
  progress.correct = state.epoch.correct;
  progress.nll = state.epoch.nll;
  progress.diverged_at = kernels::kNoStep;
  upload_progress(stream.get());
  stream.wait();
}

template class DeviceNetworks<float>;
template class DeviceNetworks<double>;

}  // namespace ensyn::cuda
