/// \file
/// Synapses as biophysics has them (paper, appendix 1): the quantal model of release, and what each mechanism
/// of reliability costs at a fixed mean.
///
/// A synapse has n docked vesicles, each released with probability p, each adding q to the postsynaptic
/// potential (PSP): K ~ Binomial(n, p), PSP = q K, hence mu = n p q and sigma^2 = n p (1 - p) q^2. Whatever a
/// mechanism changes (n or p), q, proportional to the cube of the vesicle's radius r, makes up for it, so
/// that mu stays (Katz and Miledi 1965; homeostatic scaling). Cost then falls as a power of sigma,
/// sigma^-rho:
///   calcium      n fixed:  p/(1-p) = mu^2 / (n sigma^2), and p/(1-p) ~ [Ca]^h with Hill coefficient h = 4:
///                cost ~ [Ca] ~ sigma^(-2/h)
///   the others   p fixed:  n = mu^2 (1-p) / (p sigma^2), q = mu / (n p), r ~ q^(1/3):
///                cost ~ n r^k ~ sigma^(-2 (1 - k/3)),  k = 2 membrane, 1 actin, 0 trafficking
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "ensyn/config.h"
#include "ensyn/export.h"

namespace ensyn {

/// One synapse of the quantal model. Functions throw ConfigError when a value is out of its range.
struct ENSYN_API QuantalSynapse {
  double n = 5;           ///< docked vesicles, or single-site contacts; > 0, between counts too
  double p = 0.5;         ///< release probability, in (0, 1]
  double q = 1;           ///< mean PSP of one vesicle, > 0
  double quantal_cv = 0;  ///< SD of the PSP of single vesicles over q, >= 0; 0 in the paper

  [[nodiscard]] double mean() const;      ///< n p q
  [[nodiscard]] double variance() const;  ///< n p (1 - p) q^2 + n p (quantal_cv q)^2
  [[nodiscard]] double sigma() const;     ///< its root
  [[nodiscard]] double cv() const;        ///< sigma / mean; sqrt((1 - p) / (n p)) without quantal variability
  /// Probability that `released` vesicles are released, 0 <= released <= n. \throws also when n is no count
  [[nodiscard]] double release_probability(int released) const;
  /// `count` PSPs, a pure function of the synapse and `seed` (words of purpose `user`). \throws also when n
  /// is no count, or beyond 10,000
  [[nodiscard]] std::vector<double> draw(std::size_t count, std::uint64_t seed) const;

  friend bool operator==(const QuantalSynapse&, const QuantalSynapse&) = default;
};

/// A mechanism with its constants.
struct ENSYN_API MechanismModel {
  Mechanism mechanism = Mechanism::trafficking;
  double mean = 1;      ///< mu, which is held fixed; > 0
  double n = 5;         ///< held fixed by calcium; > 0
  double p = 0.5;       ///< held fixed by the others; in (0, 1)
  double hill = 4;      ///< h, for calcium; > 0
  double geometry = 0;  ///< k of n r^k, for the others; in [0, 3)

  /// With the paper's constants: h = 4; k = 2, 1, 0.
  [[nodiscard]] static MechanismModel of(Mechanism mechanism);

  /// rho: 2 / h, or 2 (1 - k/3).
  [[nodiscard]] double exponent() const;
  /// The synapse of the fixed mean whose SD is sigma > 0.
  [[nodiscard]] QuantalSynapse synapse(double sigma) const;
  /// Its cost, from n, p and q, without the constant of proportionality: (p/(1-p))^(1/h), or n (q^(1/3))^k.
  [[nodiscard]] double cost(double sigma) const;
  /// \throws ConfigError
  void validate() const;
};

/// Vesicles released per spike, n p, of a synapse of mean mu and SD sigma whose release probability moves
/// too: mu^2 (1 - p) / sigma^2. It goes as sigma^-2 only where p is small or does not change (the paper's
/// reading of trafficking). \throws ConfigError on values out of range
[[nodiscard]] ENSYN_API double released_vesicles(double mean, double sigma, double p);

}  // namespace ensyn
