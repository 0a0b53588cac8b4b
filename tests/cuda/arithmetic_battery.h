/// \file
/// Every formula of ensyn/detail/formulas.inl and laws.inl, applied to one set of arguments. Included by a
/// source for g++ and one for nvcc, each with its own namespace, so that the linker cannot merge the two.
#pragma once

#include <array>
#include <cstdint>

#include "ensyn/detail/arithmetic.h"

namespace ensyn::battery {

inline constexpr int kFormulas = 21;

/// Results of all formulas.
template <class T>
using Results = std::array<T, kFormulas>;

template <class T>
struct Arguments {
  T x, unit, phi, mu, gradient;
  std::uint32_t radius_word, angle_word;
};

template <class T>
ENSYN_FN void apply(const Arguments<T>& a, T* out) {
  const detail::CostTermGradient<T> terms[] = {{T(-2), T(-3), 6}, {T(-0.5), T(-1.7), 0}};
  const detail::AdamRates<T> rates{T(0.9), T(0.1), T(0.999), T(0.001), T(1e-3), T(3), T(1e-8)};
  const auto normal = detail::box_muller(static_cast<T>(a.radius_word),
                                         static_cast<T>(static_cast<std::int32_t>(a.angle_word)));
  const auto sigma = detail::softplus(a.phi);
  const auto direction = detail::sin_cos_pi(a.unit);
  T mu = a.mu, m = a.gradient, v = a.gradient * a.gradient;
  detail::adam(mu, m, v, detail::add_magnitude_gradient(a.gradient, a.mu, T(0.01), T(0.5)), rates);
  const std::uint64_t keys[20] = {
      a.radius_word, a.angle_word, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20};
  const auto words =
      detail::philox<10>(detail::PhiloxWords<std::uint64_t>{a.radius_word, a.angle_word, 5, 7}, keys);
  out[0] = detail::exponential(a.x);
  out[1] = detail::logarithm(sigma.value);
  out[2] = detail::log1p_unit(detail::absolute(a.unit));
  out[3] = direction.sine;
  out[4] = direction.cosine;
  out[5] = normal.first;
  out[6] = normal.second;
  out[7] = sigma.value;
  out[8] = sigma.derivative;
  out[9] = detail::cost_gradient(sigma.value, terms, 2, T(0.25));
  out[10] = mu;
  out[11] = m;
  out[12] = v;
  out[13] = detail::relu(a.mu);
  out[14] = static_cast<T>(static_cast<std::uint32_t>(words.w0 ^ words.w1));
  out[15] = static_cast<T>(static_cast<std::uint32_t>(words.w2 ^ words.w3));
  const auto log_normal = detail::log_normal_weight(a.mu, sigma.value, normal.first);
  const auto binomial = detail::binomial_weight(a.mu, sigma.value, static_cast<T>(a.radius_word), 7);
  out[16] = log_normal.value;
  out[17] = log_normal.mu_slope;
  out[18] = log_normal.sigma_slope;
  out[19] = binomial.value;
  out[20] = binomial.sigma_slope;
}

Results<float> by_gcc(const Arguments<float>& a);
Results<double> by_gcc(const Arguments<double>& a);
Results<float> by_nvcc(const Arguments<float>& a);
Results<double> by_nvcc(const Arguments<double>& a);

}  // namespace ensyn::battery
