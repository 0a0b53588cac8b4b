// Which training method is taken, and what is said of it: a pure function of networks and device.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "ensyn/error.h"
#include "host/cuda/whole_training.h"

namespace {

using ensyn::NetworkConfig;
using ensyn::PopulationConfig;
using ensyn::TrainingMethod;
using ensyn::cuda::choose_training;
using ensyn::cuda::DeviceInfo;
using ensyn::cuda::TrainingChoice;
using ::testing::HasSubstr;

DeviceInfo device(int major = 9, int minor = 0) {
  DeviceInfo info;
  info.major = major;
  info.minor = minor;
  info.multiprocessors = 132;
  info.shared_bytes = 227 << 10;
  return info;
}

PopulationConfig population(std::size_t networks) {
  PopulationConfig config = ensyn::paper_preset(2, 0.1);
  config.members.resize(networks, config.members.front());
  return config;
}

TrainingChoice automatic(const PopulationConfig& config, const DeviceInfo& on = device()) {
  return choose_training(config, true, on, TrainingMethod::automatic);
}

TEST(TrainingChoice, ManySmallNetworksAreStreamed) {
  PopulationConfig config = population(240);
  const TrainingChoice heterogeneous = automatic(config);
  EXPECT_EQ(heterogeneous.method, TrainingMethod::streamed);
  EXPECT_THAT(heterogeneous.reason, HasSubstr("bench/README.md"));
  EXPECT_GT(heterogeneous.own_phi.warps, 0);
  EXPECT_EQ(heterogeneous.shared_phi.warps, 0) << "there is none of the other kind";
  config.members[0].noise = ensyn::NoiseKind::per_layer;
  EXPECT_GT(automatic(config).shared_phi.warps, 0);
}

TEST(TrainingChoice, OneNetworkIsSpreadOverTheDevice) {
  const TrainingChoice choice = automatic(population(1));
  EXPECT_EQ(choice.method, TrainingMethod::graph);
  EXPECT_THAT(choice.reason, HasSubstr("1 networks of this size do not fill the device"));
}

TEST(TrainingChoice, WhatIsAskedForIsTaken) {
  for (const TrainingMethod method : {TrainingMethod::graph, TrainingMethod::streamed}) {
    for (const std::size_t networks : {1, 240}) {
      const TrainingChoice choice = choose_training(population(networks), true, device(), method);
      EXPECT_EQ(choice.method, method);
      EXPECT_EQ(choice.reason, "asked for");
    }
  }
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
      {"binomial", [=](auto& c) { last(c).law = ensyn::NoiseLaw::binomial; }, device(),
       "network 239 has noise of the law binomial"},
      {"log_normal", [=](auto& c) { last(c).law = ensyn::NoiseLaw::log_normal; }, device(),
       "network 239 has noise of the law log_normal"},
      {"laplace",
       [=](auto& c) {
         last(c).objective = ensyn::Objective::variational;
         last(c).prior = ensyn::Prior::laplace;
       },
       device(), "network 239 has a Laplace prior"},
      {"epsilon", [=](auto& c) { last(c).adam.epsilon = 1e-16; }, device(),
       "network 239 has an epsilon of Adam below 1e-15"},
      {"batch", [](auto& c) { c.batch = 39; }, device(),
       "minibatches of 39 examples, of which a block takes 38 at most"},
      {"batch_in_double",
       [](auto& c) {
         c.batch = 23;
         c.precision = ensyn::Precision::double_precision;
       },
       device(), "minibatches of 23 examples, of which a block takes 22 at most"},
      {"width",
       [](auto& c) {
         c.architecture.sizes = {784, 2048, 2048, 10};
       },
       device(), "shared memory"},
      {"depth", [](auto& c) { c.architecture.sizes.assign(10, 7); }, device(), "it takes 8 layers at most"},
      {"device", [](auto&) {}, device(8, 6), "a device of compute capability 8.6"},
      {"old_device", [](auto&) {}, device(7, 5), "a device of compute capability 7.5"},
  };
}

class TrainingRefusalTest : public ::testing::TestWithParam<Refusal> {};

TEST_P(TrainingRefusalTest, SaysWhy) {
  const Refusal& refusal = GetParam();
  PopulationConfig config = population(240);
  refusal.change(config);
  const TrainingChoice choice = automatic(config, refusal.on);
  EXPECT_EQ(choice.method, TrainingMethod::graph);
  EXPECT_THAT(choice.reason, HasSubstr("not streamed: "));
  EXPECT_THAT(choice.reason, HasSubstr(refusal.text));
  try {
    static_cast<void>(choose_training(config, true, refusal.on, TrainingMethod::streamed));
    FAIL() << "was taken";
  } catch (const ensyn::ConfigError& error) {
    EXPECT_THAT(error.what(), HasSubstr("training_method streamed does not take these networks: "));
    EXPECT_THAT(error.what(), HasSubstr(refusal.text));
    EXPECT_THAT(error.what(), HasSubstr("; use graph, or auto"));
  }
  EXPECT_EQ(choose_training(config, true, refusal.on, TrainingMethod::graph).method, TrainingMethod::graph);
}

INSTANTIATE_TEST_SUITE_P(All, TrainingRefusalTest, ::testing::ValuesIn(refusals()),
                         [](const auto& test) { return std::string(test.param.name); });

}  // namespace
