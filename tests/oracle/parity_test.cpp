// The library, on the CPU or on a GPU, against the oracle, step by step.
//
// Bounds. With u the rounding unit (2^-24, 2^-53), a sum of K products of size up to g is off by about
// sqrt(K) u g, and so is a gradient. Adam's step lr m / (sqrt(v) + epsilon) passes an error e in the gradient
// on as at most a few times lr e / (sqrt(v) + epsilon), and adding the step to a parameter costs u |p|. Each
// element thus has after n steps, with v as the oracle has it, the tolerance
//   n * kRoundings * u * max |p|  +  sum over steps of kSteps * lr * sqrt(K) u max |g| / (sqrt(v) + epsilon).
// Most cases have epsilon = 1, near the size of their gradients. Then an update shows the gradient's size and
// not only its sign, and an error in a gradient near zero is not blown up to the size of an update. Rounding
// also decides the sign of a ReLU's input that is near zero. No bound covers that, so the cases' seeds are
// such that no input is: the oracle reports how near one came, and the test insists on room. Likewise for a
// binomial count, which steps where the noise crosses a probability that is right to kCounts u. Measured with
// AVX-512, AVX2 and portable code: at most half of every bound.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <ostream>
#include <string>
#include <vector>

#include "ensyn/population.h"
#include "oracle/compare.h"
#include "oracle/oracle.h"
#include "oracle/parity.h"

namespace parity {

void PrintTo(const Case& value, std::ostream* out) {
  *out << value.name;
}

}  // namespace parity

namespace {

using compare::all_close;
using compare::Reference;
using ensyn::Precision;
using parity::Case;
using parity::flat;
using parity::largest;

constexpr double kRoundings = 4;
constexpr double kSteps = 2;
constexpr double kCounts = 100;

/// One member of a population: the product's and the oracle's.
class Pair {
 public:
  Pair(const Case& test, const ensyn::Population& population, int member)
      : test_(test),
        population_(population),
        member_(member),
        training_(oracle::start(parity::to_oracle(test.config, member, test.examples))) {}

  /// The start must agree to one rounding. After that the oracle goes on from the product's own rounded
  /// start, so that the steps' bounds need not allow for it.
  void compare_start() {
    const double u = rounding();
    const oracle::Parameters product = parity::to_oracle(population_, member_);
    const bool is_zero = training_.settings.mu_range == 0;
    EXPECT_TRUE(all_close(flat(product.mu), flat(training_.parameters.mu), {0, 2 * u},
                          is_zero ? Reference::may_be_zero : Reference::not_zero));
    // log(e^sigma - 1) may be a unit off, then rounded.
    EXPECT_TRUE(all_close(phi_of(product), phi_of(training_.parameters), {0, 4 * u}));
    training_.parameters = product;
  }

  void step(const oracle::Data& data) {
    const oracle::StepReport report = oracle::train_step(training_, data);
    kink_ = std::min(kink_, report.kink);
    tie_ = std::min(tie_, report.tie);
    count_margin_ = std::min(count_margin_, report.count_margin);
    scale_ = std::max(scale_, report.scale);
    add_slack(flat(training_.last_gradient.mu), flat(training_.moment2.mu), slack_mu_);
    add_slack(phi_of(training_.last_gradient), phi_of(training_.moment2), slack_phi_);
    const auto steps_per_epoch =
        static_cast<std::uint64_t>(training_.settings.examples / training_.settings.batch);
    if ((training_.step - 1) % steps_per_epoch == 0) {
      nll_ = 0;
      correct_ = 0;
      examples_ = 0;
    }
    nll_ += report.nll;
    correct_ += report.correct;
    examples_ += static_cast<std::uint64_t>(training_.settings.batch);
  }

  void compare_state() const {
    const oracle::Parameters product = parity::to_oracle(population_, member_);
    const std::vector<double> mu = flat(training_.parameters.mu);
    const std::vector<double> phi = phi_of(training_.parameters);
    EXPECT_TRUE(all_close(flat(product.mu), mu, tolerances(mu, slack_mu_)));
    EXPECT_TRUE(all_close(phi_of(product), phi, tolerances(phi, slack_phi_)));
    EXPECT_GT(kink_, margin());
    EXPECT_GT(tie_, margin());
    EXPECT_GT(count_margin_, kCounts * rounding());
    // There was something to compare.
    EXPECT_GT(largest(flat(training_.last_gradient.mu)), 0);
    EXPECT_GT(largest(phi_of(training_.last_gradient)), 0);
  }

