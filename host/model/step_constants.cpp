#include "host/model/step_constants.h"

#include <cmath>

namespace ensyn {
namespace {

/// weight * sigma^-power as the formulas want it.
template <class T>
detail::CostTermGradient<T> cost_gradient(double weight, double power) {
  const double halves = 2.0 * power;
  const bool short_way = halves == std::floor(halves) && halves >= 1 && halves <= detail::kMostHalves;
  return {static_cast<T>(weight), static_cast<T>(-power), short_way ? static_cast<int>(halves) : 0};
}

template <class T>
std::vector<detail::CostTermGradient<T>> cost_gradients(const NetworkConfig& config, double fraction) {
  if (config.objective == Objective::variational) return {cost_gradient<T>(-fraction, 1.0)};
  std::vector<detail::CostTermGradient<T>> terms;
  for (const CostTerm& term : config.costs) {
    const auto gradient = cost_gradient<T>(-term.c * term.rho * fraction, term.rho + 1.0);
    // Where sigma is tiny its power is infinite, and 0 times that would be NaN: no weight, no term.
    if (gradient.weight != 0) terms.push_back(gradient);
  }
  return terms;
}

}  // namespace

template <class T>
StepConstants<T> step_constants(const NetworkConfig& config, double fraction) {
  StepConstants<T> constants{cost_gradients<T>(config, fraction), static_cast<T>(config.lambda * fraction),
                             T(0)};
  if (config.objective == Objective::variational && config.prior == Prior::gaussian) {
    constants.inverse_variance = static_cast<T>(fraction / (config.prior_sigma * config.prior_sigma));
  }
  if (config.objective == Objective::variational && config.prior == Prior::laplace) {
    constants.inverse_scale = static_cast<T>(fraction / config.prior_scale);
  }
  return constants;
}

template StepConstants<float> step_constants(const NetworkConfig&, double);
template StepConstants<double> step_constants(const NetworkConfig&, double);

}  // namespace ensyn
