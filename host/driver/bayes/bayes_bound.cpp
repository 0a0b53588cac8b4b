#include "host/driver/bayes/bayes_bound.h"

#include <cmath>

namespace ensyn::driver {
namespace {

constexpr double kLogTwoPi = 1.8378770664093454836;

/// E log P(w) of one weight, and the same with |mu| in place of E|w|.
struct LogPrior {
  double expected = 0, at_mu = 0;
};

LogPrior log_prior(const BayesSettings& settings, double mu, double sigma) {
  switch (settings.prior) {
    case Prior::gaussian: {
      const double s = settings.prior_sigma;
      const double value = -(mu * mu + sigma * sigma) / (2 * s * s) - std::log(s) - 0.5 * kLogTwoPi;
      return {value, value};
    }
    case Prior::laplace: {
      const double constant = std::log(0.5 * settings.lambda);
      return {constant - settings.lambda * theory::expected_magnitude(mu, sigma),
              constant - settings.lambda * std::fabs(mu)};
    }
    case Prior::flat:
      break;
  }
  return {};
}

}  // namespace

Evidence evidence_of(const BayesSettings& settings, const BayesNetwork& network) {
  Evidence evidence;
  evidence.nll = network.nll;
  const double s = network.variational ? 0 : theory::scale(network.rho, network.c);
  for (const LayerParameters& layer : network.layers) {
    for (std::size_t i = 0; i < layer.mu.size(); ++i) {
      const double sigma = layer.sigma[i];
      const LogPrior prior = log_prior(settings, layer.mu[i], sigma);
      evidence.log_prior += prior.expected;
      evidence.log_prior_at_mu += prior.at_mu;
      evidence.entropy -= theory::entropic_cost(sigma);
      if (!network.variational) evidence.bounding_cost += theory::bounding_cost(sigma, network.rho, s);
    }
  }
  return evidence;
}

}  // namespace ensyn::driver
