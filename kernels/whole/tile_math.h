/// \file
/// What the kernels that train whole networks compute for each weight: normals, sigma, costs and Adam. In
/// single precision by the special function unit (device/special.h), several times cheaper than the formulas
/// of the CPU backend and equal to them to rounding; in double precision by those formulas.
#pragma once

#include <device/special.h>

#include "ensyn/detail/arithmetic.h"
#include "kernels/base/network.h"
#include "kernels/device/quad.h"

namespace ensyn::kernels {

/// The normals of a quad.
__device__ inline Quad<double> tile_normals(const uint4& words, double /*type*/) {
  return quad_normals<double>(words);
}

/// A pair by Box and Muller, to 1e-5 where the radius is above 0.02 and to 1e-3 below, where the logarithm of
/// a number near 1 loses digits.
__device__ inline detail::NormalPair<float> fast_normal_pair(unsigned radius_word, unsigned angle_word) {
  const float u = fminf(detail::fused(static_cast<float>(radius_word), 0x1p-32f, 0x1p-33f), 1.0f);
  // -2 ln u = -2 ln 2 log2 u, which rounding must not make negative.
  const float radius = special::root(fmaxf(special::log2(u) * -1.38629436f, 0.0f));
  const float angle = static_cast<float>(static_cast<int>(angle_word)) * (3.14159265f * 0x1p-31f);
  return {radius * special::sine(angle), radius * special::cosine(angle)};
}
__device__ inline Quad<float> tile_normals(const uint4& words, float /*type*/) {
  const auto upper = fast_normal_pair(words.x, words.y), lower = fast_normal_pair(words.z, words.w);
  return {{{upper.first, upper.second}, {lower.first, lower.second}}};
}

__device__ inline detail::Softplus<double> tile_softplus(double phi) {
  return detail::softplus(phi);
}
/// log(1 + e^phi) and its derivative, to 3e-7 of themselves. The logarithm is a minimax fit of log(1 + e) / e
/// on [0, 1] (3.0e-8), which stays accurate where sigma is small, as the hardware's does not.
__device__ inline detail::Softplus<float> tile_softplus(float phi) {
  const float e = special::exp2(-fabsf(phi) * 1.44269504f), reciprocal = special::reciprocal(1.0f + e);
  const float ratio =
      detail::horner(e, 0x1.fffffep-1f, -0x1.fffeacp-2f, 0x1.553004p-2f, -0x1.fcc8c6p-3f, 0x1.874a82p-3f,
                     -0x1.17d2c4p-3f, 0x1.4069dep-4f, -0x1.e369f2p-6f, 0x1.56ee08p-8f);
  return {detail::fused(e, ratio, fmaxf(phi, 0.0f)), phi < 0 ? e * reciprocal : reciprocal};
}

/// What the costs add to a network's gradients. The first term is held in registers, others are read.
template <class T>
struct TileCosts {
  T magnitude, inverse_variance;
  detail::CostTermGradient<T> first;
  int count;
  const detail::CostTermGradient<T>* terms;

  __device__ explicit TileCosts(const NetworkConstants<T>& constants)
      : magnitude(constants.magnitude),
        inverse_variance(constants.inverse_variance),
        first(constants.terms[0]),
        count(constants.term_count),
        terms(constants.terms) {}
};

/// sum_k weight_k sigma^power_k + sigma * inverse_variance of some sigmas.
template <int kCount>
__device__ inline void tile_cost_gradients(const double (&sigma)[kCount], const TileCosts<double>& costs,
                                           double (&gradient)[kCount]) {
  ENSYN_UNROLL
  for (int i = 0; i < kCount; ++i)
    gradient[i] = detail::cost_gradient(sigma[i], costs.terms, costs.count, costs.inverse_variance);
}
template <int kCount>
__device__ inline void tile_cost_gradients(const float (&sigma)[kCount], const TileCosts<float>& costs,
                                           float (&gradient)[kCount]) {
  ENSYN_UNROLL
  for (int i = 0; i < kCount; ++i) gradient[i] = sigma[i] * costs.inverse_variance;
  ENSYN_ROLLED
  for (int k = 0; k < costs.count; ++k) {
    const detail::CostTermGradient<float> term = k == 0 ? costs.first : costs.terms[k];
    float power[kCount];
    if (term.halves == 6) {  // rho = 2
      ENSYN_UNROLL
      for (int i = 0; i < kCount; ++i) power[i] = special::reciprocal(sigma[i]);
    } else if (term.halves == 3) {  // rho = 1/2
      ENSYN_UNROLL
      for (int i = 0; i < kCount; ++i) power[i] = special::inverse_root(sigma[i]);
    } else {
      ENSYN_UNROLL
      for (int i = 0; i < kCount; ++i)
        power[i] = special::exp2(special::log2(sigma[i]) * (term.power * (1.0f / 3)));
    }
    ENSYN_UNROLL
    for (int i = 0; i < kCount; ++i)
      gradient[i] = detail::fused(power[i] * term.weight, power[i] * power[i], gradient[i]);
  }
}

/// A parameter with Adam's moments.
template <class T>
struct AdamState {
  T value, moment1, moment2;
};

/// The moments after a step with gradient g; returns the denominator of the step.
template <class T>
__device__ inline T advance_moments(T& m, T& v, T g, const detail::AdamRates<T>& rates) {
  m = detail::fused(rates.beta1, m, rates.one_minus_beta1 * g);
  v = detail::fused(rates.beta2, v, rates.one_minus_beta2 * g * g);
  if constexpr (sizeof(T) == 4) return detail::fused(special::root(v), rates.root_correction, rates.epsilon);
  return detail::fused(detail::root(v), rates.root_correction, rates.epsilon);
}

/// One step of Adam.
__device__ inline void tile_adam(AdamState<float>& x, float g, const detail::AdamRates<float>& rates) {
  const float denominator = advance_moments(x.moment1, x.moment2, g, rates);
  x.value = detail::fused(-rates.step_size * x.moment1, special::reciprocal(denominator), x.value);
}
__device__ inline void tile_adam(AdamState<double>& x, double g, const detail::AdamRates<double>& rates) {
  detail::adam(x.value, x.moment1, x.moment2, g, rates);
}

/// One step of Adam on mu and phi at once: one reciprocal serves both denominators, whose product stays
/// within 1e-16 (epsilon is 1e-8) and 1e38 for any gradient below 1e18.
__device__ inline void tile_adam(AdamState<float>& x, float gx, AdamState<float>& y, float gy,
                                 const detail::AdamRates<float>& rates) {
  const float dx = advance_moments(x.moment1, x.moment2, gx, rates);
  const float dy = advance_moments(y.moment1, y.moment2, gy, rates);
  const float both = special::reciprocal(dx * dy) * -rates.step_size;
  x.value = detail::fused(x.moment1 * dy, both, x.value);
  y.value = detail::fused(y.moment1 * dx, both, y.value);
}
__device__ inline void tile_adam(AdamState<double>& x, double gx, AdamState<double>& y, double gy,
                                 const detail::AdamRates<double>& rates) {
  tile_adam(x, gx, rates);
  tile_adam(y, gy, rates);
}

}  // namespace ensyn::kernels
