// Formulas of ensyn/theory.h against what they claim to solve, minimise or integrate.
#include "ensyn/theory.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numbers>
#include <vector>

#include "ensyn/error.h"

namespace ensyn {
namespace {

constexpr double kRhos[] = {0.05, 0.5, 2.0 / 3, 4.0 / 3, 2, 5};
constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// Where a function that falls and then rises is least, by golden sections in ln x.
template <class F>
double minimum_of(const F& f, double low, double high) {
  const double ratio = (std::sqrt(5.0) - 1) / 2;
  double a = std::log(low), b = std::log(high);
  for (int i = 0; i < 200; ++i) {
    const double c = b - ratio * (b - a), d = a + ratio * (b - a);
    if (f(std::exp(c)) < f(std::exp(d))) {
      b = d;
    } else {
      a = c;
    }
  }
  return std::exp((a + b) / 2);
}

double total_cost(const std::vector<CostTerm>& costs, double curvature, double sigma) {
  double cost = curvature * sigma * sigma / 2;
  for (const CostTerm& term : costs) cost += term.c * std::pow(sigma, -term.rho);
  return cost;
}

TEST(Theory, ScaleAndCostWeightAreInverse) {
  for (const double rho : kRhos) {
    for (const double s : {1e-3, 0.2, 1.0, 7.0}) {
      EXPECT_NEAR(theory::scale(rho, theory::cost_weight(rho, s)), s, 1e-12 * s) << rho;
    }
    EXPECT_EQ(theory::scale(rho, 0), 0);
  }
  // paper.md, section 2: s = 0.001 gives these.
  EXPECT_NEAR(theory::cost_weight(0.5, 1e-3), 6.32e-2, 5e-5);
  EXPECT_NEAR(theory::cost_weight(2.0 / 3, 1e-3), 1.5e-2, 5e-5);
  EXPECT_NEAR(theory::cost_weight(4.0 / 3, 1e-3), 7.5e-5, 5e-8);
  EXPECT_NEAR(theory::cost_weight(2, 1e-3), 5e-7, 1e-20);
}

TEST(Theory, StationarySigmaMinimisesTheObjective) {
  for (const double rho : kRhos) {
    for (const double curvature : {1e-3, 1.0, 3e5}) {
      const std::vector<CostTerm> one = {{rho, 0.03}};
      const double sigma = theory::stationary_sigma(one, curvature);
      EXPECT_NEAR(sigma, std::pow(0.03 * rho / curvature, 1 / (rho + 2)), 1e-12 * sigma);
      const auto cost = [&](double x) { return total_cost(one, curvature, x); };
      EXPECT_NEAR(sigma, minimum_of(cost, sigma / 50, sigma * 40), 1e-6 * sigma);
      EXPECT_NEAR(theory::stationary_ratio(one, sigma, curvature), 1, 1e-12);
      EXPECT_LT(theory::stationary_ratio(one, 0.9 * sigma, curvature), 1);
    }
  }
}

TEST(Theory, SeveralCostTermsMeetBetweenTheirOwnPoints) {
  const std::vector<CostTerm> costs = {{0.5, 0.2}, {2, 1e-3}, {4.0 / 3, 0}, {3, 1e-9}};
  for (const double curvature : {1e-4, 0.3, 100.0, 1e8}) {
    const double sigma = theory::stationary_sigma(costs, curvature);
    const auto cost = [&](double x) { return total_cost(costs, curvature, x); };
    EXPECT_NEAR(sigma, minimum_of(cost, sigma / 50, sigma * 40), 1e-6 * sigma) << curvature;
    EXPECT_NEAR(theory::stationary_ratio(costs, sigma, curvature), 1, 1e-10);
  }
}

TEST(Theory, StationarySigmaAtTheEnds) {
  const std::vector<CostTerm> costs = {{2, 1}}, free = {{2, 0}};
  EXPECT_EQ(theory::stationary_sigma(costs, 0), kInfinity);
  EXPECT_EQ(theory::stationary_sigma(free, 3), 0);
  EXPECT_EQ(theory::stationary_sigma({}, 3), 0);
  // A weight of 0 is no term, also where its power of sigma is infinite.
  const std::vector<CostTerm> one = {{0.5, 1e-250}}, with_none = {{0.5, 1e-250}, {50, 0}};
  EXPECT_LT(theory::stationary_sigma(one, 1e10), 1e-100);
  EXPECT_EQ(theory::stationary_sigma(with_none, 1e10), theory::stationary_sigma(one, 1e10));
  EXPECT_EQ(theory::stationary_ratio(with_none, 1e-10, 1e10), theory::stationary_ratio(one, 1e-10, 1e10));
}

TEST(Theory, SlopesAreThoseOfStationarySigma) {
  for (const double rho : kRhos) {
    const std::vector<CostTerm> costs = {{rho, 1}};
    const theory::Slopes slopes = theory::equilibrium_slopes(rho);
    const double h = 7, up = 1.001;
    const double change =
        2 * std::log(theory::stationary_sigma(costs, h * up) / theory::stationary_sigma(costs, h));
    EXPECT_NEAR(change / std::log(up), slopes.curvature, 1e-9);
    // eta ~ H^(-1/2), sigma_post^2 ~ 1/H, <x^2> ~ H, <|x|> ~ H^(1/2)
    EXPECT_NEAR(change / (-0.5 * std::log(up)), slopes.learning_rate, 1e-9);
    EXPECT_NEAR(change / -std::log(up), slopes.posterior, 1e-9);
    EXPECT_NEAR(change / std::log(up), slopes.input_square, 1e-9);
    EXPECT_NEAR(change / (0.5 * std::log(up)), slopes.input_rate, 1e-9);
  }
  // paper.md, section 4.4
  EXPECT_NEAR(theory::equilibrium_slopes(2.0 / 3).curvature, -0.75, 1e-15);
  EXPECT_NEAR(theory::equilibrium_slopes(4.0 / 3).learning_rate, 1.2, 1e-15);
  EXPECT_NEAR(theory::unconverged_slopes(0.5).curvature, -0.667, 5e-4);
  EXPECT_NEAR(theory::unconverged_slopes(4.0 / 3).learning_rate, 0.857, 5e-4);
}

TEST(Theory, EnergyEfficientSigmaFollowsThePosterior) {
  // Equation of section 4.3: sigma = s^(rho/(rho+2)) sigma_post^(2/(rho+2)); the lines cross where both are
  // s.
  for (const double rho : kRhos) {
    const double s = 0.01;
    const std::vector<CostTerm> costs = {{rho, theory::cost_weight(rho, s)}};
    for (const double posterior : {1e-3, 1e-2, 0.3}) {
      const double sigma = theory::stationary_sigma(costs, 1 / (posterior * posterior));
      EXPECT_NEAR(sigma, std::pow(s, rho / (rho + 2)) * std::pow(posterior, 2 / (rho + 2)), 1e-12 * sigma);
    }
    EXPECT_NEAR(theory::stationary_sigma(costs, 1e4), s, 1e-12);
  }
  EXPECT_NEAR(theory::posterior_sigma(25, kInfinity), 0.2, 1e-15);
  EXPECT_NEAR(theory::posterior_sigma(9, 0.25), 0.2, 1e-15);
}

TEST(Theory, LaplacePosteriorIsWhereTheElboPeaks) {
  for (const double mu : {0.0, 1e-3, -0.05, 2.0, 40.0}) {
    for (const double scale : {0.01, 1.0, 30.0}) {
      for (const double curvature : {0.0, 1e-3, 50.0, 1e6}) {
        SCOPED_TRACE(testing::Message() << mu << ' ' << scale << ' ' << curvature);
        // A weight's part of -ELBO, where the loss is quadratic: H sigma^2 / 2 + E|w| / b - ln sigma.
        const auto cost = [&](double sigma) {
          return 0.5 * curvature * sigma * sigma + theory::expected_magnitude(mu, sigma) / scale -
                 std::log(sigma);
        };
        const double sigma = theory::laplace_posterior_sigma(curvature, mu, scale);
        ASSERT_TRUE(std::isfinite(sigma) && sigma > 0);
        EXPECT_GT(cost(1.01 * sigma), cost(sigma));
        EXPECT_GT(cost(0.99 * sigma), cost(sigma));
        EXPECT_NEAR(sigma * sigma * (curvature + theory::laplace_curvature(mu, sigma, scale)), 1, 1e-12);
      }
    }
  }
  // Where the weight is never near 0 the prior does not bend, and where it is wide it does not count.
  EXPECT_NEAR(theory::laplace_posterior_sigma(100, 40, 0.01), 0.1, 1e-12);
  EXPECT_NEAR(theory::laplace_posterior_sigma(100, 0, 1e9), 0.1, 1e-9);
  // Without curvature and with mu = 0: sigma = b sqrt(pi / 2).
  EXPECT_NEAR(theory::laplace_posterior_sigma(0, 0, 2), 2 * std::sqrt(std::acos(0.0)), 1e-12);
}

TEST(Theory, BoundHoldsAndTouchesAtTheScale) {
  for (const double rho : kRhos) {
    for (const double s : {1e-3, 0.1, 2.0}) {
      for (const double sigma : {1e-4, 1e-2, 0.0999, 0.5, 3.0}) {
        const double gap = theory::bound_gap(sigma, rho, s), z = s / sigma;
        EXPECT_GT(gap, 0);
        const double direct = (std::pow(z, rho) - 1) / rho - std::log(z);
        EXPECT_NEAR(gap, direct, 1e-9 * std::fmax(1, std::fabs(direct)));
        EXPECT_NEAR(theory::bounding_cost(sigma, rho, s) - theory::entropic_cost(sigma), gap,
                    1e-9 * (1 + gap));
      }
      EXPECT_EQ(theory::bound_gap(s, rho, s), 0);
    }
  }
  // rho -> 0 closes it: (rho / 2) (ln z)^2.
  EXPECT_NEAR(theory::bound_gap(0.5, 1e-6, 1), 0.5e-6 * std::pow(std::log(2), 2), 1e-12);
  EXPECT_NEAR(theory::entropic_cost(0.3), -0.5 * std::log(2 * std::numbers::pi * std::numbers::e * 0.09),
              1e-14);
}

TEST(Theory, ExpectedMagnitudeIsTheIntegral) {
  for (const double mu : {-0.7, 0.0, 1e-3, 2.0}) {
    for (const double sigma : {1e-3, 0.4, 3.0}) {
      double integral = 0;
      const int steps = 400000;
      const double width = 20.0 / steps;
      for (int i = 0; i < steps; ++i) {
        const double xi = -10 + (i + 0.5) * width;
        integral += std::fabs(mu + sigma * xi) * std::exp(-xi * xi / 2) * width;
      }
      integral /= std::sqrt(2 * std::numbers::pi);
      EXPECT_NEAR(theory::expected_magnitude(mu, sigma), integral, 1e-8 * (1 + integral));
      EXPECT_GE(theory::expected_magnitude(mu, sigma), std::fabs(mu));
    }
  }
  EXPECT_EQ(theory::expected_magnitude(-0.3, 0), 0.3);
}

TEST(Theory, HeterogeneousAdvantageIsThatOfEqualBudgets) {
  const std::vector<double> curvatures = {0.1, 2, 2, 35};
  for (const double rho : kRhos) {
    // Two allocations of one budget: each synapse its own sigma, and one sigma for all.
    double budget = 0, own = 0;
    for (const double h : curvatures) {
      const double sigma = std::pow(h, -1 / (rho + 2));
      budget += std::pow(sigma, -rho);
      own += h * sigma * sigma / 2;
    }
    const double common = std::pow(budget / 4, -1 / rho);
    double shared = 0;
    for (const double h : curvatures) shared += h * common * common / 2;
    EXPECT_NEAR(theory::heterogeneous_advantage(curvatures, rho), own / shared, 1e-12);
    EXPECT_LT(theory::heterogeneous_advantage(curvatures, rho), 1);
  }
  EXPECT_NEAR(theory::heterogeneous_advantage(std::vector<double>{3, 3, 3}, 2), 1, 1e-15);
}

TEST(Theory, RefusesWhatIsOutOfRange) {
  const double nan = std::nan("");
  const std::vector<CostTerm> costs = {{2, 1}};
  EXPECT_THROW((void)theory::scale(0, 1), ConfigError);
  EXPECT_THROW((void)theory::scale(2, -1), ConfigError);
  EXPECT_THROW((void)theory::cost_weight(nan, 1), ConfigError);
  EXPECT_THROW((void)theory::stationary_sigma(costs, -1), ConfigError);
  EXPECT_THROW((void)theory::stationary_sigma(costs, nan), ConfigError);
  EXPECT_THROW((void)theory::stationary_sigma(std::vector<CostTerm>{{-1, 1}}, 1), ConfigError);
  EXPECT_THROW((void)theory::stationary_ratio(costs, 0, 1), ConfigError);
  EXPECT_THROW((void)theory::posterior_sigma(1, 0), ConfigError);
  EXPECT_THROW((void)theory::laplace_curvature(0, 0, 1), ConfigError);
  EXPECT_THROW((void)theory::laplace_curvature(nan, 1, 1), ConfigError);
  EXPECT_THROW((void)theory::laplace_posterior_sigma(-1, 0, 1), ConfigError);
  EXPECT_THROW((void)theory::laplace_posterior_sigma(1, nan, 1), ConfigError);
  EXPECT_THROW((void)theory::laplace_posterior_sigma(1, 0, 0), ConfigError);
  EXPECT_THROW((void)theory::equilibrium_slopes(-2), ConfigError);
  EXPECT_THROW((void)theory::entropic_cost(0), ConfigError);
  EXPECT_THROW((void)theory::bound_gap(1, 2, 0), ConfigError);
  EXPECT_THROW((void)theory::expected_magnitude(1, -1), ConfigError);
  EXPECT_THROW((void)theory::heterogeneous_advantage(std::vector<double>{}, 2), ConfigError);
  EXPECT_THROW((void)theory::heterogeneous_advantage(std::vector<double>{1, 0}, 2), ConfigError);
}

}  // namespace
}  // namespace ensyn
