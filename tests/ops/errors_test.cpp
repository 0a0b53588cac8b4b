// What is wrong with the arguments of single operations is told by name, with what to do, before anything
// runs.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "ensyn/error.h"
#include "ensyn/ops.h"
#include "ops/user.h"

namespace {

namespace ops = ensyn::ops;
using ::testing::AllOfArray;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;
using user::Array;

/// That `call` throws a ConfigError whose message has all of `words`.
void expect_error(const std::function<void()>& call, const std::vector<std::string>& words) {
  std::vector<::testing::Matcher<std::string>> all;
  for (const std::string& word : words) all.emplace_back(HasSubstr(word));
  EXPECT_THAT(call, ThrowsMessage<ensyn::ConfigError>(AllOfArray(all)));
}

template <class T>
class OpsErrors : public ::testing::Test {
 protected:
  static constexpr int kInputs = 3, kOutputs = 2, kBatch = 4;
  const Array<T> mu{8}, phi{8}, x{12}, delta{8}, output{16}, sums{8}, more_sums{8}, nll{4};
  const Array<std::uint8_t> labels{4}, correct{4};

  [[nodiscard]] ops::Weights<T> weights() const {
    return {.inputs = kInputs,
            .outputs = kOutputs,
            .mu = mu.data(),
            .phi = phi.data(),
            .key = ensyn::NoiseKey{.seed = 1}};
  }
  /// Each of these is valid until `spoil` has changed it.
  void forward(const std::function<void(ops::Forward<T>&)>& spoil, const std::vector<std::string>& words) {
    ops::Forward<T> args{.weights = weights(), .x = x.data(), .output = output.data(), .batch = kBatch};
    spoil(args);
    expect_error([&] { ops::forward(args); }, with_name("ops::forward: ", words));
  }
  void backward(const std::function<void(ops::Backward<T>&)>& spoil, const std::vector<std::string>& words) {
    ops::Backward<T> args{.weights = weights(),
                          .delta = delta.data(),
                          .activation = x.data(),
                          .output = output.data(),
                          .batch = kBatch};
    spoil(args);
    expect_error([&] { ops::backward(args); }, with_name("ops::backward: ", words));
  }
  void cross_entropy(const std::function<void(ops::CrossEntropy<T>&)>& spoil,
                     const std::vector<std::string>& words) {
    ops::CrossEntropy<T> args{.logits = output.data(),
                              .classes = 3,
                              .batch = kBatch,
                              .labels = labels.data(),
                              .nll = nll.data(),
                              .correct = correct.data()};
    spoil(args);
    expect_error([&] { ops::cross_entropy(args); }, with_name("ops::cross_entropy: ", words));
  }
  void statistics(const std::function<void(ops::GradientStatistics<T>&)>& spoil,
                  const std::vector<std::string>& words) {
    ops::GradientStatistics<T> args{.inputs = kInputs,
                                    .outputs = kOutputs,
                                    .batch = kBatch,
                                    .x = x.data(),
                                    .delta = delta.data(),
                                    .mu = mu.data(),
                                    .fraction = 0.5,
                                    .squared_gradient = sums.data(),
                                    .absolute_gradient = more_sums.data()};
    spoil(args);
    expect_error([&] { ops::gradient_statistics(args); }, with_name("ops::gradient_statistics: ", words));
  }

