// The linear-Gaussian model (paper, appendix 2): a network without hidden layer under the gaussian
// likelihood. There everything is known in closed form, with H_ii = sum over examples of x_i^2 / eps^2:
//   variational objective, Gaussian prior of SD s:  sigma_i^2 = 1 / (H_ii + 1 / s^2), mu the posterior mean;
//   energy c sigma^-rho:                            sigma_i = (c rho / H_ii)^(1 / (rho + 2)).
// Trained values jitter about these, so they are averaged over the last steps and over several networks.

#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "ensyn/error.h"
#include "ensyn/population.h"

namespace {

constexpr int kInputs = 4, kExamples = 24, kMembers = 4;
constexpr double kSd = 0.5, kPriorSigma = 0.3;

/// Features of very different size, so that curvatures are, and correlated ones, so that mu is not trivial.
double feature(int example, int input) {
  const double common = std::sin(1.1 * example);
  return std::pow(2.0, input - 1) * (std::cos(0.7 * example * (input + 1) + input) + 0.5 * common);
}

double target(int example) {
  return 0.3 + 0.5 * feature(example, 0) - 0.2 * feature(example, 2) + 0.4 * std::sin(2.9 * example);
}

/// As the network reads them: floats; the bias's input is 1.
std::vector<double> inputs_of(int example) {
  std::vector<double> x;
  for (int i = 0; i < kInputs; ++i) x.push_back(static_cast<double>(static_cast<float>(feature(example, i))));
  x.push_back(1);
  return x;
}

ensyn::Dataset make_data() {
  std::vector<float> features, targets;
  for (int t = 0; t < kExamples; ++t) {
    for (int i = 0; i < kInputs; ++i) features.push_back(static_cast<float>(feature(t, i)));
    targets.push_back(static_cast<float>(target(t)));
  }
  return ensyn::Dataset::from_targets(std::move(features), std::move(targets), kInputs, 1);
}

/// H, inputs + 1 squared.
std::vector<std::vector<double>> hessian() {
  std::vector<std::vector<double>> h(kInputs + 1, std::vector<double>(kInputs + 1));
  for (int t = 0; t < kExamples; ++t) {
    const std::vector<double> x = inputs_of(t);
    for (std::size_t i = 0; i < x.size(); ++i) {
      for (std::size_t j = 0; j < x.size(); ++j) h[i][j] += x[i] * x[j] / (kSd * kSd);
    }
  }
  return h;
}

/// The mean of the exact posterior, which is that of the best factorised one: (H + I / s^2) mu = X^T y /
/// eps^2.
std::vector<double> posterior_mean() {
  std::vector<std::vector<double>> a = hessian();
  std::vector<double> b(kInputs + 1);
  for (int t = 0; t < kExamples; ++t) {
    const std::vector<double> x = inputs_of(t);
    for (std::size_t i = 0; i < x.size(); ++i) {
      b[i] += x[i] * static_cast<double>(static_cast<float>(target(t))) / (kSd * kSd);
    }
  }
  const std::size_t n = b.size();
  for (std::size_t i = 0; i < n; ++i) a[i][i] += 1 / (kPriorSigma * kPriorSigma);
  // Gauss and Jordan; the matrix is positive definite.
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t r = 0; r < n; ++r) {
      if (r == i) continue;
      const double factor = a[r][i] / a[i][i];
      for (std::size_t c = 0; c < n; ++c) a[r][c] -= factor * a[i][c];
      b[r] -= factor * b[i];
    }
  }
  for (std::size_t i = 0; i < n; ++i) b[i] /= a[i][i];
  return b;
}

struct Averages {
  std::vector<double> mu, log_sigma;
};

