// What is wrong with the arguments of updates is told by name, with what to do, before anything runs.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
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

template <class T>
class OpsUpdateErrors : public ::testing::Test {
 protected:
  static constexpr std::size_t kSize = 8;
  std::array<Array<T>, 6> memory{Array<T>(kSize), Array<T>(kSize), Array<T>(kSize),
                                 Array<T>(kSize), Array<T>(kSize), Array<T>(kSize)};
  const Array<T> x{12}, delta{8}, shared_phi{3};
  const Array<double> workspace{128};
  std::array<ops::LayerUpdate<T>, 1> layers{
      {{.parameters = {3, 2, memory[0].data(), memory[1].data(), memory[2].data(), memory[3].data(),
                       memory[4].data(), memory[5].data()},
        .x = x.data(),
        .delta = delta.data()}}};

  [[nodiscard]] ops::Update<T> valid(ensyn::NoiseKind noise) const {
    ops::Update<T> args{.layers = layers, .batch = 4, .key = ensyn::NoiseKey{}, .fraction = 0.5};
    args.config.noise = noise;
    return args;
  }

  static void expect_error(const std::function<void()>& call, const std::vector<std::string>& words) {
    std::vector<::testing::Matcher<std::string>> all;
    for (const std::string& word : words) all.emplace_back(HasSubstr(word));
    EXPECT_THAT(call, ThrowsMessage<ensyn::ConfigError>(AllOfArray(all)));
  }

  /// Of both kinds of update, which are valid until `spoil` has changed them.
  void update(const std::function<void(ops::Update<T>&)>& spoil,
              const std::vector<std::string>& words) const {
    ops::Update<T> args = valid(ensyn::NoiseKind::heterogeneous);
    spoil(args);
    expect_error([&] { ops::update(args); }, words);
    homogeneous(
        [&](auto& a) {
          a.update.layers = args.layers;
          spoil(a.update);
        },
        words);
  }
  void homogeneous(const std::function<void(ops::HomogeneousUpdate<T>&)>& spoil,
                   const std::vector<std::string>& words) const {
    ops::HomogeneousUpdate<T> args{.update = valid(ensyn::NoiseKind::homogeneous),
                                   .shared_phi = shared_phi.data(),
                                   .workspace = workspace.data(),
                                   .workspace_bytes = 8 * workspace.size()};
    spoil(args);
    expect_error([&] { ops::homogeneous_update(args); }, words);
  }
  /// Of one layer's arguments.
  void layer(const std::function<void(ops::LayerUpdate<T>&)>& spoil,
             const std::vector<std::string>& words) const {
    auto spoiled = layers;
    spoil(spoiled[0]);
    update([&](auto& a) { a.layers = spoiled; }, words);
  }
};
TYPED_TEST_SUITE(OpsUpdateErrors, user::Numbers);

TYPED_TEST(OpsUpdateErrors, WhatIsValidRuns) {
  ops::update(this->valid(ensyn::NoiseKind::heterogeneous));
  ops::homogeneous_update(ops::HomogeneousUpdate<TypeParam>{
      .update = this->valid(ensyn::NoiseKind::homogeneous),
      .shared_phi = this->shared_phi.data(),
      .workspace = this->workspace.data(),
      .workspace_bytes =
          ops::homogeneous_workspace_bytes(std::span<const ops::LayerUpdate<TypeParam>>(this->layers))});
  user::ok(cudaDeviceSynchronize());
}

TYPED_TEST(OpsUpdateErrors, SizesAndSettings) {
  this->update([](auto& a) { a.layers = {}; }, {"layers is empty"});
  this->update([](auto& a) { a.batch = 0; }, {"batch = 0", "from 1"});
  this->update([](auto& a) { a.fraction = 0; }, {"fraction = 0", "B/N"});
  this->update([](auto& a) { a.fraction = 1.5; }, {"fraction = 1.5", "at most 1"});
  this->update([](auto& a) { a.key.reset(); }, {"neither key nor adam_step"});
  this->update([](auto& a) { a.adam_step = 1ull << 40; }, {"adam_step = 1099511627776", "2^40"});
  this->update([](auto& a) { a.key->step = 1ull << 40; }, {"noise step 1099511627776"});
  this->update([](auto& a) { a.key->stream = 1u << 24; }, {"noise stream 16777216"});
  this->update([](auto& a) { a.key->tensor = 4096; }, {"noise tensor 4096"});
  this->update([](auto& a) { a.config.costs = {{0.0, 1.0}}; }, {"config.costs[0].rho = 0", "greater than 0"});
  this->update([](auto& a) { a.config.costs = {{1.0, -1.0}}; }, {"config.costs[0].c = -1", "0 or greater"});
  this->update([](auto& a) { a.config.law = ensyn::NoiseLaw::binomial; },
               {"config.law is binomial", "gaussian"});
  this->update([](auto& a) { a.config.lambda = -1; }, {"config.lambda = -1"});
  this->update([](auto& a) { a.config.adam.beta1 = 1; }, {"config.adam.beta1 = 1"});
  this->update([](auto& a) { a.config.costs.resize(9); }, {"config.costs has 9 terms", "at most 8"});
}

