/// \file
/// What theory says of energy-efficient synapses (Malkin et al. 2024, appendices 2 to 5): where sigma comes
/// to rest, how it relates to the Bayesian posterior, and which log-log slopes follow. Pure functions;
/// everything is relative to the NLL summed over the data set, as in config.h.
///
/// For Gaussian noise Stein's identity E[xi dL/dw] = sigma E[d2L/dw2] makes the stationary point exact:
///   sigma H = sum_k c_k rho_k sigma^-(rho_k + 1),   H = E over the noise of d2 NLL / dmu2.
/// With one cost term, sigma = (c rho / H)^(1 / (rho + 2)); with s = (c rho)^(1/rho) and a broad prior, where
/// sigma_post^2 = 1 / H, sigma = s^(rho / (rho + 2)) sigma_post^(2 / (rho + 2)).
#pragma once

#include <span>

#include "ensyn/config.h"
#include "ensyn/export.h"

namespace ensyn::theory {

/// s = (c rho)^(1/rho), the scale for which c sigma^-rho = (s / sigma)^rho / rho. \throws ConfigError unless
/// rho > 0 and c >= 0
[[nodiscard]] ENSYN_API double scale(double rho, double c);

/// c = s^rho / rho, the inverse of `scale`. \throws ConfigError unless rho > 0 and s >= 0
[[nodiscard]] ENSYN_API double cost_weight(double rho, double s);

/// The sigma at which sigma * curvature = sum_k c_k rho_k sigma^-(rho_k + 1); infinity where the curvature is
/// 0, 0 where no term has a weight. \param curvature H of one weight, per summed data set, >= 0 \throws
/// ConfigError on values out of range
[[nodiscard]] ENSYN_API double stationary_sigma(std::span<const CostTerm> costs, double curvature);

/// The same for the variational objective: 1 / sqrt(H + 1/s^2), s = `prior_sigma` > 0 of a Gaussian prior, or
/// infinity. \throws ConfigError on values out of range
[[nodiscard]] ENSYN_API double posterior_sigma(double curvature, double prior_sigma);

/// What a Laplace prior of scale b adds to the curvature of a weight: -ln P = |w| / b, averaged over the
/// noise, has the second derivative sqrt(2/pi) exp(-mu^2 / 2 sigma^2) / (b sigma) (Stein's identity again).
/// \throws ConfigError unless sigma > 0 and scale > 0
[[nodiscard]] ENSYN_API double laplace_curvature(double mu, double sigma, double scale);

/// posterior_sigma under that prior: the one sigma at which sigma^2 (H + laplace_curvature) = 1. \throws
/// ConfigError unless H >= 0 and scale > 0
[[nodiscard]] ENSYN_API double laplace_posterior_sigma(double curvature, double mu, double scale);

/// How far a synapse is from its stationary point: the restoring over the reliability gradient,
/// sigma H / sum_k c_k rho_k sigma^-(rho_k + 1); 1 at the point, below 1 where sigma is too small.
[[nodiscard]] ENSYN_API double stationary_ratio(std::span<const CostTerm> costs, double sigma,
                                                double curvature);

/// Slopes d ln sigma^2 / d ln x.
struct Slopes {
  double curvature;      ///< x = H
  double learning_rate;  ///< x = eta / sqrt(E g^2), where H = E g^2
  double input_square;   ///< x = <x^2>, where H is proportional to it
  double input_rate;     ///< x = <|x|>, where <x^2> is proportional to its square
  double posterior;      ///< x = sigma_post^2 = 1 / H
};
/// At the stationary point (paper, equation 54): -2/(rho+2), 4/(rho+2), -2/(rho+2), -4/(rho+2), 2/(rho+2).
/// \throws ConfigError unless rho > 0
[[nodiscard]] ENSYN_API Slopes equilibrium_slopes(double rho);
/// While Adam, its steps dominated by noise, still raises sigma from a small start: phi then grows by
/// lr * (B/N) s^rho sigma^-(rho+1) / sqrt(B H) a step, so that sigma^(rho+1) is proportional to H^(-1/2) and
/// the slopes are -1/(rho+1), 2/(rho+1), -1/(rho+1), -2/(rho+1), 1/(rho+1).
[[nodiscard]] ENSYN_API Slopes unconverged_slopes(double rho);

/// Minus the entropy of Normal(mu, sigma^2), nats: -(1/2) ln(2 pi e sigma^2). \throws ConfigError unless
/// sigma > 0
[[nodiscard]] ENSYN_API double entropic_cost(double sigma);

/// The reliability cost that bounds it (appendix 4): ((s/sigma)^rho - 1) / rho - (1/2) ln(2 pi e s^2), at
/// least `entropic_cost(sigma)` for every s > 0 and rho > 0. \throws ConfigError on values out of range
[[nodiscard]] ENSYN_API double bounding_cost(double sigma, double rho, double s);

/// Their difference, (z^rho - 1) / rho - ln z with z = s / sigma: >= 0, zero only at sigma = s.
[[nodiscard]] ENSYN_API double bound_gap(double sigma, double rho, double s);

/// E|w| of w ~ Normal(mu, sigma^2), at least |mu|: sigma sqrt(2/pi) e^(-mu^2 / 2 sigma^2) + mu erf(mu /
/// (sigma sqrt 2)). What the ELBO holds for a Laplace prior of scale 1/lambda, where the energy objective has
/// |mu|. \throws ConfigError when sigma < 0
[[nodiscard]] ENSYN_API double expected_magnitude(double mu, double sigma);

/// Performance cost of the noise, sum_i H_i sigma_i^2 / 2, of synapses that share a reliability budget as is
/// best, relative to all having one sigma at the same total cost: M_q(H) / mean(H), M_q the power mean of
/// exponent q = rho / (rho + 2). Below 1 unless all curvatures are equal.
/// \throws ConfigError when there is none, or one that is not > 0
[[nodiscard]] ENSYN_API double heterogeneous_advantage(std::span<const double> curvatures, double rho);

}  // namespace ensyn::theory
