// Training and evaluation under the emulation's race detector, which finds two threads at one place without a
// barrier between them, whatever the order in which they happened to run. Small networks, of every kind of
// noise and input.

#include <gtest/gtest.h>
#include <simt/settings.h>

#include <tuple>

#include "cuda/engines.h"

namespace {

using ensyn::Precision;
using ensyn::cuda::EngineOptions;

class RaceTest : public ::testing::TestWithParam<const char*> {};

TEST_P(RaceTest, FindsNone) {
  ASSERT_TRUE(simt::race_detector());
  const parity::Case test = parity::case_named(GetParam(), Precision::single_precision);
  const ensyn::Dataset data = parity::make_data(test);
  const auto cpu = engines::on_cpu(test, data);
  engines::train(*cpu, test, 0, 4);
  for (const int multiprocessors : {1, 10000}) {
    const auto cuda = engines::on_cuda(test, data, {.multiprocessors = multiprocessors});
    engines::train(*cuda, test, 0, 4);
    engines::expect_equal(engines::states(*cuda, test), engines::states(*cpu, test));
    const ensyn::EvaluationConfig how{1, 20};
    engines::expect_equal(cuda->evaluate(data, how), cpu->evaluate(data, how));
  }
}

INSTANTIATE_TEST_SUITE_P(Some, RaceTest,
                         ::testing::Values("population_own_order", "wide_batch_21", "edges_of_blocks",
                                           "bytes", "minimal", "odd_sizes"),
                         [](const auto& test) { return std::string(test.param); });

class WholeRaceTest : public ::testing::TestWithParam<std::tuple<const char*, ensyn::TrainingMethod>> {};

TEST_P(WholeRaceTest, FindsNone) {
  const parity::Case test = parity::case_named(std::get<0>(GetParam()), Precision::single_precision);
  const ensyn::Dataset data = parity::make_data(test);
  const auto cuda = engines::on_cuda(test, data, std::get<1>(GetParam()));
  engines::train(*cuda, test, 0, 3);
  EXPECT_GT(cuda->epoch_sums(0).nll, 0);
  EXPECT_EQ(cuda->evaluate(data, {1, 20}).size(), test.config.members.size());
}

INSTANTIATE_TEST_SUITE_P(
    Some, WholeRaceTest,
    ::testing::Combine(::testing::Values("population_own_order", "bytes", "wide_batch_21", "input_785"),
                       ::testing::Values(ensyn::TrainingMethod::streamed, ensyn::TrainingMethod::resident)),
    [](const auto& test) {
      return std::string(std::get<0>(test.param)) + "_" + std::string(name(std::get<1>(test.param)));
    });

TEST(RaceTest, FindsNoneAroundCublas) {
  const parity::Case test = parity::case_named("population", Precision::single_precision);
  const ensyn::Dataset data = parity::make_data(test);
  const auto cuda = engines::on_cuda(test, data, {.products = EngineOptions::Products::cublas});
  engines::train(*cuda, test, 0, 4);
  EXPECT_GT(cuda->epoch_sums(0).nll, 0);
}

}  // namespace
