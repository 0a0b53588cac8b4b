// Which training method is taken, and what is said of it: a pure function of networks and device.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <utility>

#include "cuda/engines.h"
#include "ensyn/error.h"
#include "host/cuda/whole_training.h"

namespace {

using ensyn::NetworkConfig;
using ensyn::PopulationConfig;
using ensyn::TrainingMethod;
using ensyn::cuda::choose_training;
using ensyn::cuda::DeviceInfo;
using ensyn::cuda::TrainingChoice;
using ::testing::AnyOf;
using ::testing::HasSubstr;

PopulationConfig population(std::size_t networks) {
  PopulationConfig config = ensyn::paper_preset(2, 0.1);
  config.members.resize(networks, config.members.front());
  return config;
}

/// On a device that runs so many clusters, of whatever size.
TrainingChoice choose(const PopulationConfig& config, const DeviceInfo& on, TrainingMethod method,
                      int clusters = 8) {
  return choose_training(config, true, on, method, [=](const auto& /*training*/) { return clusters; });
}
TrainingChoice automatic(const PopulationConfig& config, const DeviceInfo& on = engines::hopper(),
                         int clusters = 8) {
  return choose(config, on, TrainingMethod::automatic, clusters);
}

TEST(TrainingChoice, ThePapersNetworksAreResidentWhereClustersAre) {
  for (const std::size_t networks : {1, 30, 240}) {
    const TrainingChoice choice = automatic(population(networks));
    EXPECT_EQ(choice.method, TrainingMethod::resident);
    EXPECT_EQ(choice.reason, "fastest by the model of bench/README.md");
    EXPECT_EQ(choice.own_phi.resident.cluster, 16);
    EXPECT_EQ(choice.own_phi.clusters, 8);
    EXPECT_EQ(choice.shared_phi.resident.cluster, 0) << "there is none of the other kind";
  }
  PopulationConfig config = population(240);
  config.members[0].noise = ensyn::NoiseKind::per_layer;
  EXPECT_EQ(automatic(config).shared_phi.resident.cluster, 16);
}

TEST(TrainingChoice, ManyAreStreamedWhereClustersAreNotAndFewAreSpreadOverTheDevice) {
  for (const auto& on : {std::pair{engines::hopper(), 0}, std::pair{engines::hopper(8), 8}}) {
    const TrainingChoice many = automatic(population(240), on.first, on.second);
    EXPECT_EQ(many.method, TrainingMethod::streamed);
    EXPECT_GT(many.own_phi.streamed.warps, 0);
    EXPECT_THAT(many.reason, HasSubstr("not resident: "));
    EXPECT_THAT(many.reason, HasSubstr(on.second == 0 ? "runs no cluster of 16 blocks" : "capability 9.0"));
    EXPECT_EQ(automatic(population(1), on.first, on.second).method, TrainingMethod::graph);
  }
}

TEST(TrainingChoice, WhatIsAskedForIsTaken) {
  for (const TrainingMethod method :
       {TrainingMethod::graph, TrainingMethod::streamed, TrainingMethod::resident}) {
    for (const std::size_t networks : {1, 240}) {
      const TrainingChoice choice = choose(population(networks), engines::hopper(), method);
      EXPECT_EQ(choice.method, method);
      EXPECT_EQ(choice.reason, "asked for");
    }
  }
}

TEST(TrainingChoice, ResidentIsRefusedInItsOwnWords) {
  PopulationConfig config = population(3);
  const auto refused = [&](int clusters, const std::string& why) {
    try {
      static_cast<void>(choose(config, engines::hopper(), TrainingMethod::resident, clusters));
      ADD_FAILURE() << "was taken";
    } catch (const ensyn::ConfigError& error) {
      EXPECT_THAT(error.what(), HasSubstr("training_method resident does not take these networks: "));
      EXPECT_THAT(error.what(), HasSubstr(why));
    }
  };
  refused(0, "the device runs no cluster of 16 blocks with ");
  config.precision = ensyn::Precision::double_precision;
  refused(8, "single precision");
  config.precision = ensyn::Precision::single_precision;
  config.batch = 23;
  refused(8, "minibatches of 23 examples, of which a cluster takes 22 at most");
  config.batch = 20;
  config.architecture.sizes = {784, 1000, 10};
  refused(8, "no cluster of up to 16 blocks holds");
}

/// Something that streaming does not take, and what is said of it.
struct Refusal {
  const char* name;
  std::function<void(PopulationConfig&)> change;
  DeviceInfo on;
  const char* text;
};

std::vector<Refusal> refusals() {
  const auto last = [](PopulationConfig& config) -> NetworkConfig& { return config.members.back(); };
  return {
      {"binomial", [=](auto& c) { last(c).law = ensyn::NoiseLaw::binomial; }, engines::hopper(),
       "network 239 has noise of the law binomial"},
      {"log_normal", [=](auto& c) { last(c).law = ensyn::NoiseLaw::log_normal; }, engines::hopper(),
       "network 239 has noise of the law log_normal"},
      {"laplace",
       [=](auto& c) {
         last(c).objective = ensyn::Objective::variational;
         last(c).prior = ensyn::Prior::laplace;
       },
       engines::hopper(), "network 239 has a Laplace prior"},
      {"epsilon", [=](auto& c) { last(c).adam.epsilon = 1e-16; }, engines::hopper(),
       "network 239 has an epsilon of Adam below 1e-15"},
      {"batch", [](auto& c) { c.batch = 39; }, engines::hopper(),
       "minibatches of 39 examples, of which a block takes 38 at most"},
      {"batch_in_double",
       [](auto& c) {
         c.batch = 23;
         c.precision = ensyn::Precision::double_precision;
       },
       engines::hopper(), "minibatches of 23 examples, of which a block takes 22 at most"},
      {"width",
       [](auto& c) {
         c.architecture.sizes = {784, 2048, 2048, 10};
       },
       engines::hopper(), "shared memory"},
      {"depth", [](auto& c) { c.architecture.sizes.assign(10, 7); }, engines::hopper(),
       "it takes 8 layers at most"},
      {"device", [](auto&) {}, engines::hopper(8, 6), "a device of compute capability 8.6"},
      {"old_device", [](auto&) {}, engines::hopper(7, 5), "a device of compute capability 7.5"},
  };
}

class TrainingRefusalTest : public ::testing::TestWithParam<Refusal> {};

TEST_P(TrainingRefusalTest, SaysWhy) {
  const Refusal& refusal = GetParam();
  PopulationConfig config = population(240);
  refusal.change(config);
  const TrainingChoice choice = automatic(config, refusal.on);
  EXPECT_EQ(choice.method, TrainingMethod::graph);
  EXPECT_THAT(choice.reason, AnyOf(HasSubstr("not streamed: "), HasSubstr("nor streamed: ")));
  EXPECT_THAT(choice.reason, HasSubstr(refusal.text));
  try {
    static_cast<void>(choose(config, refusal.on, TrainingMethod::streamed));
    FAIL() << "was taken";
  } catch (const ensyn::ConfigError& error) {
    EXPECT_THAT(error.what(), HasSubstr("training_method streamed does not take these networks: "));
    EXPECT_THAT(error.what(), HasSubstr(refusal.text));
    EXPECT_THAT(error.what(), HasSubstr("; use another, or auto"));
  }
  EXPECT_EQ(choose(config, refusal.on, TrainingMethod::graph).method, TrainingMethod::graph);
}

INSTANTIATE_TEST_SUITE_P(All, TrainingRefusalTest, ::testing::ValuesIn(refusals()),
                         [](const auto& test) { return std::string(test.param.name); });

}  // namespace