  void compare_metrics() const {
    const ensyn::TrainingMetrics metrics = population_.metrics()[static_cast<std::size_t>(member_)];
    const auto count = static_cast<double>(examples_);
    EXPECT_EQ(metrics.examples, examples_);
    EXPECT_EQ(std::lround(metrics.accuracy * count), correct_);
    // Beside the logits' errors, those of softmax and logarithm; a sum of squares is rounded in proportion.
    const double relative = training_.settings.gaussian ? kRoundings * sum_error() : 0;
    EXPECT_TRUE(
        all_close(std::vector{metrics.nll}, std::vector{nll_ / count}, {kRoundings * margin(), relative}));
  }

 private:
  static std::vector<double> phi_of(const oracle::Parameters& parameters) {
    return parameters.phi.empty() ? parameters.shared_phi : flat(parameters.phi);
  }

  [[nodiscard]] double rounding() const { return parity::rounding_unit(test_.config.precision); }
  [[nodiscard]] double sum_error() const { return rounding() * std::sqrt(parity::longest_sum(test_.config)); }

  /// Adds what one step may be off by.
  void add_slack(const std::vector<double>& gradient, const std::vector<double>& moment2,
                 std::vector<double>& slack) const {
    const oracle::Settings& settings = training_.settings;
    const double correction = 1 - std::pow(settings.beta2, static_cast<double>(training_.step));
    const double step = kSteps * settings.learning_rate * sum_error() * largest(gradient);
    slack.resize(gradient.size());
    for (std::size_t i = 0; i < slack.size(); ++i) {
      slack[i] += step / (std::sqrt(moment2[i] / correction) + settings.epsilon);
    }
  }

  [[nodiscard]] std::vector<double> tolerances(const std::vector<double>& values,
                                               std::vector<double> slack) const {
    const double roundings = static_cast<double>(training_.step) * kRoundings * rounding() * largest(values);
    for (double& value : slack) {
      value += roundings;
    }
    return slack;
  }

  /// Error of a logit or of the input of a ReLU.
  [[nodiscard]] double margin() const { return sum_error() * scale_; }

