/// \file
/// The laws that a weight's noise may follow. In every one, mu is the weight's mean and sigma its standard
/// deviation.
#pragma once

namespace ensyn {

/// - `gaussian`: w = mu + sigma xi, xi a standard normal.
/// - `binomial`: release of K of n vesicles, w = q K, K ~ Binomial(n, p), as of a quantal synapse (Katz and
///   Miledi). n is fixed; p = mu^2 / (mu^2 + n sigma^2) and the quantal size q = mu / (n p) follow from mu
///   and sigma. Where that p would be below 0.001 (|mu| < 0.032 sqrt(n) sigma), p is 0.001 and w = mu +-
///   sigma (K - n p) / sqrt(n p (1 - p)), which has the same mean and standard deviation but is not 0 where K
///   is.
/// - `log_normal`: w has the sign of mu, and log |w| is normal: w = mu exp(s xi - s^2 / 2) with s^2 = log(1 +
///   sigma^2 / mu^2) and the sign of mu on s, so that the draw agrees with the Gaussian one of the same xi to
///   first order in sigma / mu. Where |mu| < 1e-6 sigma, s is that of |mu| = 1e-6 sigma: the mean is mu, and
///   w goes to 0 with it.
///
/// Gradients in mu and sigma are those of the drawn weight (pathwise): exact for `gaussian` and `log_normal`.
/// A number of vesicles has no derivative: `binomial` uses dw/dmu = 1 and dw/dsigma = (w - mu) / sigma, as if
/// the standardised noise (w - mu) / sigma depended on neither (straight through). That is right on average
/// for a loss that is quadratic in the weights; for others it is biased, since it leaves out how the skew and
/// the tails of the law change with mu and sigma.
enum class NoiseLaw { gaussian, binomial, log_normal };

/// Vesicles of a binomial law.
inline constexpr int kMostVesicles = 64;

}  // namespace ensyn
