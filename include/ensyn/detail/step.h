/// \file
/// Scalars of one training step, for g++ and for nvcc: Adam's rates and the update of a shared phi. Not part
/// of the stable API.
#pragma once

#include <cmath>
#include <cstdint>

#include "ensyn/detail/arithmetic.h"

namespace ensyn::detail {

/// x^n by squaring: the same on every machine, unlike std::pow.
ENSYN_FN double power(double x, std::uint64_t n) {
  double result = 1.0;
  for (; n != 0; n >>= 1, x *= x) {
    if (n & 1) result *= x;
  }
  return result;
}

/// Adam's constants at the step with zero-based number `step`.
template <class T>
ENSYN_FN AdamRates<T> adam_rates(double learning_rate, double beta1, double beta2, double epsilon,
                                 std::uint64_t step) {
  const double correction1 = 1.0 - power(beta1, step + 1), correction2 = 1.0 - power(beta2, step + 1);
  return {static_cast<T>(beta1),
          static_cast<T>(1.0 - beta1),
          static_cast<T>(beta2),
          static_cast<T>(1.0 - beta2),
          static_cast<T>(learning_rate / correction1),
          static_cast<T>(1.0 / std::sqrt(correction2)),
          static_cast<T>(epsilon)};
}

/// A phi that the weights of one group share, with its moments.
template <class T>
struct SharedPhiValues {
  T phi = 0, moment1 = 0, moment2 = 0;
};

/// One step of Adam on a shared phi. `noise_gradient` is the sum over the group's parameters of dL/dw *
/// xi, `parameters` their number: the published form divides by it, which Adam's epsilon makes visible.
template <class T>
ENSYN_FN void update_shared_phi(SharedPhiValues<T>& shared, double noise_gradient, double parameters,
                                const CostTermGradient<T>* terms, int term_count, T inverse_variance,
                                const AdamRates<T>& rates) {
  const Softplus<T> sigma = softplus(shared.phi);
  const T cost_slope = cost_gradient(sigma.value, terms, term_count, inverse_variance);
  const double gradient = noise_gradient / parameters + static_cast<double>(cost_slope);
  adam(shared.phi, shared.moment1, shared.moment2,
       static_cast<T>(gradient * static_cast<double>(sigma.derivative)), rates);
}

}  // namespace ensyn::detail
