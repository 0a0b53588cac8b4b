// Sigma at its fixed point: the exponents of theory, measured on noise that no round has seen.
#include "ensyn/equilibrium.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "ensyn/error.h"
#include "ensyn/population.h"
#include "ensyn/signatures.h"
#include "ensyn/theory.h"

namespace {

using ensyn::Equilibrium;
using ensyn::EquilibriumConfig;
using ensyn::EquilibriumRound;
using ensyn::LayerSignatures;
using ensyn::NetworkConfig;
using ensyn::Population;
using ensyn::PopulationConfig;
using ensyn::Quantity;
using ensyn::Relation;
using ensyn::Signatures;

PopulationConfig digits_config(double rho, std::vector<int> hidden = {}) {
  // s = 0.01: c = s^rho / rho. sigma starts near where it ends, to save rounds.
  PopulationConfig config = ensyn::paper_preset(rho, std::pow(0.01, rho) / rho);
  config.architecture.sizes = {64};
  for (const int width : hidden) config.architecture.sizes.push_back(width);
  config.architecture.sizes.push_back(10);
  config.members[0].sigma_init = 0.02;
  config.members[0].adam.learning_rate = 1e-3;
  return config;
}

const ensyn::Dataset& digits() {
  static const ensyn::Dataset data = ensyn::load_digits().train;
  return data;
}

Signatures independent(const Population& population, const Equilibrium& found) {
  ensyn::SignatureConfig config;
  config.first_epoch = found.end_epoch;
  return population.signatures(0, config);
}

/// The first layer of a network brought to its fixed point, measured on noise of its own.
LayerSignatures at_fixed_point(const PopulationConfig& config) {
  Population population(config, digits());
  population.train(10);
  const Equilibrium found = equilibrate(population, 0);
  EXPECT_TRUE(found.converged);
  EXPECT_EQ(found.at_ceiling, 0u);
  return independent(population, found).layers[0];
}

PopulationConfig variational_config() {
  PopulationConfig config = digits_config(2);
  config.members[0].objective = ensyn::Objective::variational;
  config.members[0].costs.clear();
  return config;
}

TEST(Equilibrium, HasTheSlopesOfTheoryWithoutHiddenLayer) {
  for (const double rho : {0.5, 2.0 / 3, 4.0 / 3, 2.0}) {
    SCOPED_TRACE(rho);
    const LayerSignatures layer = at_fixed_point(digits_config(rho));
    const auto relation = ensyn::relation(layer, Quantity::hessian);
    ASSERT_TRUE(relation);
    EXPECT_EQ(relation->log_log.n, 640u);
    EXPECT_NEAR(relation->log_log.slope, -2 / (rho + 2), 0.03);
    EXPECT_LT(relation->spearman, -0.99);
    // Each side of the balance, written out: sigma^(rho + 2) N H against c rho.
    const double right = std::pow(0.01, rho);
    std::vector<double> ratios;
    for (std::size_t i = 0; i < layer.sigma.size(); ++i) {
      ratios.push_back(std::pow(layer.sigma[i], rho + 2) * 1437 * layer.hessian[i] / right);
    }
    EXPECT_NEAR(ensyn::quantile(ratios, 0.5), 1, 0.05);
    EXPECT_NEAR(ensyn::quantile(ratios, 0.02), 1, 0.2);
    EXPECT_NEAR(ensyn::quantile(ratios, 0.98), 1, 0.2);
  }
}

TEST(Equilibrium, OfTheVariationalObjectiveIsThePosterior) {
  PopulationConfig config = variational_config();
  for (const double prior : {std::numeric_limits<double>::infinity(), 0.3}) {
    SCOPED_TRACE(prior);
    config.members[0].prior_sigma = prior;
    const LayerSignatures layer = at_fixed_point(config);
    std::vector<double> x, y;
    for (std::size_t i = 0; i < layer.sigma.size(); ++i) {
      x.push_back(std::log(1437 * layer.hessian[i] + 1 / (prior * prior)));
      y.push_back(2 * std::log(layer.sigma[i]));
    }
    const ensyn::Regression fit = ensyn::regress(x, y);
    EXPECT_NEAR(fit.slope, -1, 0.03);
    EXPECT_NEAR(ensyn::quantile(y, 0.5), -ensyn::quantile(x, 0.5), 0.1);
  }
}

TEST(Equilibrium, UnderALaplacePriorCountsThePriorsCurvature) {
  PopulationConfig config = variational_config();
  NetworkConfig& network = config.members[0];
  network.prior = ensyn::Prior::laplace;
  network.prior_scale = 0.02;
  const LayerSignatures layer = at_fixed_point(config);
  // sigma d/dsigma of each term: of the loss N H sigma^2, of E|w| / b by finite differences; of ln sigma 1.
  std::vector<double> ratios, without;
  for (std::size_t i = 0; i < layer.sigma.size(); ++i) {
    const double sigma = layer.sigma[i], step = 1e-5 * sigma, loss = 1437 * layer.hessian[i] * sigma * sigma;
    const auto magnitude = [&](double s) { return ensyn::theory::expected_magnitude(layer.mu[i], s) / 0.02; };
    ratios.push_back(loss + sigma * (magnitude(sigma + step) - magnitude(sigma - step)) / (2 * step));
    without.push_back(loss);
  }
  EXPECT_NEAR(ensyn::quantile(ratios, 0.5), 1, 0.05);
  EXPECT_NEAR(ensyn::quantile(ratios, 0.02), 1, 0.2);
  EXPECT_NEAR(ensyn::quantile(ratios, 0.98), 1, 0.2);
  EXPECT_LT(ensyn::quantile(without, 0.5), 0.7) << "the prior hardly counts: the test shows nothing";
  EXPECT_NEAR(ensyn::quantile(fixed_point_ratios(layer, 1437, network), 0.5), ensyn::quantile(ratios, 0.5),
              1e-6);
}

TEST(Equilibrium, OfASumOfCostsBalancesTheSum) {
  PopulationConfig config = digits_config(2);
  config.members[0].costs = {{0.5, 0.1}, {2, 5e-5}};
  Population population(config, digits());
  population.train(10);
  const Equilibrium found = equilibrate(population, 0);
  const LayerSignatures layer = independent(population, found).layers[0];
  std::vector<double> ratios;
  for (std::size_t i = 0; i < layer.sigma.size(); ++i) {
    const double sigma = layer.sigma[i];
    ratios.push_back(sigma * 1437 * layer.hessian[i] /
                     (0.05 * std::pow(sigma, -1.5) + 1e-4 * std::pow(sigma, -3)));
  }
  EXPECT_NEAR(ensyn::quantile(ratios, 0.5), 1, 0.05);
}

TEST(Equilibrium, OfADeepNetworkReachesEveryLayer) {
  Population population(digits_config(2, {16, 16}), digits());
  population.train(10);
  std::vector<EquilibriumRound> seen;
  const Equilibrium found = equilibrate(population, 0, {}, [&](const EquilibriumRound& round) {
    seen.push_back(round);
    return true;
  });
  ASSERT_TRUE(found.converged);
  EXPECT_EQ(seen.size(), found.rounds.size());
  EXPECT_EQ(std::ranges::count_if(seen, &EquilibriumRound::settling), EquilibriumConfig().settling_rounds);
  EXPECT_EQ(seen.back().median_ratios.size(), 3u);
  for (const LayerSignatures& layer : independent(population, found).layers) {
    const auto ratios = ensyn::fixed_point_ratios(layer, 1437, population.config().members[0]);
    EXPECT_NEAR(ensyn::quantile(ratios, 0.5), 1, 0.15);
    EXPECT_NEAR(ensyn::relation(layer, Quantity::hessian)->log_log.slope, -0.5, 0.06);
  }
}

TEST(Equilibrium, HoldsSigmaAtTheCeilingWhereThereIsNoCurvature) {
  // Digits have pixels that are always 0, but normalised they are not; as floats they can be.
  constexpr std::size_t kExamples = 60;
  std::vector<float> features(kExamples * 3);
  std::vector<std::uint8_t> labels(kExamples);
  for (std::size_t i = 0; i < kExamples; ++i) {
    labels[i] = static_cast<std::uint8_t>(i % 2);
    features[3 * i] = labels[i] == 1 ? 1.0F : -1.0F;
    features[3 * i + 1] = static_cast<float>(i % 7) - 3;
  }
  PopulationConfig config = digits_config(2);
  config.architecture.sizes = {3, 2};
  Population population(config, ensyn::Dataset::from_floats(features, labels, 3, 2));
  EquilibriumConfig how;
  how.sigma_ceiling = 0.5;
  const Equilibrium found = equilibrate(population, 0, how);
  EXPECT_EQ(found.at_ceiling, 2u);
  const auto parameters = population.parameters(0, 0);
  EXPECT_NEAR(parameters.sigma[2], 0.5, 1e-6);
  EXPECT_NEAR(parameters.sigma[6], 0.5, 1e-6);
  EXPECT_LT(parameters.sigma[0], 0.4);
}

TEST(Equilibrium, StopsWhenAsked) {
  Population population(digits_config(2), digits());
  int rounds = 0;
  const Equilibrium found =
      equilibrate(population, 0, {}, [&](const EquilibriumRound&) { return ++rounds < 3; });
  EXPECT_EQ(rounds, 3);
  EXPECT_FALSE(found.converged);
  EXPECT_EQ(found.rounds.size(), 3u);
}

TEST(Equilibrium, RefusesWhatHasNone) {
  const auto refused = [](const PopulationConfig& config, int member = 0, const EquilibriumConfig& how = {}) {
    Population population(config, digits());
    EXPECT_THROW((void)equilibrate(population, member, how), ensyn::ConfigError);
  };
  PopulationConfig config = digits_config(2);
  refused(config, 1);
  config.members[0].noise = ensyn::NoiseKind::homogeneous;
  refused(config);
  config = digits_config(2);
  config.members[0].law = ensyn::NoiseLaw::binomial;
  refused(config);
  config = digits_config(2);
  config.members[0].costs = {{2, 0}};
  refused(config);
  config.members[0].costs.clear();
  refused(config);
  config = digits_config(2);
  for (const auto& change : std::vector<void (*)(EquilibriumConfig&)>{
           [](EquilibriumConfig& c) { c.rounds = 0; }, [](EquilibriumConfig& c) { c.train_epochs = -1; },
           [](EquilibriumConfig& c) { c.measure_epochs = 0; }, [](EquilibriumConfig& c) { c.damping = 0; },
           [](EquilibriumConfig& c) { c.damping = 1.1; }, [](EquilibriumConfig& c) { c.largest_step = 1; },
           [](EquilibriumConfig& c) { c.sigma_ceiling = 0; }, [](EquilibriumConfig& c) { c.tolerance = 0; },
           [](EquilibriumConfig& c) { c.settling_rounds = -1; }}) {
    EquilibriumConfig how;
    change(how);
    refused(config, 0, how);
  }
}

}  // namespace
