#include "host/cpu/member.h"

#include <cmath>

#include "ensyn/detail/arithmetic.h"

namespace ensyn::cpu {
namespace {

/// x^n by squaring: the same on every machine, unlike std::pow.
double power(double x, std::uint64_t n) {
  double result = 1.0;
  for (; n != 0; n >>= 1, x *= x) {
    if (n & 1) result *= x;
  }
  return result;
}

/// weight * sigma^-power as the kernels want it.
template <class T>
CostTermGradient<T> cost_gradient(double weight, double power) {
  const double halves = 2.0 * power;
  const bool short_way = halves == std::floor(halves) && halves >= 1 && halves <= detail::kMostHalves;
  return {static_cast<T>(weight), static_cast<T>(-power), short_way ? static_cast<int>(halves) : 0};
}

template <class T>
std::vector<CostTermGradient<T>> cost_gradients(const NetworkConfig& config, double fraction) {
  if (config.objective == Objective::variational) return {cost_gradient<T>(-fraction, 1.0)};
  std::vector<CostTermGradient<T>> terms;
  for (const CostTerm& term : config.costs) {
    terms.push_back(cost_gradient<T>(-term.c * term.rho * fraction, term.rho + 1.0));
  }
  return terms;
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
      parameters_(static_cast<double>(architecture.parameters())),
      shapes_(layer_shapes(architecture)),
      costs_(cost_gradients<T>(config, fraction)),
      magnitude_(static_cast<T>(config.lambda * fraction)) {
  if (config.objective == Objective::variational) {
    inverse_variance_ = static_cast<T>(fraction / (config.prior_sigma * config.prior_sigma));
  }
  for (const LayerShape& shape : shapes_)
    layers_.emplace_back(shape.elements() * static_cast<std::size_t>(fields()));
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
      if (homogeneous()) return;
      put(to[at + kPhi * kBlock], from.phi[i]);
      put(to[at + kPhiMoment1 * kBlock], from.phi_moment1[i]);
      put(to[at + kPhiMoment2 * kBlock], from.phi_moment2[i]);
    });
  }
  shared = {static_cast<T>(state.shared_phi.value), static_cast<T>(state.shared_phi.moment1),
            static_cast<T>(state.shared_phi.moment2)};
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
    if (!homogeneous()) {
      for (auto* values : {&to.phi, &to.phi_moment1, &to.phi_moment2}) values->resize(size);
    }
    for_elements(static_cast<int>(l), [&](std::size_t i, std::size_t at) {
      to.mu[i] = from[at + kMu * kBlock];
      to.mu_moment1[i] = from[at + kMuMoment1 * kBlock];
      to.mu_moment2[i] = from[at + kMuMoment2 * kBlock];
      if (homogeneous()) return;
      to.phi[i] = from[at + kPhi * kBlock];
      to.phi_moment1[i] = from[at + kPhiMoment1 * kBlock];
      to.phi_moment2[i] = from[at + kPhiMoment2 * kBlock];
    });
    state.layers.push_back(std::move(to));
  }
  state.shared_phi = {shared.phi, shared.moment1, shared.moment2};
  state.epoch = sums;
  return state;
}

template <class T>
RowGroup<T> Member<T>::row_group(int layer, int group) noexcept {
  const auto l = static_cast<std::size_t>(layer);
  const LayerShape& shape = shapes_[l];
  const int row = group * kRowGroup;
  return {layers_[l].data() + element_offset(shape, fields(), row, 0, 0), shape.blocks(), row, shape.columns};
}

template <class T>
UpdateRates<T> Member<T>::update_rates(std::uint64_t step) const {
  const AdamConfig& adam = config_.adam;
  const double correction1 = 1.0 - power(adam.beta1, step + 1),
               correction2 = 1.0 - power(adam.beta2, step + 1);
  UpdateRates<T> rates;
  rates.adam = {.beta1 = static_cast<T>(adam.beta1),
                .one_minus_beta1 = static_cast<T>(1.0 - adam.beta1),
                .beta2 = static_cast<T>(adam.beta2),
                .one_minus_beta2 = static_cast<T>(1.0 - adam.beta2),
                .step_size = static_cast<T>(adam.learning_rate / correction1),
                .root_correction = static_cast<T>(1.0 / std::sqrt(correction2)),
                .epsilon = static_cast<T>(adam.epsilon)};
  rates.magnitude = magnitude_;
  rates.inverse_variance = inverse_variance_;
  return rates;
}

template <class T>
CostRates<T> Member<T>::cost_rates() const noexcept {
  return {costs_.data(), static_cast<int>(costs_.size()), inverse_variance_};
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
void Member<T>::update_shared(Shared& s, double noise_gradient, const UpdateRates<T>& rates) const {
  const auto sigma = detail::softplus(s.phi);
  const auto cost = cost_rates();
  const T cost_slope = detail::cost_gradient(sigma.value, cost.terms, cost.count, cost.inverse_variance);
  // The published form divides by the number of parameters, which Adam's epsilon makes visible.
  const double gradient = noise_gradient / parameters_ + static_cast<double>(cost_slope);
  detail::adam(s.phi, s.moment1, s.moment2, static_cast<T>(gradient * static_cast<double>(sigma.derivative)),
               rates.adam);
}

template <class T>
void Member<T>::copy_weights(int layer, T* mu, T* sigma) const {
  const auto l = static_cast<std::size_t>(layer);
  const LayerShape& shape = shapes_[l];
  const T* from = layers_[l].data();
  const T common = homogeneous() ? shared_sigma(shared) : T(0);
  for (int row = 0; row < shape.rows; ++row) {
    for (int column = 0; column < shape.columns; ++column) {
      const auto at = element_offset(shape, fields(), row, column, 0);
      const auto to = static_cast<std::size_t>(row) * static_cast<std::size_t>(shape.stride()) +
                      static_cast<std::size_t>(column);
      mu[to] = from[at + kMu * kBlock];
      sigma[to] = homogeneous() ? common : detail::softplus(from[at + kPhi * kBlock]).value;
    }
  }
}

template class Member<float>;
template class Member<double>;

}  // namespace ensyn::cpu