  [[nodiscard]] static std::vector<std::string> with_name(const std::string& name,
                                                          std::vector<std::string> words) {
    words.push_back(name);
    return words;
  }
};
TYPED_TEST_SUITE(OpsErrors, user::Numbers);

TYPED_TEST(OpsErrors, NullPointersAreNamed) {
  this->forward([](auto& a) { a.x = nullptr; }, {"x is null", "give device memory of 4 x 3 elements"});
  this->forward([](auto& a) { a.weights.mu = nullptr; }, {"mu is null", "2 x 4"});
  this->forward([](auto& a) { a.weights.phi = nullptr; }, {"phi is null", "2 x 4"});
  this->forward(
      [](auto& a) {
        a.weights.noise = ensyn::NoiseKind::homogeneous;
        a.weights.phi = nullptr;
      },
      {"phi is null", "1 x 1"});
  this->forward([](auto& a) { a.output = nullptr; }, {"output is null", "4 x 2"});
  this->backward([](auto& a) { a.delta = nullptr; }, {"delta is null", "4 x 2"});
  this->cross_entropy([](auto& a) { a.labels = nullptr; }, {"labels is null", "1 x 4 elements of 1 bytes"});
  this->cross_entropy([](auto& a) { a.nll = nullptr; }, {"nll is null"});
  this->cross_entropy([](auto& a) { a.correct = nullptr; }, {"correct is null"});
  this->cross_entropy([](auto& a) { a.logits = nullptr; }, {"logits is null"});
  this->statistics([](auto& a) { a.squared_gradient = nullptr; }, {"squared_gradient is null"});
  this->statistics([&](auto& a) { a.input_sum = this->output.data(); },
                   {"absolute_input_sum is null", "1 x 3"});
}

TYPED_TEST(OpsErrors, MemoryThatTheDeviceCannotUseIsRefused) {
  using T = TypeParam;
  const std::vector<T> host(12);
  this->forward([&](auto& a) { a.x = host.data(); }, {"x = 0x", "is not device memory", "4 x 3 elements"});
  void* pinned = nullptr;
  user::ok(cudaMallocHost(&pinned, 12 * sizeof(T)));
  this->forward([&](auto& a) { a.x = static_cast<T*>(pinned); },
                {"x = 0x", "pinned host memory", "give device memory"});
  user::ok(cudaFreeHost(pinned));
  this->forward([&](auto& a) { a.x = reinterpret_cast<const T*>(reinterpret_cast<const char*>(a.x) + 1); },
                {"x = 0x", "not aligned", "multiple of " + std::to_string(sizeof(T))});
}

TYPED_TEST(OpsErrors, SizesHaveLimits) {
  this->forward([](auto& a) { a.batch = 0; }, {"batch = 0", "from 1 to 1073741824"});
  this->forward([](auto& a) { a.batch = -4; }, {"batch = -4"});
  this->forward([](auto& a) { a.examples = -1; }, {"examples = -1"});
  this->forward([](auto& a) { a.weights.inputs = 0; }, {"inputs = 0", "from 1"});
  this->forward([](auto& a) { a.weights.outputs = -2; }, {"outputs = -2"});
  this->forward([](auto& a) { a.weights.inputs = a.weights.outputs = 1 << 20; },
                {"inputs = 1048576", "outputs = 1048576", "2^38", "smaller layers"});
  this->backward([](auto& a) { a.batch = 0; }, {"batch = 0"});
  this->cross_entropy([](auto& a) { a.batch = 0; }, {"batch = 0"});
  this->cross_entropy([](auto& a) { a.classes = 1; }, {"classes = 1", "from 2 to 256"});
  this->cross_entropy([](auto& a) { a.classes = 257; }, {"classes = 257", "from 2 to 256"});
  this->statistics([](auto& a) { a.batch = 0; }, {"batch = 0"});
}

TYPED_TEST(OpsErrors, StridesHoldARow) {
  this->forward([](auto& a) { a.x_stride = 2; }, {"x_stride = 2", "at least 3", "0 for tight rows"});
  this->forward([](auto& a) { a.weights.stride = 3; }, {"stride = 3", "at least 4"});
  this->forward([](auto& a) { a.output_stride = -1; }, {"output_stride = -1", "at least 2"});
  this->backward([](auto& a) { a.delta_stride = 1; }, {"delta_stride = 1"});
  this->backward([](auto& a) { a.activation_stride = 1; }, {"activation_stride = 1"});
  this->cross_entropy([](auto& a) { a.stride = 2; }, {"stride = 2", "at least 3"});
  this->statistics([](auto& a) { a.stride = 2; }, {"stride = 2", "at least 4"});
  this->forward([](auto& a) { a.x_stride = 2000000000; }, {"x_stride = 2000000000", "from 3 to 1073741825"});
}

TYPED_TEST(OpsErrors, KeysHaveLimits) {
  this->forward([](auto& a) { a.weights.key->stream = 1u << 24; }, {"noise stream 16777216", "16777215"});
  this->forward([](auto& a) { a.weights.key->step = 1ull << 40; }, {"noise step 1099511627776"});
  this->forward([](auto& a) { a.weights.key->tensor = 4096; }, {"noise tensor 4096", "4095"});
  this->forward([](auto& a) { a.weights.key->purpose = static_cast<ensyn::Purpose>(256); },
                {"noise purpose 256", "255"});
  // The second of four minibatches would be the first beyond.
  this->forward(
      [](auto& a) {
        a.batch = 1;
        a.examples = 4;
        a.weights.key->step = (1ull << 40) - 1;
      },
      {"noise step 1099511627778"});
}

TYPED_TEST(OpsErrors, GridsThatCudaDoesNotLaunchAreRefused) {
  this->forward([](auto& a) { a.weights.outputs = 1 << 20; }, {"grid", "65535", "fewer outputs"});
  this->backward([](auto& a) { a.batch = 1 << 30; }, {"grid", "65535", "several calls"});
  this->statistics([](auto& a) { a.inputs = 1 << 25; }, {"grid", "65535", "fewer inputs"});
  expect_error(
      [&] {
        ops::noise(ops::Noise<TypeParam>{.rows = 1, .columns = 1 << 30, .output = this->output.data()});
      },
      {"ops::noise: ", "grid", "65535", "fewer inputs"});
}

TYPED_TEST(OpsErrors, WhatIsWrittenOverlapsNothing) {
  this->forward([&](auto& a) { a.output = this->output.data(), a.x = this->output.data() + 4; },
                {"output is written, but overlaps x", "memory of its own"});
  this->backward([&](auto& a) { a.output = const_cast<TypeParam*>(a.activation); },
                 {"output is written, but overlaps activation"});
  // Rows side by side in one array of 4 columns: x in the first three, outputs in the last and, wrongly, the
  // first of the next row.
  this->forward(
      [&](auto& a) {
        a.x = this->output.data(), a.x_stride = 4;
        a.output = this->output.data() + 3, a.output_stride = 4;
      },
      {"output is written, but overlaps x"});
  this->cross_entropy([&](auto& a) { a.nll = a.logits + 1; }, {"nll", "logits", "overlaps"});
  this->statistics([](auto& a) { a.absolute_gradient = a.squared_gradient; },
                   {"squared_gradient is written, but overlaps absolute_gradient"});
  expect_error(
      [&] {
        ops::log_softmax(ops::LogSoftmax<TypeParam>{.logits = this->output.data(),
                                                    .output = this->output.data(),
                                                    .output_stride = 4,
                                                    .classes = 3,
                                                    .examples = 4});
      },
      {"ops::log_softmax: ", "output is written, but overlaps logits"});
  expect_error(
      [&] {
        ops::sample_weights(
            ops::SampleWeights<TypeParam>{.weights = this->weights(), .output = this->mu.data() + 1});
      },
      {"ops::sample_weights: ", "output is written, but overlaps mu"});
}

TYPED_TEST(OpsErrors, StatisticsAndInitialisationCheckTheirSettings) {
  using T = TypeParam;
  this->statistics([](auto& a) { a.lambda = -1; }, {"lambda = -1", "0 or greater"});
  this->statistics([](auto& a) { a.fraction = 0; }, {"fraction = 0", "B/N"});
  expect_error(
      [&] {
        ops::initialize_shared_phi(ops::InitializeSharedPhi<T>{this->mu.data(), -1.0});
      },
      {"ops::initialize_shared_phi: ", "sigma_init = -1", "greater than 0"});
  expect_error([&] { ops::initialize_shared_phi(ops::InitializeSharedPhi<T>{nullptr}); },
               {"shared_phi is null", "1 x 3"});
  ops::Initialize<T> initialize{.parameters = {.inputs = 3,
                                               .outputs = 2,
                                               .mu = this->mu.data(),
                                               .mu_moment1 = this->sums.data(),
                                               .mu_moment2 = this->more_sums.data()}};
  expect_error([&] { ops::initialize(initialize); }, {"ops::initialize: ", "phi is null", "2 x 4"});
  initialize.config.mu_range = -1;
  expect_error([&] { ops::initialize(initialize); }, {"config.mu_range = -1"});
  initialize.config.mu_range = 1;
  initialize.tensor = 4096;
  expect_error([&] { ops::initialize(initialize); }, {"noise tensor 4096"});
}

}  // namespace
