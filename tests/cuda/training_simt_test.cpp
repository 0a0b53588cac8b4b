// What only the emulation can show of training whole networks: that the order in which threads and blocks run
// does not matter, and what engines and populations say of their method on a device that is known.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <simt/settings.h>

#include <tuple>

#include "cuda/engines.h"
#include "ensyn/error.h"

namespace {

using ensyn::Precision;
using ensyn::TrainingMethod;
using parity::Case;
using ::testing::AnyOf;
using ::testing::HasSubstr;

class WholeOrdersTest : public ::testing::TestWithParam<std::tuple<const char*, TrainingMethod>> {
 protected:
  void TearDown() override { simt::settings().order = before_.order, simt::settings().seed = before_.seed; }

  simt::Settings before_ = simt::settings();
};

TEST_P(WholeOrdersTest, GiveTheSameBits) {
  const auto& [name_of_case, method] = GetParam();
  const Case test = parity::case_named(name_of_case, Precision::single_precision);
  const ensyn::Dataset data = parity::make_data(test);
  const auto run = [&, method = method](simt::Order order, std::uint64_t seed) {
    simt::settings().order = order;
    simt::settings().seed = seed;
    const auto engine = engines::on_cuda(test, data, method);
    engines::train(*engine, test, 0, 5);
    return engines::states(*engine, test);
  };
  const auto reference = run(simt::Order::kForward, 1);
  engines::expect_equal(run(simt::Order::kReverse, 1), reference);
  for (const std::uint64_t seed : {2U, 3U})
    engines::expect_equal(run(simt::Order::kShuffled, seed), reference);
}

INSTANTIATE_TEST_SUITE_P(
    Some, WholeOrdersTest,
    ::testing::Combine(::testing::Values("population_own_order", "bytes", "four_layers", "input_785"),
                       ::testing::Values(TrainingMethod::streamed, TrainingMethod::resident)),
    [](const auto& test) {
      return std::string(std::get<0>(test.param)) + "_" + std::string(name(std::get<1>(test.param)));
    });

std::unique_ptr<ensyn::Engine> engine_of(const Case& test, TrainingMethod method) {
  return engines::on_cuda(test, parity::make_data(test), method);
}

TEST(EnginesMethod, IsSaidWithItsReason) {
  const Case many = parity::case_named("population", Precision::single_precision);
  const ensyn::TrainingInfo chosen = engine_of(many, TrainingMethod::automatic)->training();
  EXPECT_THAT(chosen.method, AnyOf("resident", "streamed"));
  EXPECT_THAT(chosen.reason, HasSubstr("fastest"));
  const ensyn::TrainingInfo wide =
      engine_of(parity::case_named("binomial_of_5", Precision::single_precision), TrainingMethod::automatic)
          ->training();
  EXPECT_EQ(wide.method, "graph");
  EXPECT_THAT(wide.reason, HasSubstr("neither resident nor streamed"));
  const ensyn::TrainingInfo asked = engine_of(many, TrainingMethod::graph)->training();
  EXPECT_EQ(asked.method, "graph");
  EXPECT_EQ(asked.reason, "asked for");
}

TEST(EnginesMethod, IsRefusedByName) {
  const Case binomial = parity::case_named("binomial_of_5", Precision::single_precision);
  EXPECT_EQ(engine_of(binomial, TrainingMethod::automatic)->training().method, "graph");
  try {
    engine_of(binomial, TrainingMethod::streamed);
    FAIL() << "was taken";
  } catch (const ensyn::ConfigError& error) {
    EXPECT_THAT(error.what(), HasSubstr("training_method streamed"));
    EXPECT_THAT(error.what(), HasSubstr("binomial"));
  }
}

TEST(EnginesMethod, OfTheCpuIsItsInstructionSetAndThreads) {
  const Case test = parity::case_named("population", Precision::single_precision);
  const ensyn::TrainingInfo info = engines::on_cpu(test, parity::make_data(test))->training();
  EXPECT_EQ(info.method, "cpu");
  EXPECT_THAT(info.reason, HasSubstr(", 2 threads"));
}

}  // namespace
