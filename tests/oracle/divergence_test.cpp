// Networks whose numbers leave the range of their type are told from others: also where only a moment of
// Adam has overflowed, its parameter stands still and the loss looks well. And a cost of weight 0 is no cost.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "ensyn/device.h"
#include "ensyn/error.h"
#include "ensyn/population.h"
#include "host/population/backend.h"
#include "oracle/parity.h"

namespace {

using ensyn::NetworkConfig;
using ensyn::NoiseKind;
using ensyn::Population;
using ensyn::PopulationConfig;
using ensyn::Precision;
using testing::AllOf;
using testing::HasSubstr;

constexpr NoiseKind kNoiseKinds[] = {NoiseKind::heterogeneous, NoiseKind::per_neuron, NoiseKind::per_layer,
                                     NoiseKind::homogeneous};
constexpr Precision kPrecisions[] = {Precision::single_precision, Precision::double_precision};

/// Two networks, of which the second is for a test to change.
PopulationConfig small(Precision precision = Precision::single_precision) {
  PopulationConfig config;
  config.architecture.sizes = {5, 4, 3};
  config.members.resize(2);
  config.batch = 10;
  config.precision = precision;
  return config;
}

Population population_of(const PopulationConfig& config, const std::string& instruction_set = "auto") {
  return {config, parity::make_data(config.architecture, 60), parity::on_cpu(instruction_set)};
}

struct Divergence {
  std::string text;
  int member = -1;
  std::uint64_t step = 0;
};

template <class Body>
Divergence divergence_of(const Body& body) {
  try {
    body();
  } catch (const ensyn::DivergenceError& error) {
    return {error.what(), error.member(), error.step()};
  }
  return {"none", -1, 0};
}

TEST(Divergence, AnOverflowedMomentIsNamedWhereTheLossIsFinite) {
  // The gradient, some 1e26 B/N, is a float, and its square is not.
  const std::pair<NoiseKind, const char*> places[] = {{NoiseKind::heterogeneous, "layer 0, row 0, column 0"},
                                                      {NoiseKind::per_neuron, "layer 0, row 0"},
                                                      {NoiseKind::per_layer, "layer 0"},
                                                      {NoiseKind::homogeneous, "the network"}};
  for (const auto& [noise, place] : places) {
    PopulationConfig config = small();
    config.members[1].noise = noise;
    config.members[1].costs = {{7, 1}};
    config.members[1].sigma_init = 1e-3;
    Population population = population_of(config);
    const Divergence found = divergence_of([&] { population.train_steps(4); });
    EXPECT_THAT(found.text, AllOf(HasSubstr("network 1 diverged by step 4: phi.moment2 of " +
                                            std::string(place) + ", is inf: lower rho"),
                                  HasSubstr("double precision")));
    EXPECT_EQ(found.member, 1);
    EXPECT_EQ(found.step, 4);
    EXPECT_TRUE(population.finite(0));
    EXPECT_FALSE(population.finite(1));
    EXPECT_TRUE(std::isfinite(population.metrics()[1].nll));
    EXPECT_EQ(divergence_of([&] { population.check_finite(); }).text, found.text);
    // The same is no divergence where the square has a number.
    config.precision = Precision::double_precision;
    Population wide = population_of(config);
    EXPECT_NO_THROW(wide.train_steps(4));
  }
}

/// The vectors of a state, by the names that messages give them; those of no elements are left out.
std::map<std::string, std::vector<double>*> tensors_of(ensyn::NetworkState& state) {
  std::map<std::string, std::vector<double>*> tensors;
  for (std::size_t l = 0; l < state.layers.size(); ++l) {
    ensyn::LayerState& layer = state.layers[l];
    const std::string of = " of layer " + std::to_string(l);
    tensors.insert({{"mu" + of, &layer.mu},
                    {"mu.moment1" + of, &layer.mu_moment1},
                    {"mu.moment2" + of, &layer.mu_moment2},
                    {"phi" + of, &layer.phi},
                    {"phi.moment1" + of, &layer.phi_moment1},
                    {"phi.moment2" + of, &layer.phi_moment2}});
  }
  ensyn::SharedPhi& shared = state.shared_phi;
  tensors.insert(
      {{"phi of", &shared.value}, {"phi.moment1 of", &shared.moment1}, {"phi.moment2 of", &shared.moment2}});
  std::erase_if(tensors, [](const auto& tensor) { return tensor.second->empty(); });
  return tensors;
}

TEST(Divergence, EveryElementOfEveryTensorIsLookedAt) {
  for (const Precision precision : kPrecisions) {
    for (const NoiseKind noise : {NoiseKind::heterogeneous, NoiseKind::per_neuron}) {
      PopulationConfig config = small(precision);
      config.architecture.sizes = {17, 3, 5};  // rows and columns with padding behind them
      config.members[1].noise = noise;
      const auto engine =
          ensyn::make_engine(config, parity::make_data(config.architecture, 60), parity::on_cpu());
      EXPECT_EQ(engine->first_not_finite(), std::nullopt);
      const ensyn::NetworkState good = engine->read(1);
      ensyn::NetworkState bad = good;
      const auto tensors = tensors_of(bad);
      EXPECT_EQ(tensors.size(), noise == NoiseKind::heterogeneous ? 12 : 9);
      for (const auto& [name, values] : tensors) {
        for (double& value : *values) {
          const double before = value;
          value = &value == &values->front() ? std::nan("") : -std::numeric_limits<double>::infinity();
          engine->write(1, bad);
          ASSERT_EQ(engine->first_not_finite(), 1) << name << " at " << &value - values->data();
          const Divergence found = divergence_of([&] { ensyn::check_finite(*engine, config, 7); });
          ASSERT_THAT(found.text, HasSubstr("network 1 diverged by step 7: " + name));
          value = before;
        }
      }
      engine->write(1, good);
      EXPECT_EQ(engine->first_not_finite(), std::nullopt);
    }
  }
}

TEST(Divergence, AnElementIsNamedByRowAndColumn) {
  // Labels are all the last class, and one input is huge: the gradient's square overflows there alone.
  PopulationConfig config = small();
  config.architecture.sizes = {5, 3};
  std::vector<float> features(std::size_t{60} * 5, 0.5F);
  for (std::size_t i = 4; i < features.size(); i += 5) features[i] = 1e20F;
  for (NetworkConfig& member : config.members) {
    member.mu_range = 1e-30;
    member.sigma_init = 1e-30;
    member.costs.clear();
    member.lambda = 0;
  }
  Population population(
      config, ensyn::Dataset::from_floats(std::move(features), std::vector<std::uint8_t>(60, 2), 5, 3),
      parity::on_cpu());
  EXPECT_THAT(divergence_of([&] { population.train_steps(1); }).text,
              HasSubstr("network 0 diverged by step 1: mu.moment2 of layer 0, row 2, column 4, is inf: lower "
                        "the learning rate"));
}

TEST(Divergence, TrainLooksWhenItEndsAndEpochsWhenTheyDo) {
  PopulationConfig config = small();
  config.members[0].costs = {{7, 1}};
  config.members[0].sigma_init = 1e-3;
  Population population = population_of(config);
  EXPECT_EQ(divergence_of([&] { population.train(2); }).step, 12);
  // Within a long run it is found at the end of an epoch of 6 steps, the first after 1000 steps.
  Population longer = population_of(config);
  EXPECT_EQ(divergence_of([&] { longer.train_steps(5000); }).step, 1002);
  Population steps = population_of(config);
  EXPECT_EQ(divergence_of([&] { steps.train(800); }).step, 1002);
}

TEST(Divergence, ShortCallsLookWithinAHundredSteps) {
  PopulationConfig config = small();
  config.members[0].costs = {{7, 1}};
  config.members[0].sigma_init = 1;
  Population population = population_of(config);
  for (int step = 0; step < 150; ++step) population.train_steps(1);
  // After it looked at step 128; the square of a gradient of 1e26 overflows.
  ensyn::LayerParameters tiny = population.parameters(0, 0);
  std::ranges::fill(tiny.phi, std::log(std::expm1(1e-3)));
  population.set_parameters(0, 0, tiny);
  const Divergence found = divergence_of([&] {
    for (int step = 150; step < 400; ++step) population.train_steps(1);
  });
  EXPECT_EQ(found.step, 228);
  EXPECT_THAT(found.text, HasSubstr("phi.moment2 of layer 0"));
}

TEST(Divergence, ALossSaysWhatWasNotFiniteBeforeIt) {
  PopulationConfig config = small();
  config.members[1].costs = {{50, 1}};
  Population population = population_of(config);
  const Divergence found = divergence_of([&] { population.train_steps(9); });
  EXPECT_THAT(found.text,
              HasSubstr("the loss of network 1 is not finite at step 1, where phi of layer 0, row "
                        "0, column 0, is nan: lower rho or the cost weights"));
  EXPECT_EQ(found.step, 1);
  config = small();
  config.members[1].adam.learning_rate = 1e30;
  Population fast = population_of(config);
  EXPECT_THAT(divergence_of([&] { fast.train_steps(9); }).text,
              AllOf(HasSubstr("the loss of network 1 is not finite at step "), HasSubstr("learning rate")));
}

std::vector<double> numbers(const Population& population, int member) {
  std::vector<double> result;
  for (int layer = 0; layer < 2; ++layer) {
    const ensyn::LayerParameters parameters = population.parameters(member, layer);
    result.insert(result.end(), parameters.mu.begin(), parameters.mu.end());
    result.insert(result.end(), parameters.phi.begin(), parameters.phi.end());
  }
  const ensyn::Energy energy = population.energy(member);
  result.insert(result.end(), {energy.sigma_rms, energy.reliability_cost, energy.magnitude_cost});
  return result;
}

TEST(NoWeight, IsNoTermWhateverSigma) {
  for (const Precision precision : kPrecisions) {
    for (const std::string& set : ensyn::instruction_sets()) {
      for (const NoiseKind noise : kNoiseKinds) {
        PopulationConfig config = small(precision);
        for (NetworkConfig& member : config.members) {
          member.stream = 0;
          member.noise = noise;
          // sigma^-3 is infinite in single precision, sigma^-50 in both.
          member.sigma_init = 1e-16;
          member.lambda = 0;
        }
        config.members[0].costs = {{2, 0}, {0.5, 1e-12}, {49, 0}};
        config.members[1].costs = {{0.5, 1e-12}};
        Population population = population_of(config, set);
        population.train_steps(10);
        const std::vector<double> with = numbers(population, 0);
        EXPECT_TRUE(with == numbers(population, 1)) << set << ", " << name(noise);
        for (const double x : with) ASSERT_TRUE(std::isfinite(x)) << set << ", " << name(noise);
      }
    }
  }
}

TEST(NoWeight, NorIsAWeightThatIsNoneInTheNetworksPrecision) {
  PopulationConfig config = small();
  for (NetworkConfig& member : config.members) {
    member.stream = 0;
    member.sigma_init = 1e-16;
  }
  config.members[0].costs = {{2, 1e-60}};
  config.members[1].costs.clear();
  Population population = population_of(config);
  population.train_steps(10);
  for (int layer = 0; layer < 2; ++layer) {
    EXPECT_EQ(population.parameters(0, layer).phi, population.parameters(1, layer).phi);
  }
}

}  // namespace