TYPED_TEST(OpsUpdateErrors, OfOneLayerAreNamedWithIt) {
  this->layer([](auto& l) { l.x = nullptr; }, {"layers[0].x is null", "4 x 3"});
  this->layer([](auto& l) { l.delta = nullptr; }, {"layers[0].delta is null", "4 x 2"});
  this->layer([](auto& l) { l.parameters.mu = nullptr; }, {"layers[0].mu is null", "2 x 4"});
  this->layer([](auto& l) { l.parameters.mu_moment1 = nullptr; }, {"layers[0].mu_moment1 is null"});
  this->layer([](auto& l) { l.parameters.mu_moment2 = l.parameters.mu; },
              {"layers[0].mu is written, but overlaps layers[0].mu_moment2"});
  this->layer([](auto& l) { l.x = l.parameters.mu; }, {"layers[0].mu is written, but overlaps layers[0].x"});
  this->layer([](auto& l) { l.parameters.inputs = 0; }, {"layers[0].inputs = 0"});
  this->layer([](auto& l) { l.parameters.stride = 3; }, {"layers[0].stride = 3", "at least 4"});
  this->layer([](auto& l) { l.x_stride = 1; }, {"layers[0].x_stride = 1", "at least 3"});
  this->layer([](auto& l) { l.gradient = l.parameters.mu; },
              {"layers[0].mu is written, but overlaps layers[0].gradient"});
}

TYPED_TEST(OpsUpdateErrors, EachUpdateHasItsKindOfNoise) {
  using T = TypeParam;
  ops::Update<T> wrong = this->valid(ensyn::NoiseKind::homogeneous);
  this->expect_error([&] { ops::update(wrong); },
                     {"ops::update: ", "config.noise is homogeneous", "homogeneous_update"});
  this->homogeneous([](auto& a) { a.update.config.noise = ensyn::NoiseKind::heterogeneous; },
                    {"ops::homogeneous_update: ", "config.noise is heterogeneous", "ops::update"});
  auto spoiled = this->layers;
  spoiled[0].parameters.phi_moment2 = nullptr;
  wrong = this->valid(ensyn::NoiseKind::heterogeneous);
  wrong.layers = spoiled;
  this->expect_error([&] { ops::update(wrong); }, {"layers[0].phi_moment2 is null"});
}

TYPED_TEST(OpsUpdateErrors, TheWorkspaceIsLargeEnoughAndItsOwn) {
  const std::size_t needed =
      ops::homogeneous_workspace_bytes(std::span<const ops::LayerUpdate<TypeParam>>(this->layers));
  this->homogeneous([&](auto& a) { a.workspace_bytes = needed - 1; },
                    {"workspace_bytes = " + std::to_string(needed - 1), "at least " + std::to_string(needed),
                     "homogeneous_workspace_bytes"});
  this->homogeneous([](auto& a) { a.workspace = nullptr; }, {"workspace is null"});
  this->homogeneous([](auto& a) { a.shared_phi = nullptr; }, {"shared_phi is null"});
  this->homogeneous([](auto& a) { a.shared_phi = static_cast<TypeParam*>(a.workspace); },
                    {"shared_phi is written, but overlaps workspace"});
  this->homogeneous([](auto& a) { a.workspace = static_cast<char*>(a.workspace) + 4; },
                    {"workspace", "not aligned", "multiple of 8"});
  this->expect_error(
      [] {
        static_cast<void>(ops::homogeneous_workspace_bytes(std::span<const ops::LayerUpdate<TypeParam>>{}));
      },
      {"ops::homogeneous_workspace_bytes: ", "layers is empty"});
}

}  // namespace
