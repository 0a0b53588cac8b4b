#include "host/model/energy.h"

#include <cmath>

#include "host/model/phi_groups.h"

namespace ensyn {
namespace {

/// R(sigma) of one parameter: what the objective adds for it, relative to the NLL summed over the training
/// set.
double reliability_cost_of(const NetworkConfig& config, double sigma) {
  if (config.objective == Objective::variational) {
    const double ratio = sigma / config.prior_sigma;
    return -std::log(sigma) + 0.5 * ratio * ratio;
  }
  double cost = 0;
  for (const CostTerm& term : config.costs) {
    // A weight of 0 is no term, also where the power of a tiny sigma is infinite.
    if (term.c > 0) cost += term.c * std::pow(sigma, -term.rho);
  }
  return cost;
}

/// The expectation of minus the logarithm of the prior, but for its constant.
double prior_cost_of(const NetworkConfig& config, double mu, double sigma) {
  if (config.objective != Objective::variational || config.prior == Prior::flat) return 0;
  if (config.prior == Prior::gaussian) {
    return 0.5 * (mu * mu + sigma * sigma) / (config.prior_sigma * config.prior_sigma);
  }
  const double t = mu / (sigma * std::sqrt(2.0));
  const double root_two_over_pi = std::sqrt(2.0 / std::acos(-1.0));
  return (sigma * root_two_over_pi * std::exp(-t * t) + mu * std::erf(t)) / config.prior_scale;
}

/// sigma^-rho / rho, or its limit for rho -> 0 without the constant 1 / rho.
double reliability_of(const NetworkConfig& config, double sigma) {
  if (config.objective == Objective::variational || config.costs.empty()) return -std::log(sigma);
  const double rho = config.costs.front().rho;
  return std::pow(sigma, -rho) / rho;
}

}  // namespace

Energy energy_of(const Architecture& architecture, const NetworkConfig& config, const NetworkState& state) {
  const PhiGroups groups(config.noise, architecture);
  Energy energy;
  double squares = 0, weights = 0;
  for (std::size_t l = 0; l < state.layers.size(); ++l) {
    const LayerState& layer = state.layers[l];
    const auto columns = static_cast<std::size_t>(layer.columns);
    for (std::size_t i = 0; i < layer.mu.size(); ++i) {
      const double phi =
          layer.phi.empty()
              ? state.shared_phi.value[groups.of(static_cast<int>(l), static_cast<int>(i / columns))]
              : layer.phi[i];
      const double sigma = softplus(phi);
      energy.reliability_cost += reliability_cost_of(config, sigma);
      energy.prior_cost += prior_cost_of(config, layer.mu[i], sigma);
      energy.magnitude_cost += config.lambda * std::fabs(layer.mu[i]);
      if (i % columns == columns - 1) continue;  // the bias
      squares += sigma * sigma;
      energy.reliability_sum += reliability_of(config, sigma);
      weights += 1;
    }
  }
  energy.sigma_rms = std::sqrt(squares / weights);
  return energy;
}

}  // namespace ensyn
