// Evaluation of many networks at a time, against the CPU engine, and against itself in other parts and
// orders, where the bits must be the same. Which populations are evaluated so.

#include "host/cuda/population_evaluator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "cuda/engines.h"
#include "oracle/compare.h"

namespace {

using ensyn::Evaluation;
using ensyn::EvaluationConfig;
using ensyn::Precision;
using ensyn::Prediction;
using ensyn::TrainingMethod;
using ensyn::cuda::DeviceInfo;
using parity::Case;

/// A population of all kinds of noise, evaluated in minibatches of `evaluated`, the last of which is short.
struct Task {
  std::string name;
  std::vector<int> sizes;
  int evaluated;
  bool holds_bytes = false;
  bool gaussian = false;

  [[nodiscard]] Case as_case(Precision precision) const {
    Case test = parity::case_named(gaussian ? "regression_population" : "population", precision);
    test.config.architecture.sizes = sizes;
    test.holds_bytes = holds_bytes;
    for (std::size_t m = 0; m < test.config.members.size(); ++m) {
      auto& stream = test.config.members[m].stream;
      if (!stream) stream = static_cast<std::uint32_t>(m);
    }
    return test;
  }
  [[nodiscard]] EvaluationConfig how() const { return {2, evaluated}; }
  [[nodiscard]] ensyn::Dataset data(const Case& test) const {
    const int examples = evaluated < 100 ? 2 * evaluated + (evaluated + 2) / 3 : 107;
    return parity::make_data(test.config.architecture, static_cast<std::size_t>(examples), holds_bytes, 9);
  }
};

const Task kTasks[] = {
    {"minimal", {1, 2}, 1},
    {"minimal_of_bytes", {1, 2}, 3, true},
    {"three_and_five", {3, 5, 2}, 3},
    {"four_layers", {5, 31, 33, 3}, 20},
    {"four_layers_of_bytes", {33, 16, 31, 5}, 20, true},
    {"wide", {100, 33, 10}, 100},
    {"wide_of_bytes", {31, 100, 10}, 100, true},
    {"many_classes", {5, 6, 33}, 31, true},
    {"regression", {1, 20, 1}, 20, false, true},
    {"wide_regression", {31, 100, 3}, 23, false, true},
};

/// What both engines hold after some steps of training on the CPU, so that each sigma is its own.
struct Engines {
  Engines(const Case& test, const ensyn::cuda::EngineOptions& options = {})
      : data(parity::make_data(test)),
        cpu(engines::on_cpu(test, data)),
        cuda(engines::on_cuda(test, data, TrainingMethod::streamed, options)) {
    engines::train(*cpu, test, 0, 3);
    for (int m = 0; m < static_cast<int>(test.config.members.size()); ++m) cuda->write(m, cpu->read(m));
  }
  ensyn::Dataset data;
  std::unique_ptr<ensyn::Engine> cpu, cuda;
};

class PopulationEvaluatorTest : public ::testing::TestWithParam<Task> {
 protected:
  void SetUp() override {
    const DeviceInfo device = ensyn::cuda::list_devices().usable.at(0);
    if (!ensyn::kernels::trains_whole_networks(device.major, device.minor))
      GTEST_SKIP() << "a device that the kernels are not made for";
  }
};

void expect_close(const ensyn::PredictionQuality& got, const ensyn::PredictionQuality& want,
                  double tolerance) {
  EXPECT_EQ(got.accuracy, want.accuracy);
  EXPECT_NEAR(got.nll, want.nll, tolerance * (1 + want.nll));
  EXPECT_NEAR(got.brier, want.brier, tolerance);
  EXPECT_NEAR(got.predictive_entropy, want.predictive_entropy, tolerance);
  EXPECT_NEAR(got.rmse, want.rmse, tolerance * (1 + want.rmse));
}

TEST_P(PopulationEvaluatorTest, AgreesWithTheCpuToRounding) {
  for (const Precision precision : {Precision::single_precision, Precision::double_precision}) {
    const Case test = GetParam().as_case(precision);
    const Engines of(test);
    const ensyn::Dataset data = GetParam().data(test);
    // Normals of the device are off by 1e-5 in single precision, of weights with sigma up to 0.8; outputs are
    // of the order of 1. The standard deviation of two draws takes their errors times sqrt(2).
    const double tolerance = precision == Precision::single_precision ? 6e-5 : 1e-12;
    const auto got = of.cuda->predict(data, GetParam().how()), want = of.cpu->predict(data, GetParam().how());
    const auto measured = of.cuda->evaluate(data, GetParam().how()),
               expected = of.cpu->evaluate(data, GetParam().how());
    ASSERT_EQ(got.size(), want.size());
    for (std::size_t m = 0; m < want.size(); ++m) {
      SCOPED_TRACE("member " + std::to_string(m));
      EXPECT_TRUE(compare::all_close(got[m].mean, want[m].mean, {tolerance, tolerance}));
      EXPECT_TRUE(compare::all_close(got[m].sd, want[m].sd, {2 * tolerance, tolerance}));
      EXPECT_TRUE(
          compare::all_close(got[m].at_mean_weights, want[m].at_mean_weights, {tolerance, tolerance}));
      expect_close(measured[m].mean, expected[m].mean, tolerance);
      expect_close(measured[m].sample, expected[m].sample, tolerance);
      expect_close(measured[m].average, expected[m].average, tolerance);
      EXPECT_NEAR(measured[m].mutual_information, expected[m].mutual_information, tolerance);
      EXPECT_EQ(measured[m].samples, expected[m].samples);
    }
  }
}

TEST_P(PopulationEvaluatorTest, GivesTheSameBitsInAnyParts) {
  const Case test = GetParam().as_case(Precision::single_precision);
  const ensyn::Dataset data = GetParam().data(test);
  const Engines whole(test);
  const auto evaluations = whole.cuda->evaluate(data, GetParam().how());
  const auto predictions = whole.cuda->predict(data, GetParam().how());
  // A minibatch at a time, some minibatches of a network, some networks.
  for (const std::size_t bytes : {1, 3000, 30000}) {
    SCOPED_TRACE(std::to_string(bytes) + " bytes");
    const Engines parts(test, {.evaluation_bytes = bytes});
    engines::expect_equal(parts.cuda->evaluate(data, GetParam().how()), evaluations);
    engines::expect_equal(parts.cuda->predict(data, GetParam().how()), predictions);
  }
}

TEST_P(PopulationEvaluatorTest, GivesTheSameBitsInAnyOrderOfMembers) {
  const Case test = GetParam().as_case(Precision::single_precision);
  Case reversed = test;
  std::reverse(reversed.config.members.begin(), reversed.config.members.end());
  const ensyn::Dataset data = GetParam().data(test);
  const Engines one(test), other(reversed);
  auto want = one.cuda->evaluate(data, GetParam().how());
  std::reverse(want.begin(), want.end());
  engines::expect_equal(other.cuda->evaluate(data, GetParam().how()), want);
}

INSTANTIATE_TEST_SUITE_P(All, PopulationEvaluatorTest, ::testing::ValuesIn(kTasks),
                         [](const auto& test) { return test.param.name; });

TEST(EvaluationChoice, IsFusedWhereTrainingIsWhole) {
  const ensyn::PopulationConfig config = ensyn::paper_preset(2, 0.1);
  for (const int batch : {1, 20, 100, 10000}) {
    EXPECT_TRUE(choose_evaluation(config, batch, true, engines::hopper(), TrainingMethod::streamed).fused);
    EXPECT_TRUE(choose_evaluation(config, batch, true, engines::hopper(), TrainingMethod::resident).fused);
  }
  const auto choice = choose_evaluation(config, 20, true, engines::hopper(), TrainingMethod::graph);
  EXPECT_FALSE(choice.fused);
  EXPECT_EQ(choice.reason, "trained by the graph, whose bits are the CPU's");
}

TEST(EvaluationChoice, SaysWhyItIsNot) {
  using ::testing::HasSubstr;
  ensyn::PopulationConfig config = ensyn::paper_preset(2, 0.1);
  const auto reason = [&](const DeviceInfo& on) {
    const auto choice = choose_evaluation(config, 20, true, on, TrainingMethod::streamed);
    EXPECT_FALSE(choice.fused);
    return choice.reason;
  };
  EXPECT_THAT(reason(engines::hopper(8, 6)), HasSubstr("compute capability 8.6"));
  config.architecture.sizes = {784, 4096, 10};
  EXPECT_THAT(reason(engines::hopper()), HasSubstr("bytes of shared memory"));
  config.architecture.sizes = {4, 4, 4, 4, 4, 4, 4, 4, 4, 4};
  EXPECT_THAT(reason(engines::hopper()), HasSubstr("8 layers at most"));
  config.architecture.sizes = {784, 10};
  config.members[0].law = ensyn::NoiseLaw::log_normal;
  EXPECT_THAT(reason(engines::hopper()), HasSubstr("network 0 has noise of the law log_normal"));
}

TEST(EvaluationParts, AreWholeNetworksOrMinibatchesOfOne) {
  const auto parts = [](std::size_t most) {
    const auto of = ensyn::cuda::evaluation_parts(most, 1000, 100, 7, 20);
    return std::pair{of.networks, of.minibatches};
  };
  EXPECT_EQ(parts(1), (std::pair{1, std::int64_t{1}}));
  EXPECT_EQ(parts(1999), (std::pair{1, std::int64_t{19}}));
  EXPECT_EQ(parts(2000), (std::pair{1, std::int64_t{20}}));
  EXPECT_EQ(parts(6100), (std::pair{3, std::int64_t{20}}));
  EXPECT_EQ(parts(1000000), (std::pair{7, std::int64_t{20}}));
  // Their weights are larger than what they predict.
  EXPECT_EQ(ensyn::cuda::evaluation_parts(6100, 3000, 100, 7, 20).networks, 2);
}

}  // namespace