  const Case& test_;
  const ensyn::Population& population_;
  int member_;
  oracle::Training training_;
  std::vector<double> slack_mu_;
  std::vector<double> slack_phi_;
  double nll_ = 0;
  long correct_ = 0;
  std::uint64_t examples_ = 0;
  double kink_ = std::numeric_limits<double>::infinity();
  double tie_ = std::numeric_limits<double>::infinity();
  double count_margin_ = std::numeric_limits<double>::infinity();
  double scale_ = 1;
};

class ParityTest : public ::testing::TestWithParam<Case> {};

TEST_P(ParityTest, TrainingFollowsTheOracle) {
  const Case& test = GetParam();
  const ensyn::Dataset data = parity::make_data(test);
  const oracle::Data oracle_data = parity::to_oracle(data);
  ensyn::Population population(test.config, data, parity::under_test());
  std::vector<Pair> pairs;
  for (int member = 0; member < population.size(); ++member) {
    pairs.emplace_back(test, population, member);
    pairs.back().compare_start();
  }
  for (const std::uint64_t goal : {1U, 2U, 10U}) {
    const std::uint64_t steps = goal - population.step();
    population.train_steps(steps);
    ASSERT_EQ(population.step(), goal);
    for (std::size_t member = 0; member < pairs.size(); ++member) {
      SCOPED_TRACE("member " + std::to_string(member) + " after " + std::to_string(goal) + " steps");
      for (std::uint64_t i = 0; i < steps; ++i) {
        pairs[member].step(oracle_data);
      }
      pairs[member].compare_state();
      pairs[member].compare_metrics();
    }
  }
}

std::string name_of(const ::testing::TestParamInfo<Case>& test) {
  return test.param.name;
}

INSTANTIATE_TEST_SUITE_P(Double, ParityTest, ::testing::ValuesIn(parity::cases(Precision::double_precision)),
                         name_of);
INSTANTIATE_TEST_SUITE_P(Single, ParityTest, ::testing::ValuesIn(parity::cases(Precision::single_precision)),
                         name_of);

// ---- evaluation and energy -------------------------------------------------------------------------------

std::vector<double> numbers(const ensyn::PredictionQuality& quality) {
  return {quality.accuracy,           quality.nll, quality.brier, quality.ece,
          quality.predictive_entropy, quality.rmse};
}

std::vector<double> numbers(const oracle::Quality& quality) {
  return {quality.accuracy, quality.nll, quality.brier, quality.ece, quality.entropy, quality.rmse};
}

void compare_evaluation(const ensyn::Population& population, const ensyn::Dataset& data,
                        const ensyn::EvaluationConfig& how, double tolerance) {
  const std::vector<ensyn::Evaluation> got = population.evaluate(data, how);
  ASSERT_EQ(got.size(), static_cast<std::size_t>(population.size()));
  const bool logs = how.averaging == ensyn::Averaging::log_probabilities;
  for (int member = 0; member < population.size(); ++member) {
    SCOPED_TRACE("member " + std::to_string(member));
    const ensyn::Evaluation& evaluation = got[static_cast<std::size_t>(member)];
    const oracle::Settings settings = parity::to_oracle(population.config(), member, 1);
    const oracle::Evaluation want =
        oracle::evaluate(settings, parity::to_oracle(population, member), parity::to_oracle(data),
                         {how.samples, how.batch, how.calibration_bins, logs});
    // Squared errors have no bound and err in proportion.
    const compare::Tolerance allowed{tolerance, settings.gaussian ? tolerance : 0};
    EXPECT_TRUE(all_close(numbers(evaluation.mean), numbers(want.mean), allowed));
    EXPECT_TRUE(all_close(numbers(evaluation.sample), numbers(want.sample), allowed));
    EXPECT_TRUE(all_close(numbers(evaluation.average), numbers(want.average), allowed));
    EXPECT_NEAR(evaluation.mutual_information, want.mutual_information, tolerance);
    EXPECT_EQ(evaluation.samples, how.samples);
  }
}

/// Error of a mean of numbers near 1 to 10, each from logits as in training.
double evaluation_tolerance(const Case& test) {
  return 16 * parity::rounding_unit(test.config.precision) * std::sqrt(parity::longest_sum(test.config));
}

class EvaluationParityTest : public ::testing::TestWithParam<Precision> {
 protected:
  [[nodiscard]] static Case case_of(const std::string& name) { return parity::case_named(name, GetParam()); }
};

TEST_P(EvaluationParityTest, EveryReadingAgrees) {
  for (const std::string name : {"population", "four_layers", "minimal", "bytes", "input_785", "regression",
                                 "regression_outputs_16", "regression_population", "laws"}) {
    const Case test = case_of(name);
    ensyn::Population population(test.config, parity::make_data(test), parity::under_test());
    population.train_steps(7);
    const ensyn::Dataset held_out = parity::make_data(test.config.architecture, 47, test.holds_bytes, 9);
    for (const int batch : {1, 20, 47, 100}) {
      for (const int samples : {1, 4}) {
        for (const auto averaging : {ensyn::Averaging::probabilities, ensyn::Averaging::log_probabilities}) {
          SCOPED_TRACE(name + ", batch " + std::to_string(batch) + ", " + std::to_string(samples) +
                       " samples, " + std::string(ensyn::name(averaging)));
          compare_evaluation(population, held_out, {samples, batch, 15, averaging},
                             evaluation_tolerance(test));
        }
      }
    }
  }
}

TEST_P(EvaluationParityTest, BinsOfCalibrationAgree) {
  const Case test = case_of("odd_sizes");
  ensyn::Population population(test.config, parity::make_data(test), parity::under_test());
  const ensyn::Dataset held_out = parity::make_data(test.config.architecture, 203, false, 9);
  for (const int bins : {1, 2, 10, 100}) {
    compare_evaluation(population, held_out, {3, 20, bins}, evaluation_tolerance(test));
  }
}

TEST_P(EvaluationParityTest, ConfidentMistakesAgree) {
  // sigma = 3 on 784 inputs: logits of hundreds, so that probabilities underflow to 0 and saturate at 1.
  Case test = case_of("paper");
  test.config.members.front().sigma_init = 3;
  ensyn::Population population(test.config, parity::make_data(test), parity::under_test());
  const ensyn::Dataset held_out = parity::make_data(test.config.architecture, 23, true, 9);
  const ensyn::Evaluation got = population.evaluate(held_out, {3, 20}).front();
  const oracle::Evaluation want =
      oracle::evaluate(parity::to_oracle(test.config, 0, test.examples), parity::to_oracle(population, 0),
                       parity::to_oracle(held_out), {3, 20});
  EXPECT_GT(want.sample.nll, 100);
  const double error = 100 * evaluation_tolerance(test);
  const compare::Tolerance tolerance{error, error};
  EXPECT_TRUE(all_close(numbers(got.mean), numbers(want.mean), tolerance));
  EXPECT_TRUE(all_close(numbers(got.sample), numbers(want.sample), tolerance));
  EXPECT_TRUE(all_close(numbers(got.average), numbers(want.average), tolerance));
}

TEST_P(EvaluationParityTest, PredictionsAgree) {
  for (const std::string name : {"population", "bytes", "regression", "regression_population"}) {
    const Case test = case_of(name);
    ensyn::Population population(test.config, parity::make_data(test), parity::under_test());
    population.train_steps(7);
    const ensyn::Dataset held_out = parity::make_data(test.config.architecture, 23, test.holds_bytes, 9);
    for (const int batch : {1, 20, 100}) {
      for (const int samples : {1, 5}) {
        SCOPED_TRACE(name + ", batch " + std::to_string(batch));
        const std::vector<ensyn::Prediction> got = population.predict(held_out, {samples, batch});
        ASSERT_EQ(got.size(), static_cast<std::size_t>(population.size()));
        for (int member = 0; member < population.size(); ++member) {
          const ensyn::Prediction& prediction = got[static_cast<std::size_t>(member)];
          const oracle::Moments want = oracle::moments(parity::to_oracle(population.config(), member, 1),
                                                       parity::to_oracle(population, member),
                                                       parity::to_oracle(held_out), {samples, batch});
          const compare::Tolerance tolerance{evaluation_tolerance(test), 0};
          EXPECT_EQ(prediction.outputs, test.config.architecture.outputs());
          EXPECT_EQ(prediction.samples, samples);
          EXPECT_TRUE(all_close(prediction.mean, want.mean, tolerance));
          EXPECT_TRUE(all_close(prediction.sd, want.sd, tolerance,
                                samples == 1 ? Reference::may_be_zero : Reference::not_zero));
          EXPECT_TRUE(all_close(prediction.at_mean_weights, want.at_mean_weights, tolerance));
        }
      }
    }
  }
}

TEST_P(EvaluationParityTest, PredictionsLookAtTheFeaturesAlone) {
  const Case test = case_of("regression");
  const ensyn::Dataset data = parity::make_data(test);
  ensyn::Population population(test.config, data, parity::under_test());
  population.train_steps(3);
  const std::vector<float> features(data.floats().begin(), data.floats().end());
  const auto labelled =
      ensyn::Dataset::from_floats(features, std::vector<std::uint8_t>(data.size()), data.feature_count(), 2);
  EXPECT_EQ(population.predict(labelled).front().mean, population.predict(data).front().mean);
}

TEST_P(EvaluationParityTest, EvaluationLeavesTrainingAlone) {
  const Case test = case_of("population");
  const ensyn::Dataset data = parity::make_data(test);
  ensyn::Population with(test.config, data, parity::under_test());
  ensyn::Population without(test.config, data, parity::under_test());
  with.train_steps(2);
  static_cast<void>(with.evaluate(data, {2, 5}));
  with.train_steps(3);
  without.train_steps(5);
  for (int member = 0; member < with.size(); ++member) {
    EXPECT_EQ(flat(parity::to_oracle(with, member).mu), flat(parity::to_oracle(without, member).mu));
  }
}

TEST_P(EvaluationParityTest, EnergyAgrees) {
  // Doubles whatever the precision: sums of up to 90,000 terms.
  for (const std::string name : {"population", "four_layers", "minimal", "sigma_3", "sigma_1e_4", "paper",
                                 "laplace", "laplace_per_neuron"}) {
    const Case test = case_of(name);
    ensyn::Population population(test.config, parity::make_data(test), parity::under_test());
    population.train_steps(3);
    for (int member = 0; member < population.size(); ++member) {
      SCOPED_TRACE(name + ", member " + std::to_string(member));
      const ensyn::Energy got = population.energy(member);
      const oracle::Energy want = oracle::energy(parity::to_oracle(test.config, member, test.examples),
                                                 parity::to_oracle(population, member));
      EXPECT_TRUE(all_close(std::vector{got.sigma_rms, got.reliability_sum, got.reliability_cost,
                                        got.magnitude_cost, got.prior_cost},
                            std::vector{want.sigma_rms, want.reliability_sum, want.reliability_cost,
                                        want.magnitude_cost, want.prior_cost},
                            {0, 1e-12}));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Precisions, EvaluationParityTest,
                         ::testing::Values(Precision::double_precision, Precision::single_precision),
                         [](const auto& test) { return std::string(ensyn::name(test.param)); });

}  // namespace
