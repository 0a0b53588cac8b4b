#include "host/cpu/member.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "ensyn/detail/step.h"

namespace ensyn::cpu {
namespace {

template <class T>
bool all_finite(const T* values, int count) noexcept {
  // Without a branch for each, so that the compiler takes many at once; NaN compares as false.
  unsigned bad = 0;
  for (int i = 0; i < count; ++i)
    bad |= static_cast<unsigned>(!(std::fabs(values[i]) <= std::numeric_limits<T>::max()));
  return bad == 0;
}

}  // namespace

std::vector<LayerShape> layer_shapes(const Architecture& architecture) {
  std::vector<LayerShape> shapes;
  for (std::size_t l = 0; l + 1 < architecture.sizes.size(); ++l) {
    shapes.push_back({architecture.sizes[l + 1], architecture.sizes[l] + 1});
  }
  return shapes;
}

template <class T>
Member<T>::Member(const Architecture& architecture, const NetworkConfig& config, std::uint32_t stream,
                  double fraction)
    : config_(config),
      stream_(stream),
      groups_(config.noise, architecture),
      shapes_(layer_shapes(architecture)),
      constants_(step_constants<T>(config, fraction)) {
  for (const LayerShape& shape : shapes_) {
    layers_.emplace_back(shape.elements() * static_cast<std::size_t>(fields()));
    if (config.law == NoiseLaw::log_normal) mu_slopes_.emplace_back(shape.elements());
  }
}

template <class T>
template <class Visit>
void Member<T>::for_elements(int layer, const Visit& visit) const {
  const LayerShape& shape = shapes_[static_cast<std::size_t>(layer)];
  std::size_t i = 0;
  for (int row = 0; row < shape.rows; ++row) {
    for (int column = 0; column < shape.columns; ++column, ++i) {
      visit(i, element_offset(shape, fields(), row, column, 0));
    }
  }
}

template <class T>
void Member<T>::import_state(const NetworkState& state) {
  for (std::size_t l = 0; l < layers_.size(); ++l) {
    const LayerState& from = state.layers[l];
    T* to = layers_[l].data();
    const auto put = [](T& element, double value) { element = static_cast<T>(value); };
    for_elements(static_cast<int>(l), [&](std::size_t i, std::size_t at) {
      put(to[at + kMu * kBlock], from.mu[i]);
      put(to[at + kMuMoment1 * kBlock], from.mu_moment1[i]);
      put(to[at + kMuMoment2 * kBlock], from.mu_moment2[i]);
      if (shares_phi()) return;
      put(to[at + kPhi * kBlock], from.phi[i]);
      put(to[at + kPhiMoment1 * kBlock], from.phi_moment1[i]);
      put(to[at + kPhiMoment2 * kBlock], from.phi_moment2[i]);
    });
  }
  shared.clear();
  for (std::size_t g = 0; g < groups_.count(); ++g) {
    shared.push_back({static_cast<T>(state.shared_phi.value[g]), static_cast<T>(state.shared_phi.moment1[g]),
                      static_cast<T>(state.shared_phi.moment2[g])});
  }
  sums = state.epoch;
}

template <class T>
NetworkState Member<T>::export_state() const {
  NetworkState state;
  for (std::size_t l = 0; l < layers_.size(); ++l) {
    const T* from = layers_[l].data();
    LayerState to;
    to.rows = shapes_[l].rows;
    to.columns = shapes_[l].columns;
    const auto size = static_cast<std::size_t>(to.rows) * static_cast<std::size_t>(to.columns);
    for (auto* values : {&to.mu, &to.mu_moment1, &to.mu_moment2}) values->resize(size);
    if (!shares_phi()) {
      for (auto* values : {&to.phi, &to.phi_moment1, &to.phi_moment2}) values->resize(size);
    }
    for_elements(static_cast<int>(l), [&](std::size_t i, std::size_t at) {
      to.mu[i] = from[at + kMu * kBlock];
      to.mu_moment1[i] = from[at + kMuMoment1 * kBlock];
      to.mu_moment2[i] = from[at + kMuMoment2 * kBlock];
      if (shares_phi()) return;
      to.phi[i] = from[at + kPhi * kBlock];
      to.phi_moment1[i] = from[at + kPhiMoment1 * kBlock];
      to.phi_moment2[i] = from[at + kPhiMoment2 * kBlock];
    });
    state.layers.push_back(std::move(to));
  }
  for (const Shared& group : shared) {
    state.shared_phi.value.push_back(group.phi);
    state.shared_phi.moment1.push_back(group.moment1);
    state.shared_phi.moment2.push_back(group.moment2);
  }
  state.epoch = sums;
  return state;
}

template <class T>
bool Member<T>::is_finite() const noexcept {
  const int tensors = shares_phi() ? kMuMoment2 + 1 : kPhiMoment2 + 1;
  for (std::size_t l = 0; l < layers_.size(); ++l) {
    const LayerShape& shape = shapes_[l];
    for (int row = 0; row < shape.rows; ++row) {
      for (int column = 0; column < shape.columns; column += kBlock) {
        const T* block = layers_[l].data() + element_offset(shape, fields(), row, column, 0);
        const int width = std::min(kBlock, shape.columns - column);
        for (int tensor = 0; tensor < tensors; ++tensor) {
          if (!all_finite(block + tensor * kBlock, width)) return false;
        }
      }
    }
  }
  return std::isfinite(sums.nll) && std::ranges::all_of(shared, [](const Shared& group) {
           const T values[] = {group.phi, group.moment1, group.moment2};
           return all_finite(values, 3);
         });
}

template <class T>
RowGroup<T> Member<T>::row_group(int layer, int group) noexcept {
  const auto l = static_cast<std::size_t>(layer);
  const LayerShape& shape = shapes_[l];
  const int row = group * kRowGroup;
  T* mu_slope = mu_slopes_.empty() ? nullptr : mu_slopes_[l].data() + element_offset(shape, 1, row, 0, 0);
  return {layers_[l].data() + element_offset(shape, fields(), row, 0, 0), shape.blocks(), row, shape.columns,
          mu_slope};
}

template <class T>
UpdateRates<T> Member<T>::update_rates(std::uint64_t step) const {
  const AdamConfig& adam = config_.adam;
  return {.adam = detail::adam_rates<T>(adam.learning_rate, adam.beta1, adam.beta2, adam.epsilon, step),
          .magnitude = constants_.magnitude,
          .inverse_variance = constants_.inverse_variance,
          .inverse_scale = constants_.inverse_scale};
}

template <class T>
CostRates<T> Member<T>::cost_rates() const noexcept {
  return {constants_.terms.data(), static_cast<int>(constants_.terms.size()), constants_.inverse_variance};
}

template <class T>
std::vector<NoiseStream> Member<T>::noise(std::uint64_t step, Purpose purpose) const {
  std::vector<NoiseStream> streams;
  for (std::uint32_t l = 0; l < shapes_.size(); ++l) {
    streams.push_back(NoiseStream::from({config_.seed, stream_, step, l, purpose}));
  }
  return streams;
}

template <class T>
T Member<T>::shared_sigma(const Shared& s) const {
  return detail::softplus(s.phi).value;
}

template <class T>
void Member<T>::update_shared(Shared& s, std::size_t group, double noise_gradient,
                              const UpdateRates<T>& rates) const {
  const auto cost = cost_rates();
  detail::update_shared_phi(s, noise_gradient, groups_.size(group), cost.terms, cost.count,
                            cost.inverse_variance, rates.adam);
}

template <class T>
void Member<T>::copy_weights(int layer, T* mu, T* sigma) const {
  const auto l = static_cast<std::size_t>(layer);
  const LayerShape& shape = shapes_[l];
  const T* from = layers_[l].data();
  for (int row = 0; row < shape.rows; ++row) {
    const T common = shares_phi() ? shared_sigma(shared[groups_.of(layer, row)]) : T(0);
    for (int column = 0; column < shape.columns; ++column) {
      const auto at = element_offset(shape, fields(), row, column, 0);
      const auto to = static_cast<std::size_t>(row) * static_cast<std::size_t>(shape.stride()) +
                      static_cast<std::size_t>(column);
      mu[to] = from[at + kMu * kBlock];
      sigma[to] = shares_phi() ? common : detail::softplus(from[at + kPhi * kBlock]).value;
    }
  }
}

template class Member<float>;
template class Member<double>;

}  // namespace ensyn::cpu
