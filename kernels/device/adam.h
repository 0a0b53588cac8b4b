/// \file
/// One step of Adam on parameters in device memory.
#pragma once

#include "ensyn/detail/arithmetic.h"
#include "kernels/base/network.h"

namespace ensyn::kernels {

/// On mu at offset `at`, with the gradient of the loss `g`, magnitude cost and prior added.
template <class T>
__device__ inline void update_mu(const Parameters<T>& parameters, std::int64_t at, T g,
                                 const NetworkConstants<T>& constants, const detail::AdamRates<T>& rates) {
  T mu = parameters.mu[at], m = parameters.mu_moment1[at], v = parameters.mu_moment2[at];
  detail::adam(mu, m, v,
               detail::add_magnitude_gradient(g, mu, constants.magnitude, constants.inverse_variance), rates);
  parameters.mu[at] = mu;
  parameters.mu_moment1[at] = m;
  parameters.mu_moment2[at] = v;
}

/// On phi at offset `at`, with the gradient of the loss in the weight `g`, dw/dsigma, and, with kPrior, that
/// of a Laplace prior in sigma.
template <bool kPrior, class T>
__device__ inline void update_phi(const Parameters<T>& parameters, std::int64_t at, T g, T sigma_slope,
                                  T prior, const NetworkConstants<T>& constants,
                                  const detail::AdamRates<T>& rates) {
  T phi = parameters.phi[at], m = parameters.phi_moment1[at], v = parameters.phi_moment2[at];
  const detail::Softplus<T> sigma = detail::softplus(phi);
  const T cost =
      detail::cost_gradient(sigma.value, constants.terms, constants.term_count, constants.inverse_variance);
  T cost_slope = cost * sigma.derivative;
  if constexpr (kPrior) cost_slope = detail::fused(prior, sigma.derivative, cost_slope);
  detail::adam(phi, m, v, detail::fused(g, sigma_slope * sigma.derivative, cost_slope), rates);
  parameters.phi[at] = phi;
  parameters.phi_moment1[at] = m;
  parameters.phi_moment2[at] = v;
}

}  // namespace ensyn::kernels
