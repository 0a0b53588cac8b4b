// A network trained by the public operations, as a user would, against Population on the CPU: the same bits.

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include "ensyn/noise.h"
#include "ensyn/population.h"
#include "ops/two_layers.h"
#include "ops/user.h"

namespace {

using ensyn::NoiseKind;
using ensyn::Objective;
using user::Stream;
using user::TwoLayers;

constexpr std::size_t kExamples = 67;
constexpr int kInputs = 9, kHidden = 13, kClasses = 5, kBatch = 20;
constexpr std::uint64_t kSteps = 10, kStepsPerEpoch = kExamples / kBatch;

std::vector<float> features() {
  return user::numbers<float>(kExamples * kInputs);
}

std::vector<std::uint8_t> labels() {
  std::vector<std::uint8_t> result;
  for (std::size_t i = 0; i < kExamples; ++i) result.push_back(static_cast<std::uint8_t>(i * 7 % kClasses));
  return result;
}

// Not inlined: g++ 12 would take the constants behind the defaults of `costs` for uninitialised.
template <class T>
[[gnu::noinline]] ensyn::PopulationConfig configuration(NoiseKind noise, Objective objective,
                                                        std::uint32_t stream) {
  ensyn::PopulationConfig config;
  config.architecture.sizes = {kInputs, kHidden, kClasses};
  config.batch = kBatch;
  config.data_seed = 77;
  config.precision =
      std::is_same_v<T, float> ? ensyn::Precision::single_precision : ensyn::Precision::double_precision;
  ensyn::NetworkConfig& member = config.members.front();
  member.seed = 0x9E3779B97F4A7C15;
  member.stream = stream;
  member.noise = noise;
  member.objective = objective;
  member.costs = {{2.0, 0.3}, {1.37, 0.5}};
  member.prior_sigma = 0.6;
  member.mu_range = 0.5;
  member.sigma_init = 0.3;
  member.adam.learning_rate = 0.01;
  return config;
}

/// A population of one on the CPU, trained by the same configuration.
ensyn::Population reference(const ensyn::PopulationConfig& config, std::uint64_t steps) {
  ensyn::Population population(config, ensyn::Dataset::from_floats(features(), labels(), kInputs, kClasses),
                               {.device = ensyn::DeviceKind::cpu});
  population.train_steps(steps);
  return population;
}

template <class T>
void load_minibatch(TwoLayers<T>& network, std::uint64_t step) {
  const auto order = ensyn::minibatch_order(77, 0, step / kStepsPerEpoch, kExamples);
  const std::vector<float> all = features();
  std::vector<T> x;
  std::vector<std::uint8_t> y;
  for (std::size_t b = 0; b < kBatch; ++b) {
    const std::size_t example = order[step % kStepsPerEpoch * kBatch + b];
    for (std::size_t k = 0; k < kInputs; ++k) x.push_back(all[example * kInputs + k]);
    y.push_back(labels()[example]);
  }
  network.activations().x.write(x);
  network.activations().labels.write(y);
}

/// Elements of a padded matrix, as doubles.
template <class T>
std::vector<double> dense(const user::Array<T>& array, const user::LayerMemory<T>& layer) {
  const std::vector<T> all = array.read();
  std::vector<double> result;
  for (int row = 0; row < layer.outputs; ++row) {
    const auto first = all.begin() + static_cast<std::ptrdiff_t>(row) * layer.stride;
    result.insert(result.end(), first, first + layer.inputs + 1);
  }
  return result;
}

template <class T>
void expect_equal(const TwoLayers<T>& network, const ensyn::Population& population) {
  for (int l = 0; l < 2; ++l) {
    const ensyn::LayerParameters expected = population.parameters(0, l);
    const user::LayerMemory<T>& layer = network.layer(static_cast<std::size_t>(l));
    EXPECT_EQ(dense(layer.mu, layer), expected.mu) << "mu of layer " << l;
    if (network.heterogeneous()) {
      EXPECT_EQ(dense(layer.phi, layer), expected.phi) << "phi of layer " << l;
    } else {
      EXPECT_EQ(static_cast<double>(network.shared_phi().read().front()), expected.phi.front());
    }
  }
}

struct Kind {
  NoiseKind noise;
  Objective objective;
};
constexpr Kind kKinds[] = {{NoiseKind::heterogeneous, Objective::energy},
                           {NoiseKind::homogeneous, Objective::energy},
                           {NoiseKind::heterogeneous, Objective::variational},
                           {NoiseKind::homogeneous, Objective::variational}};

template <class T>
class OpsTraining : public ::testing::Test {};
TYPED_TEST_SUITE(OpsTraining, user::Numbers);

constexpr double kFraction = static_cast<double>(kBatch) / kExamples;

TYPED_TEST(OpsTraining, BeginsAsAPopulationDoes) {
  for (const Kind& kind : kKinds) {
    const auto config = configuration<TypeParam>(kind.noise, kind.objective, 3);
    const Stream stream;
    const TwoLayers<TypeParam> network(config, kFraction);
    network.initialize(stream);
    expect_equal(network, reference(config, 0));
  }
}

TYPED_TEST(OpsTraining, GivesTheBitsOfTheCpuBackend) {
  for (const Kind& kind : kKinds) {
    SCOPED_TRACE(std::string(ensyn::name(kind.noise)) + ", " + std::string(ensyn::name(kind.objective)));
    const auto config = configuration<TypeParam>(kind.noise, kind.objective, 3);
    const Stream stream;
    TwoLayers<TypeParam> network(config, kFraction);
    network.initialize(stream);
    // The metrics of the last, unfinished epoch.
    double nll = 0, correct = 0;
    for (std::uint64_t step = 0; step < kSteps; ++step) {
      load_minibatch(network, step);
      network.enqueue_step(step, stream);
      double of_step = 0;
      for (const TypeParam value : network.activations().nll.read()) of_step += static_cast<double>(value);
      if (step % kStepsPerEpoch == 0) nll = correct = 0;
      nll += of_step;
      for (const std::uint8_t value : network.activations().correct.read()) correct += value;
    }
    const ensyn::Population population = reference(config, kSteps);
    expect_equal(network, population);
    const ensyn::TrainingMetrics metrics = population.metrics().front();
    const double examples = static_cast<double>(metrics.examples);
    EXPECT_EQ(nll / examples, metrics.nll);
    EXPECT_EQ(correct / examples, metrics.accuracy);
  }
}

TYPED_TEST(OpsTraining, ACapturedStepDoesWhatTheStepDoes) {
  for (const Kind& kind : {kKinds[0], kKinds[1]}) {
    const auto config = configuration<TypeParam>(kind.noise, kind.objective, 3);
    const Stream stream;
    TwoLayers<TypeParam> network(config, kFraction);
    network.initialize(stream);
    for (std::uint64_t step = 0; step < 3; ++step) {
      load_minibatch(network, step);
      const user::Graph graph(stream, [&] { network.enqueue_step(step, stream); });
      graph.launch(stream);
      stream.wait();
    }
    expect_equal(network, reference(config, 3));
  }
}

TYPED_TEST(OpsTraining, TwoStreamsAtOnceDoNotDisturbEachOther) {
  const auto first = configuration<TypeParam>(NoiseKind::heterogeneous, Objective::energy, 3);
  const auto second = configuration<TypeParam>(NoiseKind::homogeneous, Objective::energy, 8);
  const Stream streams[2];
  TwoLayers<TypeParam> networks[] = {TwoLayers<TypeParam>(first, kFraction),
                                     TwoLayers<TypeParam>(second, kFraction)};
  for (std::size_t n = 0; n < 2; ++n) networks[n].initialize(streams[n]);
  for (std::uint64_t step = 0; step < 3; ++step) {
    for (auto& network : networks) load_minibatch(network, step);
    for (std::size_t n = 0; n < 2; ++n) networks[n].enqueue_step(step, streams[n]);
  }
  for (const Stream& stream : streams) stream.wait();
  expect_equal(networks[0], reference(first, 3));
  expect_equal(networks[1], reference(second, 3));
}

TYPED_TEST(OpsTraining, TheDefaultStreamServesToo) {
  const user::Array<TypeParam> output(12), again(12);
  const Stream stream;
  const ensyn::ops::Noise<TypeParam> noise{
      .key = {1, 2, 3, 4}, .rows = 3, .columns = 4, .output = output.data()};
  ensyn::ops::noise(noise);
  auto second = noise;
  second.output = again.data();
  ensyn::ops::noise(second, stream.get());
  EXPECT_EQ(output.read(), again.read());
}

}  // namespace
