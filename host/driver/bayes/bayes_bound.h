/// \file
/// The evidence lower bound of a network's Q = prod Normal(mu, sigma^2), and the energy objective's bound on
/// it (appendix 4). All in nats, over all weights and biases, relative to the NLL summed over the training
/// set.
#pragma once

#include "host/driver/bayes/bayes.h"
#include "host/driver/bayes/bayes_networks.h"

namespace ensyn::driver {

struct Evidence {
  double nll = 0;        ///< E_Q of the NLL of the training set
  double log_prior = 0;  ///< E_Q log P(w); 0 for the flat prior, which is no distribution
  /// The same with |mu| in place of E|w|, which is what the magnitude cost holds; differs for the laplace
  /// prior alone, where it is the larger: with it the bound below need not hold.
  double log_prior_at_mu = 0;
  double entropy = 0;        ///< H[Q] = minus the sum of theory::entropic_cost
  double bounding_cost = 0;  ///< sum of theory::bounding_cost; of an energy-efficient network

  [[nodiscard]] double elbo() const { return -nll + log_prior + entropy; }
  [[nodiscard]] double bound() const { return -nll + log_prior - bounding_cost; }
  [[nodiscard]] double bound_at_mu() const { return -nll + log_prior_at_mu - bounding_cost; }
};

[[nodiscard]] Evidence evidence_of(const BayesSettings& settings, const BayesNetwork& network);

}  // namespace ensyn::driver
