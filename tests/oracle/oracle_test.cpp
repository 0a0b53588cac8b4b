// The oracle against what is known without it: published vectors and finite differences.

#include "oracle/oracle.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "oracle/compare.h"

namespace {

using compare::all_close;
using oracle::Layers;
using oracle::Matrix;
using oracle::Parameters;
using oracle::Scope;
using oracle::Settings;

TEST(OraclePhiloxTest, GivesThePublishedVectors) {
  // Random123, kat_vectors, "philox4x32 10".
  EXPECT_EQ(oracle::philox({0, 0, 0, 0}, {0, 0}),
            (oracle::Block{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(oracle::philox({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}),
            (oracle::Block{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(oracle::philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (oracle::Block{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(OracleNoiseTest, FourNormalsOfABlockLieInA2x2Square) {
  const oracle::Draw draw{42, 3, 5, 1, oracle::kTraining};
  const int columns = 5;  // three blocks a row, the last one half outside
  const oracle::Block block = oracle::words(draw, 1 * 3 + 2);
  EXPECT_EQ(oracle::word_at(draw, 2, 4, columns), block[0]);
  EXPECT_EQ(oracle::word_at(draw, 3, 4, columns), block[2]);
  EXPECT_EQ(oracle::word_at(draw, 2, 5, 6), block[1]);
  EXPECT_EQ(oracle::word_at(draw, 3, 5, 6), block[3]);
}

TEST(OracleNoiseTest, UniformStaysWithinItsRange) {
  for (const auto kind : {oracle::Uniform::exact, oracle::Uniform::single}) {
    EXPECT_EQ(oracle::uniform(0, kind), std::exp2(-33.0));
    EXPECT_LE(oracle::uniform(0xFFFFFFFF, kind), 1.0);
  }
  EXPECT_LT(oracle::uniform(0xFFFFFFFF, oracle::Uniform::exact), 1.0);
  EXPECT_EQ(oracle::uniform(0xFFFFFFFF, oracle::Uniform::single), 1.0);
}

TEST(OracleOrderTest, IsAPermutationThatDependsOnEachArgument) {
  const auto reference = oracle::order(1, 2, 3, 101);
  auto sorted = reference;
  std::sort(sorted.begin(), sorted.end());
  std::vector<std::uint32_t> identity(101);
  std::iota(identity.begin(), identity.end(), 0U);
  EXPECT_EQ(sorted, identity);
  EXPECT_NE(reference, identity);
  EXPECT_NE(reference, oracle::order(4, 2, 3, 101));
  EXPECT_NE(reference, oracle::order(1, 4, 3, 101));
  EXPECT_NE(reference, oracle::order(1, 2, 4, 101));
  EXPECT_EQ(oracle::order(1, 2, 3, 1), std::vector<std::uint32_t>{0});
}

TEST(OracleSoftplusTest, InverseAndDerivativeAgree) {
  for (double phi = -20; phi <= 20; phi += 0.37) {
    EXPECT_NEAR(oracle::inverse_softplus(oracle::softplus(phi)), phi, 1e-7 + 1e-13 * std::exp(phi));
    const double h = 1e-5;
    const double difference = (oracle::softplus(phi + h) - oracle::softplus(phi - h)) / (2 * h);
    EXPECT_NEAR(oracle::sigmoid(phi), difference, 1e-9);
  }
}

// ---- gradients by finite differences ---------------------------------------------------------------------

struct Case {
  std::string name;
  Settings settings;
};

void PrintTo(const Case& value, std::ostream* out) {
  *out << value.name;
}

Settings base_settings() {
  Settings settings;
  settings.sizes = {3, 5, 4, 3};
  settings.seed = 7;
  settings.stream = 2;
  settings.mu_range = 0.8;
  settings.sigma_init = 0.3;
  settings.batch = 4;
  settings.examples = 10;
  settings.data_seed = 11;
  return settings;
}

std::vector<Case> gradient_cases() {
  std::vector<Case> cases;
  const auto add = [&](const std::string& name, auto change) {
    const std::pair<const char*, Scope> scopes[] = {{"_heterogeneous", Scope::weight},
                                                    {"_per_neuron", Scope::neuron},
                                                    {"_per_layer", Scope::layer},
                                                    {"_homogeneous", Scope::network}};
    for (const auto& [suffix, scope] : scopes) {
      Settings settings = base_settings();
      settings.scope = scope;
      change(settings);
      cases.push_back({name + suffix, settings});
    }
  };
  add("no_cost", [](Settings&) {});
  add("calcium", [](Settings& s) { s.terms = {{0.5, 2.0}}; });
  add("membrane", [](Settings& s) { s.terms = {{2.0 / 3.0, 1.5}}; });
  add("actin", [](Settings& s) { s.terms = {{4.0 / 3.0, 0.7}}; });
  add("trafficking", [](Settings& s) { s.terms = {{2.0, 0.3}}; });
  add("generic_rho", [](Settings& s) { s.terms = {{1.37, 0.9}}; });
  add("sum_of_costs", [](Settings& s) { s.terms = {{0.5, 1.0}, {2.0, 0.2}, {3.1, 0.05}}; });
  add("lambda", [](Settings& s) { s.lambda = 0.9; });
  add("variational_flat_prior", [](Settings& s) { s.variational = true; });
  add("variational_prior", [](Settings& s) {
    s.variational = true;
    s.prior_sigma = 0.4;
  });
  add("gaussian_likelihood", [](Settings& s) {
    s.gaussian = true;
    s.observation_sd = 0.6;
    s.terms = {{2.0, 0.3}};
  });
  add("variational_laplace", [](Settings& s) {
    s.variational = true;
    s.laplace_scale = 0.3;
  });
  add("everything", [](Settings& s) {
    s.terms = {{0.5, 1.0}, {2.0, 0.2}};
    s.lambda = 0.4;
  });
  Settings log_normal = base_settings();
  log_normal.seed = 8;
  log_normal.law = oracle::Law::log_normal;
  log_normal.terms = {{0.5, 1.0}};
  cases.push_back({"log_normal", log_normal});
  return cases;
}

oracle::Data small_data() {
  oracle::Data data{Matrix(10, 3), {}};
  for (int i = 0; i < 10; ++i) {
    for (int column = 0; column < 3; ++column) {
      data.features.at(i, column) = std::sin(1.0 + 2.3 * i + 0.7 * column);
    }
    data.labels.push_back(i * i % 3);
  }
  data.targets = Matrix(10, 3);
  for (int i = 0; i < 30; ++i) data.targets.values[static_cast<std::size_t>(i)] = std::cos(0.3 + 1.7 * i);
  return data;
}

/// The parameters with every phi its own, so that a mistaken index cannot hide.
Parameters varied_parameters(const Settings& settings) {
  Parameters parameters = oracle::initial_parameters(settings);
  double angle = 0;
  for (Matrix& phi : parameters.phi) {
    for (double& value : phi.values) {
      value += 0.5 * std::sin(angle += 1.1);
    }
  }
  for (double& value : parameters.shared_phi) {
    value += 0.5 * std::sin(angle += 1.1);
  }
  return parameters;
}

class OracleGradientTest : public ::testing::TestWithParam<Case> {
 protected:
  /// Central difference of the objective in one number of `parameters_`.
  double difference(double& value) {
    const double h = 1e-5;
    const double kept = value;
    value = kept + h;
    const double above = oracle::objective(settings_, parameters_, noise_, data_, minibatch_);
    value = kept - h;
    const double below = oracle::objective(settings_, parameters_, noise_, data_, minibatch_);
    value = kept;
    return (above - below) / (2 * h);
  }

  std::vector<double> differences(Layers& layers) {
    std::vector<double> result;
    for (Matrix& matrix : layers) {
      for (double& value : matrix.values) {
        result.push_back(difference(value));
      }
    }
    return result;
  }

  static std::vector<double> flat(const Layers& layers) {
    std::vector<double> result;
    for (const Matrix& matrix : layers) {
      result.insert(result.end(), matrix.values.begin(), matrix.values.end());
    }
    return result;
  }

  Settings settings_ = GetParam().settings;
  oracle::Data data_ = small_data();
  Parameters parameters_ = varied_parameters(settings_);
  Layers noise_ = oracle::draw_noise(settings_, 0, oracle::kTraining);
  std::vector<std::uint32_t> minibatch_ = oracle::minibatch_at(settings_, 0);
};

TEST_P(OracleGradientTest, AgreesWithFiniteDifferences) {
  oracle::StepReport report;
  const Parameters gradient = oracle::gradient(settings_, parameters_, noise_, data_, minibatch_, &report);
  // Far enough from the kinks of ReLU that no difference crosses one.
  ASSERT_GT(report.kink, 1e-3);

  // Truncation h^2 f'''/6 and rounding eps f / h are both near 1e-9 for objectives near 100.
  const compare::Tolerance tolerance{2e-8, 2e-7};
  EXPECT_TRUE(all_close(flat(gradient.mu), differences(parameters_.mu), tolerance));
  if (settings_.scope == Scope::weight) {
    EXPECT_TRUE(all_close(flat(gradient.phi), differences(parameters_.phi), tolerance));
    return;
  }
  // 3-5-4-3: of rows of 4, 6 and 5 weights.
  const std::vector<double> row_counts{4, 4, 4, 4, 4, 6, 6, 6, 6, 5, 5, 5}, layer_counts{20, 24, 15};
  const std::vector<double> counts = settings_.scope == Scope::neuron  ? row_counts
                                     : settings_.scope == Scope::layer ? layer_counts
                                                                       : std::vector<double>{59};
  ASSERT_EQ(gradient.shared_phi.size(), counts.size());
  std::vector<double> want;
  for (std::size_t group = 0; group < counts.size(); ++group) {
    want.push_back(difference(parameters_.shared_phi[group]) / counts[group]);
  }
  EXPECT_TRUE(all_close(gradient.shared_phi, want, tolerance));
}

INSTANTIATE_TEST_SUITE_P(Costs, OracleGradientTest, ::testing::ValuesIn(gradient_cases()),
                         [](const auto& test) { return test.param.name; });

TEST(OracleGradientAtZeroTest, MagnitudeCostHasNoSlopeAtZero) {
  Settings settings = base_settings();
  Parameters parameters = varied_parameters(settings);
  parameters.mu[1].at(2, 3) = 0;
  const Layers noise = oracle::draw_noise(settings, 0, oracle::kTraining);
  const auto minibatch = oracle::minibatch_at(settings, 0);
  const auto without = oracle::gradient(settings, parameters, noise, small_data(), minibatch);
  settings.lambda = 0.9;
  const auto with = oracle::gradient(settings, parameters, noise, small_data(), minibatch);
  EXPECT_EQ(with.mu[1].at(2, 3), without.mu[1].at(2, 3));
  EXPECT_NE(with.mu[1].at(2, 2), without.mu[1].at(2, 2));
}

TEST(OracleTrainingTest, FollowsTheGradientDownhill) {
  Settings settings = base_settings();
  settings.sigma_init = 0.01;
  settings.learning_rate = 0.01;
  settings.batch = 10;
  oracle::Training training = oracle::start(settings);
  const oracle::Data data = small_data();
  const double before = oracle::train_step(training, data).nll;
  for (int i = 0; i < 300; ++i) {
    oracle::train_step(training, data);
  }
  EXPECT_LT(oracle::train_step(training, data).nll, 0.5 * before);
}

// ---- evaluation ----------------------------------------------------------------------------------------

TEST(OracleEvaluationTest, QualityOfAHandWorkedExample) {
  // Two examples of three classes: p = (0.5, 0.25, 0.25), right; p = (0.6, 0.3, 0.1), wrong, label 1.
  const std::vector<std::vector<double>> rows{{std::log(0.5), std::log(0.25), std::log(0.25)},
                                              {std::log(0.6), std::log(0.3), std::log(0.1)}};
  const oracle::Quality quality = oracle::quality(rows, {0, 1}, 10);
  EXPECT_NEAR(quality.accuracy, 0.5, 1e-15);
  EXPECT_NEAR(quality.nll, -(std::log(0.5) + std::log(0.3)) / 2, 1e-15);
  EXPECT_NEAR(quality.brier, ((0.25 + 0.0625 + 0.0625) + (0.36 + 0.49 + 0.01)) / 2, 1e-15);
  // Bins [0.5, 0.6) with confidence 0.5 and accuracy 1, and [0.6, 0.7) with 0.6 and 0.
  EXPECT_NEAR(quality.ece, 0.5 * 0.5 + 0.5 * 0.6, 1e-15);
  const double entropy0 = 0.5 * std::log(2.0) + 0.5 * std::log(4.0);
  const double entropy1 = -(0.6 * std::log(0.6) + 0.3 * std::log(0.3) + 0.1 * std::log(0.1));
  EXPECT_NEAR(quality.entropy, (entropy0 + entropy1) / 2, 1e-15);
}

TEST(OracleEvaluationTest, GaussianNllOfAHandWorkedExample) {
  Settings settings;
  settings.observation_sd = 2;
  // (3^2 + 1^2) / (2 * 4) + 2 ln(2 sqrt(2 pi))
  EXPECT_NEAR(oracle::gaussian_nll(settings, {1, 5}, {4, 4}), 1.25 + 2 * 1.6120857137646180, 1e-14);
}

TEST(OracleEvaluationTest, TiesGoToTheLowestClass) {
  EXPECT_EQ(oracle::argmax({0.1, 0.7, 0.7}), 1);
  EXPECT_EQ(oracle::argmax({0.5, 0.5}), 0);
}

TEST(OracleEvaluationTest, WithoutNoiseAllThreeReadingsAreOne) {
  Settings settings = base_settings();
  settings.sigma_init = 1e-13;
  const Parameters parameters = oracle::initial_parameters(settings);
  const oracle::Evaluation result = oracle::evaluate(settings, parameters, small_data(), {3, 4, 15, false});
  EXPECT_NEAR(result.sample.nll, result.mean.nll, 1e-11);
  EXPECT_NEAR(result.average.brier, result.mean.brier, 1e-11);
  EXPECT_NEAR(result.mutual_information, 0, 1e-11);
  settings.sigma_init = 1;
  const Parameters noisy = oracle::initial_parameters(settings);
  EXPECT_GT(oracle::evaluate(settings, noisy, small_data(), {3, 4, 15, false}).mutual_information, 0.01);
}

}  // namespace