/// \param member what the networks, which differ in their seeds, have in common
Averages train(ensyn::NetworkConfig member) {
  ensyn::PopulationConfig config;
  config.architecture.sizes = {kInputs, 1};
  config.architecture.likelihood = ensyn::Likelihood::gaussian;
  config.architecture.observation_sd = kSd;
  config.batch = kExamples;
  config.precision = ensyn::Precision::double_precision;
  member.lambda = 0;
  member.sigma_init = 0.1;
  member.adam.learning_rate = 5e-3;
  config.members.clear();
  for (int m = 0; m < kMembers; ++m) {
    member.seed = static_cast<std::uint64_t>(m);
    config.members.push_back(member);
  }
  ensyn::ExecutionConfig execution;
  execution.device = ensyn::DeviceKind::cpu;
  execution.threads = 1;
  ensyn::Population population(config, make_data(), execution);
  population.train_steps(4000);
  constexpr int kSnapshots = 800;
  Averages result{std::vector<double>(kInputs + 1), std::vector<double>(kInputs + 1)};
  for (int k = 0; k < kSnapshots; ++k) {
    population.train_steps(25);
    for (int m = 0; m < kMembers; ++m) {
      const ensyn::LayerParameters layer = population.parameters(m, 0);
      for (std::size_t i = 0; i < layer.mu.size(); ++i) {
        result.mu[i] += layer.mu[i] / (kSnapshots * kMembers);
        result.log_sigma[i] += std::log(layer.sigma[i]) / (kSnapshots * kMembers);
      }
    }
  }
  return result;
}

/// Statistical error of the averages, and Adam's own bias where gradients are skewed.
constexpr double kRelative = 0.01;

TEST(LinearGaussianTest, VariationalTrainingFindsTheFactorisedPosterior) {
  ensyn::NetworkConfig member;
  member.objective = ensyn::Objective::variational;
  member.costs.clear();
  member.prior_sigma = kPriorSigma;
  const Averages got = train(member);
  const auto h = hessian();
  const std::vector<double> mean = posterior_mean();
  for (std::size_t i = 0; i < h.size(); ++i) {
    const double sigma = 1 / std::sqrt(h[i][i] + 1 / (kPriorSigma * kPriorSigma));
    EXPECT_NEAR(std::exp(got.log_sigma[i]) / sigma, 1, kRelative) << "sigma of weight " << i;
    // In units of the posterior's width.
    EXPECT_NEAR((got.mu[i] - mean[i]) / sigma, 0, 0.02) << "mu of weight " << i << ", " << mean[i];
  }
}

TEST(LinearGaussianTest, DataAndLikelihoodMustAgree) {
  ensyn::PopulationConfig gaussian;
  gaussian.architecture.sizes = {kInputs, 2};
  gaussian.architecture.likelihood = ensyn::Likelihood::gaussian;
  gaussian.batch = 1;
  ensyn::PopulationConfig categorical = gaussian;
  categorical.architecture.likelihood = ensyn::Likelihood::categorical;
  const auto labelled =
      ensyn::Dataset::from_floats(std::vector<float>(3 * kInputs), std::vector<std::uint8_t>(3), kInputs, 2);
  const auto expect_refusal = [](const ensyn::PopulationConfig& config, const ensyn::Dataset& data,
                                 const std::string& words) {
    try {
      const ensyn::Population population(config, data);
      ADD_FAILURE() << "accepted: " << words;
    } catch (const ensyn::ConfigError& error) {
      EXPECT_NE(std::string(error.what()).find(words), std::string::npos) << error.what();
    }
  };
  expect_refusal(gaussian, labelled, "0 real targets");
  expect_refusal(gaussian, make_data(), "1 real targets for each example");
  expect_refusal(categorical, make_data(), "choose the gaussian likelihood");
  const auto narrow = ensyn::Dataset::from_targets({1, 2}, {1, 2, 3, 4}, 1, 2);
  expect_refusal(gaussian, narrow, "1 features");
}

TEST(LinearGaussianTest, EnergyTrainingFindsTheFixedPoint) {
  for (const ensyn::CostTerm cost : {ensyn::CostTerm{0.5, 1.0}, {2.0, 0.05}}) {
    ensyn::NetworkConfig member;
    member.costs = {cost};
    const Averages got = train(member);
    const auto h = hessian();
    for (std::size_t i = 0; i < h.size(); ++i) {
      const double sigma = std::pow(cost.c * cost.rho / h[i][i], 1 / (cost.rho + 2));
      EXPECT_NEAR(std::exp(got.log_sigma[i]) / sigma, 1, kRelative) << "rho " << cost.rho << ", weight " << i;
    }
  }
}

}  // namespace
