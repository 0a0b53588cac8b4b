// The quantal model against counting and drawing, and the mechanisms' exponents against their cost curves.
#include "ensyn/biophysics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "ensyn/error.h"
#include "ensyn/statistics.h"

namespace ensyn {
namespace {

constexpr Mechanism kMechanisms[] = {Mechanism::calcium, Mechanism::membrane, Mechanism::actin,
                                     Mechanism::trafficking};

/// Minus the slope of ln cost on ln sigma.
double fitted_exponent(const MechanismModel& model) {
  std::vector<double> sigmas, costs;
  for (double sigma = 1e-3; sigma < 0.7; sigma *= 1.3) {
    sigmas.push_back(std::log(sigma));
    costs.push_back(std::log(model.cost(sigma)));
  }
  return -regress(sigmas, costs).slope;
}

TEST(Biophysics, MomentsAreThoseOfTheCounts) {
  for (const QuantalSynapse& synapse :
       {QuantalSynapse{1, 0.3, 2}, QuantalSynapse{7, 0.02, 0.5}, QuantalSynapse{33, 0.9, 1}}) {
    double total = 0, mean = 0, square = 0;
    for (int k = 0; k <= static_cast<int>(synapse.n); ++k) {
      const double probability = synapse.release_probability(k), psp = k * synapse.q;
      total += probability;
      mean += probability * psp;
      square += probability * psp * psp;
    }
    EXPECT_NEAR(total, 1, 1e-12);
    EXPECT_NEAR(synapse.mean(), mean, 1e-12 * mean);
    EXPECT_NEAR(synapse.variance(), square - mean * mean, 1e-11 * square);
    EXPECT_NEAR(synapse.cv(), std::sqrt((1 - synapse.p) / (synapse.n * synapse.p)), 1e-12);
  }
  EXPECT_EQ((QuantalSynapse{4, 1, 1}).release_probability(4), 1);
  EXPECT_EQ((QuantalSynapse{4, 1, 1}).release_probability(3), 0);
}

TEST(Biophysics, DrawsHaveTheProbabilitiesOfTheCounts) {
  const QuantalSynapse synapse{5, 0.3, 0.25};
  constexpr std::size_t kDraws = 40000;
  std::vector<double> counts(6);
  for (const double psp : synapse.draw(kDraws, 11))
    counts.at(static_cast<std::size_t>(std::lround(psp / 0.25))) += 1;
  double chi_square = 0;
  for (int k = 0; k <= 5; ++k) {
    const double expected = kDraws * synapse.release_probability(k);
    chi_square += std::pow(counts[static_cast<std::size_t>(k)] - expected, 2) / expected;
  }
  EXPECT_LT(chi_square, 20.5);  // 0.1 % of the distribution with 5 degrees of freedom
  EXPECT_EQ(synapse.draw(100, 3), synapse.draw(100, 3));
  EXPECT_NE(synapse.draw(100, 3), synapse.draw(100, 4));
}

TEST(Biophysics, QuantalVariabilityAddsItsVariance) {
  const QuantalSynapse synapse{6, 0.4, 2, 0.5};
  double mean = 0, square = 0;
  constexpr std::size_t kDraws = 60000;
  for (const double psp : synapse.draw(kDraws, 5)) {
    mean += psp / kDraws;
    square += psp * psp / kDraws;
  }
  EXPECT_NEAR(synapse.variance(), 6 * 0.4 * 0.6 * 4 + 6 * 0.4 * 1, 1e-12);
  EXPECT_NEAR(mean, synapse.mean(), 5 * synapse.sigma() / std::sqrt(kDraws));
  EXPECT_NEAR(square - mean * mean, synapse.variance(), 0.03 * synapse.variance());
}

TEST(Biophysics, SynapsesOfAMechanismKeepTheirMean) {
  for (const Mechanism mechanism : kMechanisms) {
    MechanismModel model = MechanismModel::of(mechanism);
    model.mean = 0.8;
    for (const double sigma : {1e-3, 0.2, 1.7}) {
      const QuantalSynapse synapse = model.synapse(sigma);
      EXPECT_NEAR(synapse.mean(), 0.8, 1e-12) << name(mechanism);
      EXPECT_NEAR(synapse.sigma(), sigma, 1e-9 * sigma) << name(mechanism);
      EXPECT_EQ(mechanism == Mechanism::calcium ? synapse.n : synapse.p,
                mechanism == Mechanism::calcium ? 5 : 0.5);
    }
  }
}

TEST(Biophysics, CostsFallWithThePaperExponents) {
  for (const Mechanism mechanism : kMechanisms) {
    const MechanismModel model = MechanismModel::of(mechanism);
    EXPECT_NEAR(model.exponent(), exponent(mechanism), 1e-12) << name(mechanism);
    EXPECT_NEAR(fitted_exponent(model), exponent(mechanism), 1e-6) << name(mechanism);
  }
}

TEST(Biophysics, HillCoefficientAndGeometryChangeTheExponent) {
  for (const double hill : {1.0, 2.5, 5.0}) {
    MechanismModel model = MechanismModel::of(Mechanism::calcium);
    model.hill = hill;
    EXPECT_NEAR(fitted_exponent(model), 2 / hill, 1e-6);
    EXPECT_NEAR(model.exponent(), 2 / hill, 1e-12);
  }
  for (const double geometry : {0.0, 0.7, 2.9}) {
    MechanismModel model = MechanismModel::of(Mechanism::membrane);
    model.geometry = geometry;
    EXPECT_NEAR(fitted_exponent(model), 2 * (1 - geometry / 3), 1e-6);
    EXPECT_NEAR(model.exponent(), 2 * (1 - geometry / 3), 1e-12);
  }
}

TEST(Biophysics, ReleasedVesiclesAreThoseOfTheSynapse) {
  const QuantalSynapse synapse{8, 0.35, 0.4};
  EXPECT_NEAR(released_vesicles(synapse.mean(), synapse.sigma(), synapse.p), synapse.n * synapse.p, 1e-12);
}

TEST(Biophysics, RefusesWhatIsOutOfRange) {
  EXPECT_THROW((void)QuantalSynapse({0, 0.5, 1}).mean(), ConfigError);
  EXPECT_THROW((void)QuantalSynapse({5, 0, 1}).mean(), ConfigError);
  EXPECT_THROW((void)QuantalSynapse({5, 1.1, 1}).variance(), ConfigError);
  EXPECT_THROW((void)QuantalSynapse({5, 0.5, std::nan("")}).mean(), ConfigError);
  EXPECT_THROW((void)QuantalSynapse({5, 0.5, 1, -1}).variance(), ConfigError);
  EXPECT_THROW((void)QuantalSynapse({2.5, 0.5, 1}).draw(1, 0), ConfigError);
  EXPECT_THROW((void)QuantalSynapse({1e9, 0.5, 1}).draw(1, 0), ConfigError);
  EXPECT_THROW((void)QuantalSynapse({3, 0.5, 1}).release_probability(4), ConfigError);
  MechanismModel model;
  EXPECT_THROW((void)model.synapse(0), ConfigError);
  model.geometry = 3;
  EXPECT_THROW((void)model.exponent(), ConfigError);
  model = MechanismModel::of(Mechanism::calcium);
  model.hill = -1;
  EXPECT_THROW((void)model.cost(0.1), ConfigError);
  EXPECT_THROW((void)released_vesicles(1, 0, 0.5), ConfigError);
}

}  // namespace
}  // namespace ensyn
