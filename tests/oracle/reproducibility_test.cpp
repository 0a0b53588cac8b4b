// Bitwise equality: threads, instruction sets, interruptions and the company of other members must not show
// in any result. And the reverse: what should matter, does.

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "ensyn/device.h"
#include "ensyn/population.h"
#include "oracle/oracle.h"
#include "oracle/parity.h"

namespace {

using ensyn::Population;
using ensyn::Precision;
using parity::Case;
using parity::on_cpu;

/// Every number that a population shows of one member, for comparison with ==.
std::vector<double> everything(const Population& population, int member) {
  std::vector<double> result;
  for (int layer = 0; layer < population.config().architecture.layers(); ++layer) {
    const ensyn::LayerParameters parameters = population.parameters(member, layer);
    result.insert(result.end(), parameters.mu.begin(), parameters.mu.end());
    result.insert(result.end(), parameters.phi.begin(), parameters.phi.end());
    result.insert(result.end(), parameters.sigma.begin(), parameters.sigma.end());
  }
  const ensyn::TrainingMetrics metrics = population.metrics()[static_cast<std::size_t>(member)];
  result.insert(result.end(), {static_cast<double>(metrics.examples), metrics.nll, metrics.accuracy});
  const ensyn::Energy energy = population.energy(member);
  result.insert(result.end(),
                {energy.sigma_rms, energy.reliability_sum, energy.reliability_cost, energy.magnitude_cost});
  return result;
}

std::vector<double> everything(const Population& population) {
  std::vector<double> result;
  for (int member = 0; member < population.size(); ++member) {
    const std::vector<double> part = everything(population, member);
    result.insert(result.end(), part.begin(), part.end());
  }
  return result;
}

std::vector<double> readings(const Population& population, const ensyn::Dataset& data) {
  std::vector<double> result;
  for (const ensyn::Evaluation& evaluation : population.evaluate(data, {3, 20})) {
    for (const auto* quality : {&evaluation.mean, &evaluation.sample, &evaluation.average}) {
      result.insert(result.end(), {quality->accuracy, quality->nll, quality->brier, quality->ece,
                                   quality->predictive_entropy, quality->rmse});
    }
    result.push_back(evaluation.mutual_information);
  }
  return result;
}

class ReproducibilityTest : public ::testing::TestWithParam<Precision> {
 protected:
  [[nodiscard]] static Case case_of(const std::string& name) { return parity::case_named(name, GetParam()); }
};

TEST_P(ReproducibilityTest, ThreadsAndInstructionSetsDoNotShow) {
  for (const std::string name : {"population", "population_own_order", "population_of_two", "four_layers",
                                 "wide_batch_21", "wide_batch_1", "input_785", "bytes", "minimal",
                                 "sigma_1e_4", "regression_population", "regression_outputs_33", "laws"}) {
    const Case test = case_of(name);
    const ensyn::Dataset data = parity::make_data(test);
    const auto run = [&](const std::string& set, int threads) {
      Population population(test.config, data, on_cpu(set, threads));
      population.train_steps(10);
      std::vector<double> result = everything(population);
      const std::vector<double> evaluated = readings(population, data);
      result.insert(result.end(), evaluated.begin(), evaluated.end());
      return result;
    };
    const std::vector<double> reference = run(ensyn::instruction_sets().back(), 1);
    for (const std::string& set : ensyn::instruction_sets()) {
      for (const int threads : {1, 2, 3, 5}) {
        EXPECT_TRUE(run(set, threads) == reference) << name << ", " << set << ", " << threads << " threads";
      }
    }
  }
}

TEST_P(ReproducibilityTest, InterruptionsDoNotShow) {
  for (const std::string name : {"population", "population_own_order", "four_layers"}) {
    const Case test = case_of(name);
    const ensyn::Dataset data = parity::make_data(test);
    Population once(test.config, data, on_cpu());
    Population often(test.config, data, on_cpu());
    once.train_steps(11);
    for (const std::uint64_t steps : {1U, 0U, 3U, 5U, 2U}) {
      often.train_steps(steps);
    }
    EXPECT_TRUE(everything(once) == everything(often)) << name;
  }
}

TEST_P(ReproducibilityTest, SavingAndLoadingDoNotShow) {
  for (const std::string name : {"population", "population_own_order", "minimal_batch_21", "bytes",
                                 "largest_keys", "regression_population"}) {
    const Case test = case_of(name);
    const ensyn::Dataset data = parity::make_data(test);
    const std::filesystem::path file = std::filesystem::path(::testing::TempDir()) /
                                       ("ensyn_" + std::to_string(getpid()) + "_" + name + ".safetensors");
    Population whole(test.config, data, on_cpu());
    Population first(test.config, data, on_cpu());
    whole.train_steps(11);
    first.train_steps(4);
    first.save(file);
    Population second = Population::load(file, data, on_cpu(ensyn::instruction_sets().back(), 1));
    std::filesystem::remove(file);
    EXPECT_TRUE(everything(first) == everything(second)) << name;
    EXPECT_EQ(second.step(), 4U);
    EXPECT_TRUE(second.config() == test.config) << name;
    second.train_steps(7);
    EXPECT_TRUE(everything(whole) == everything(second)) << name;
    EXPECT_TRUE(readings(whole, data) == readings(second, data)) << name;
  }
}

TEST_P(ReproducibilityTest, EpochsAreStepsCounted) {
  const Case test = case_of("population");
  const ensyn::Dataset data = parity::make_data(test);
  Population epochs(test.config, data, on_cpu());
  Population steps(test.config, data, on_cpu());
  ASSERT_EQ(epochs.steps_per_epoch(), test.examples / static_cast<std::size_t>(test.config.batch));
  EXPECT_TRUE(epochs.train(2));
  steps.train_steps(2 * steps.steps_per_epoch());
  EXPECT_EQ(epochs.step(), steps.step());
  EXPECT_TRUE(everything(epochs) == everything(steps));
}

TEST_P(ReproducibilityTest, AMemberIsTheSameAlone) {
  for (const std::string name : {"population", "population_own_order"}) {
    const Case test = case_of(name);
    const ensyn::Dataset data = parity::make_data(test);
    Population together(test.config, data, on_cpu());
    together.train_steps(10);
    for (int member = 0; member < together.size(); ++member) {
      ensyn::PopulationConfig config = test.config;
      config.members = {test.config.members[static_cast<std::size_t>(member)]};
      config.members.front().stream =
          config.members.front().stream.value_or(static_cast<std::uint32_t>(member));
      Population alone(config, data, on_cpu());
      alone.train_steps(10);
      EXPECT_TRUE(everything(alone, 0) == everything(together, member)) << name << ", member " << member;
    }
  }
}

// ---- what does matter ------------------------------------------------------------------------------------

/// Trains one step from the same parameters, so that only the noise and the order can differ.
std::vector<double> one_step_from(const Population& origin, const ensyn::PopulationConfig& config,
                                  const ensyn::Dataset& data) {
  Population population(config, data, on_cpu());
  for (int layer = 0; layer < config.architecture.layers(); ++layer) {
    population.set_parameters(0, layer, origin.parameters(0, layer));
  }
  population.train_steps(1);
  return everything(population, 0);
}

TEST_P(ReproducibilityTest, NoiseAndOrderMatter) {
  const Case test = case_of("four_layers");
  const ensyn::Dataset data = parity::make_data(test);
  const Population origin(test.config, data, on_cpu());
  const std::vector<double> reference = one_step_from(origin, test.config, data);
  EXPECT_TRUE(one_step_from(origin, test.config, data) == reference);

  ensyn::PopulationConfig other_seed = test.config;
  ++other_seed.members.front().seed;
  EXPECT_FALSE(one_step_from(origin, other_seed, data) == reference);

  ensyn::PopulationConfig other_stream = test.config;
  other_stream.members.front().stream = 1;
  EXPECT_FALSE(one_step_from(origin, other_stream, data) == reference);

  ensyn::PopulationConfig other_order = test.config;
  ++other_order.data_seed;
  EXPECT_FALSE(one_step_from(origin, other_order, data) == reference);
}

TEST_P(ReproducibilityTest, OwnOrderOnlyMattersWhereStreamsDiffer) {
  Case test = case_of("four_layers");
  const ensyn::Dataset data = parity::make_data(test);
  for (const std::uint32_t stream : {0U, 1U}) {
    test.config.members.front().stream = stream;
    ensyn::PopulationConfig own = test.config;
    own.own_order = true;
    const Population origin(test.config, data, on_cpu());
    const bool is_same = one_step_from(origin, own, data) == one_step_from(origin, test.config, data);
    EXPECT_EQ(is_same, stream == 0);
  }
}

TEST_P(ReproducibilityTest, EqualSeedsAndStreamsSeeEqualNoise) {
  Case test = case_of("four_layers");
  const ensyn::NetworkConfig member = test.config.members.front();
  test.config.members = {member, member, member};
  test.config.members[1].stream = 0;  // that of member 0
  Population population(test.config, parity::make_data(test), on_cpu());
  population.train_steps(5);
  EXPECT_TRUE(everything(population, 0) == everything(population, 1));
  EXPECT_FALSE(everything(population, 0) == everything(population, 2));
}

INSTANTIATE_TEST_SUITE_P(Precisions, ReproducibilityTest,
                         ::testing::Values(Precision::double_precision, Precision::single_precision),
                         [](const auto& test) { return std::string(ensyn::name(test.param)); });

}  // namespace
