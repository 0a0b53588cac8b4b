#include "ensyn/theory.h"

#include <cmath>
#include <limits>
#include <numbers>

#include "ensyn/error.h"
#include "host/base/require.h"

namespace ensyn::theory {
namespace {

void require_rho(double rho) {
  require(std::isfinite(rho) && rho > 0, "rho", rho, "a finite number above 0");
}

/// c rho sigma^-(rho + 2). A weight of 0 is no term, also where the power of a tiny sigma is infinite.
double demand(const CostTerm& term, double log_sigma) {
  return term.c > 0 ? term.c * term.rho * std::exp(-(term.rho + 2) * log_sigma) : 0;
}

/// The sum over all terms: what the curvature has to equal. Falls with sigma.
double demand(std::span<const CostTerm> costs, double log_sigma) {
  double sum = 0;
  for (const CostTerm& term : costs) sum += demand(term, log_sigma);
  return sum;
}

void require_costs(std::span<const CostTerm> costs) {
  for (const CostTerm& term : costs) {
    require_rho(term.rho);
    require(std::isfinite(term.c) && term.c >= 0, "c", term.c, "a finite number of at least 0");
  }
}

/// ln sigma where ln demand = ln curvature. ln demand is convex in ln sigma and falls everywhere, so that
/// Newton's steps from the left of the root come to it from the left without ever going past.
double solve(std::span<const CostTerm> costs, double curvature) {
  double x = -std::numeric_limits<double>::infinity();
  for (const CostTerm& term : costs) {
    if (term.c > 0) x = std::fmax(x, std::log(term.c * term.rho / curvature) / (term.rho + 2));
  }
  for (int i = 0; i < 100; ++i) {
    double value = 0, slope = 0;
    for (const CostTerm& term : costs) {
      const double part = demand(term, x);
      value += part;
      slope -= (term.rho + 2) * part;
    }
    const double step = -std::log(value / curvature) * value / slope;
    x += step;
    if (std::fabs(step) <= 1e-15 * std::fmax(1.0, std::fabs(x))) break;
  }
  return x;
}

}  // namespace

double scale(double rho, double c) {
  require_rho(rho);
  require(std::isfinite(c) && c >= 0, "c", c, "a finite number of at least 0");
  return std::pow(c * rho, 1 / rho);
}

double cost_weight(double rho, double s) {
  require_rho(rho);
  require(std::isfinite(s) && s >= 0, "s", s, "a finite number of at least 0");
  return std::pow(s, rho) / rho;
}

double stationary_sigma(std::span<const CostTerm> costs, double curvature) {
  require_costs(costs);
  require(std::isfinite(curvature) && curvature >= 0, "curvature", curvature,
          "a finite number of at least 0");
  if (demand(costs, 0) == 0) return 0;
  if (curvature == 0) return std::numeric_limits<double>::infinity();
  return std::exp(solve(costs, curvature));
}

double posterior_sigma(double curvature, double prior_sigma) {
  require(std::isfinite(curvature) && curvature >= 0, "curvature", curvature,
          "a finite number of at least 0");
  require(prior_sigma > 0, "prior_sigma", prior_sigma, "above 0");
  return 1 / std::sqrt(curvature + 1 / (prior_sigma * prior_sigma));
}

double laplace_curvature(double mu, double sigma, double scale) {
  require(std::isfinite(mu), "mu", mu, "a finite number");
  require_positive("sigma", sigma);
  require_positive("scale", scale);
  const double z = mu / sigma;
  return std::sqrt(2 / std::numbers::pi) * std::exp(-0.5 * z * z) / (scale * sigma);
}

double laplace_posterior_sigma(double curvature, double mu, double scale) {
  require(std::isfinite(curvature) && curvature >= 0, "curvature", curvature,
          "a finite number of at least 0");
  require_positive("scale", scale);
  // sigma^2 (H + laplace_curvature) rises with sigma. It is at most sigma^2 H + sigma a, and without H at
  // least sigma a e^(-1/2) from |mu| on.
  const double a = std::sqrt(2 / std::numbers::pi) / scale;
  double low = 2 / (a + std::sqrt(a * a + 4 * curvature));
  double high = std::fmin(1 / std::sqrt(curvature), std::fmax(std::fabs(mu), std::sqrt(std::numbers::e) / a));
  for (int i = 0; i < 100 && high - low > 1e-15 * low; ++i) {
    const double middle = 0.5 * (low + high);
    const double product = middle * middle * (curvature + laplace_curvature(mu, middle, scale));
    (product < 1 ? low : high) = middle;
  }
  return 0.5 * (low + high);
}

double stationary_ratio(std::span<const CostTerm> costs, double sigma, double curvature) {
  require_costs(costs);
  require_positive("sigma", sigma);
  return curvature / demand(costs, std::log(sigma));
}

Slopes equilibrium_slopes(double rho) {
  require_rho(rho);
  const double unit = 2 / (rho + 2);
  return {-unit, 2 * unit, -unit, -2 * unit, unit};
}

Slopes unconverged_slopes(double rho) {
  require_rho(rho);
  const double unit = 1 / (rho + 1);
  return {-unit, 2 * unit, -unit, -2 * unit, unit};
}

double entropic_cost(double sigma) {
  require_positive("sigma", sigma);
  return -0.5 * std::log(2 * std::numbers::pi * std::numbers::e) - std::log(sigma);
}

double bounding_cost(double sigma, double rho, double s) {
  return entropic_cost(sigma) + bound_gap(sigma, rho, s);
}

double bound_gap(double sigma, double rho, double s) {
  require_positive("sigma", sigma);
  require_rho(rho);
  require_positive("s", s);
  // expm1 keeps what is left where s is near sigma, or rho near 0.
  const double log_ratio = std::log(s / sigma);
  return std::fmax(std::expm1(rho * log_ratio) / rho - log_ratio, 0.0);
}

double expected_magnitude(double mu, double sigma) {
  require(std::isfinite(sigma) && sigma >= 0, "sigma", sigma, "a finite number of at least 0");
  if (sigma == 0) return std::fabs(mu);
  const double z = mu / (sigma * std::numbers::sqrt2);
  return sigma * std::sqrt(2 / std::numbers::pi) * std::exp(-z * z) + mu * std::erf(z);
}

double heterogeneous_advantage(std::span<const double> curvatures, double rho) {
  require_rho(rho);
  if (curvatures.empty()) throw ConfigError("heterogeneous_advantage: no curvatures are given");
  // Synapses at sigma_i proportional to H_i^(-1/(rho+2)) and synapses at one sigma, of equal sum sigma^-rho.
  const double q = rho / (rho + 2), count = static_cast<double>(curvatures.size());
  double sum = 0, powers = 0;
  for (const double curvature : curvatures) {
    require_positive("curvature", curvature);
    sum += curvature;
    powers += std::pow(curvature, q);
  }
  return std::pow(powers / count, 1 / q) / (sum / count);
}

}  // namespace ensyn::theory
