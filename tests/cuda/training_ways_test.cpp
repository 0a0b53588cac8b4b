// Kernels that train whole networks, run in other ways: the bits must be the same. And what they say where
// they cannot train, or where a network diverges.

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cuda/engines.h"
#include "ensyn/error.h"

namespace {

using engines::expect_equal;
using engines::states;
using engines::train;
using ensyn::Dataset;
using ensyn::NetworkState;
using ensyn::Precision;
using ensyn::TrainingMethod;
using parity::Case;

constexpr std::uint64_t kSteps = 10;

/// A case of the parity tests, and a method.
struct Way {
  std::string name;
  TrainingMethod method;
};

/// The case with a stream of its own for each member, wherever that stands.
Case with_streams(const std::string& name) {
  Case test = parity::case_named(name, Precision::single_precision);
  for (std::size_t m = 0; m < test.config.members.size(); ++m) {
    auto& stream = test.config.members[m].stream;
    if (!stream) stream = static_cast<std::uint32_t>(m);
  }
  return test;
}

class WholeWaysTest : public ::testing::TestWithParam<Way> {
 protected:
  [[nodiscard]] std::unique_ptr<ensyn::Engine> engine(const Case& test) const {
    return engines::on_cuda(test, data_, GetParam().method);
  }
  /// After all steps, at most `stretch` in a launch.
  [[nodiscard]] std::vector<NetworkState> run(const Case& test, std::uint64_t stretch = kSteps) const {
    const auto trained = engine(test);
    EXPECT_EQ(trained->training().method, name(GetParam().method));
    train(*trained, test, 0, kSteps, stretch);
    return states(*trained, test);
  }

  Case test_ = with_streams(GetParam().name);
  Dataset data_ = parity::make_data(test_);
};

TEST_P(WholeWaysTest, RunAgainInStretchesAndStepByStep) {
  const std::vector<NetworkState> reference = run(test_);
  for (const std::uint64_t stretch : {kSteps, std::uint64_t{1}, std::uint64_t{2}}) {
    SCOPED_TRACE(std::to_string(stretch) + " steps at a time");
    expect_equal(run(test_, stretch), reference);
  }
}

TEST_P(WholeWaysTest, StoppedWrittenIntoAnotherEngineAndGoneOn) {
  const std::vector<NetworkState> reference = run(test_);
  const auto first = engine(test_), second = engine(test_);
  train(*first, test_, 0, kSteps / 2);
  const std::vector<NetworkState> halfway = states(*first, test_);
  for (std::size_t m = 0; m < halfway.size(); ++m) second->write(static_cast<int>(m), halfway[m]);
  expect_equal(states(*second, test_), halfway);
  train(*second, test_, kSteps / 2, kSteps - kSteps / 2);
  expect_equal(states(*second, test_), reference);
}

TEST_P(WholeWaysTest, InAnotherOrderOfMembers) {
  std::vector<NetworkState> reference = run(test_);
  Case other = test_;
  std::reverse(other.config.members.begin(), other.config.members.end());
  std::reverse(reference.begin(), reference.end());
  expect_equal(run(other), reference);
}

TEST_P(WholeWaysTest, EachMemberAlone) {
  const std::vector<NetworkState> reference = run(test_);
  for (std::size_t m = 0; m < reference.size(); ++m) {
    SCOPED_TRACE("member " + std::to_string(m));
    Case alone = test_;
    alone.config.members = {test_.config.members[m]};
    expect_equal(run(alone), {reference[m]});
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, WholeWaysTest,
    ::testing::Values(
        Way{"population", TrainingMethod::streamed}, Way{"population_own_order", TrainingMethod::streamed},
        Way{"bytes", TrainingMethod::streamed}, Way{"four_layers", TrainingMethod::streamed},
        Way{"regression_population", TrainingMethod::streamed}, Way{"population", TrainingMethod::resident},
        Way{"population_own_order", TrainingMethod::resident}, Way{"bytes", TrainingMethod::resident},
        Way{"four_layers", TrainingMethod::resident}, Way{"regression_population", TrainingMethod::resident},
        Way{"input_785", TrainingMethod::resident}),
    [](const auto& test) { return test.param.name + "_" + std::string(name(test.param.method)); });

TEST(Clusters, AreAsManyAsTheyMay) {
  const Case test = with_streams("population");
  const Dataset data = parity::make_data(test);
  const auto run = [&](int clusters) {
    ensyn::cuda::EngineOptions options;
    options.clusters = clusters;
    const auto engine = engines::on_cuda(test, data, TrainingMethod::resident, options);
    train(*engine, test, 0, kSteps);
    return states(*engine, test);
  };
  const std::vector<NetworkState> reference = run(1);
  for (const int clusters : {2, 3, 100}) expect_equal(run(clusters), reference);
}

TEST(WholeDivergence, NamesMemberAndStepAsTheCpuDoes) {
  Case test = parity::case_named("population", Precision::single_precision);
  test.config.members[3].adam.learning_rate = 1e30;
  const Dataset data = parity::make_data(test);
  const auto divergence = [&](ensyn::Engine& engine) {
    try {
      train(engine, test, 0, kSteps);
    } catch (const ensyn::DivergenceError& error) {
      return std::pair(error.member(), error.step());
    }
    return std::pair(-1, std::uint64_t{0});
  };
  const auto cpu = engines::on_cpu(test, data);
  const auto want = divergence(*cpu);
  EXPECT_EQ(want.first, 3);
  for (const TrainingMethod method : {TrainingMethod::streamed, TrainingMethod::resident})
    EXPECT_EQ(divergence(*engines::on_cuda(test, data, method)), want);
}

TEST(WholeDivergence, FindsAMomentThatOverflowedWhereTheLossIsFinite) {
  Case test = parity::case_named("population", Precision::single_precision);
  test.config.members[3].objective = ensyn::Objective::energy;
  test.config.members[3].costs = {{7, 1}};
  test.config.members[3].sigma_init = 1e-3;
  const Dataset data = parity::make_data(test);
  const auto found = [&](ensyn::Engine& engine) {
    EXPECT_EQ(engine.first_not_finite(), std::nullopt);
    // One step: where whole networks are trained NaN comes of it in the next, and the loss shows it.
    train(engine, test, 0, 1);
    return engine.first_not_finite();
  };
  EXPECT_EQ(found(*engines::on_cpu(test, data)), 3);
  for (const TrainingMethod method :
       {TrainingMethod::graph, TrainingMethod::streamed, TrainingMethod::resident}) {
    EXPECT_EQ(found(*engines::on_cuda(test, data, method)), 3) << name(method);
  }
}

}  // namespace
