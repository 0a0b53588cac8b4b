// Training whole networks in one kernel, against the CPU engine step for step, and against itself run in
// other ways, where the bits must be the same.
//
// Both draw the same noise; single-precision kernels compute normals and special functions by the hardware,
// and products by split operands, so that a sum of K products of size s is off by a few 2^-22 sqrt(K) s,
// where that of the CPU is off by 2^-24 sqrt(K) s. With G the largest gradient, a step of Adam with epsilon =
// 1 then differs by at most about u max |p| + lr sqrt(K) u G / 2, u = 2^-21: a quarter of what
// engine_test.cpp allows cuBLAS, and four times the largest error that was seen under emulation. The
// functions of a device are less exact than the emulation's (2^-20.5 of a sine, and of a normal more where
// its radius is small): there four times as much is allowed in single precision.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "cuda/engines.h"
#include "ensyn/error.h"
#include "host/cuda/whole_training.h"
#include "oracle/compare.h"

namespace {

using engines::expect_equal;
using engines::states;
using engines::train;
using ensyn::Precision;
using ensyn::TrainingMethod;
using parity::Case;

std::string name_of(const ::testing::TestParamInfo<Case>& test) {
  return test.param.name;
}

bool is_taken(const Case& test, TrainingMethod method) {
  try {
    return choose_training(test.config, test.holds_bytes, engines::hopper(), method,
                           [](const auto& /*training*/) { return 1; })
               .method == method;
  } catch (const ensyn::ConfigError&) {
    return false;
  }
}

/// Cases that are taken, in which Adam's epsilon keeps an error from being blown up.
std::vector<Case> tame_cases(TrainingMethod method) {
  std::vector<Case> tame;
  for (const Precision precision : {Precision::single_precision, Precision::double_precision}) {
    for (Case test : parity::cases(precision)) {
      const auto& members = test.config.members;
      if (!is_taken(test, method) ||
          !std::all_of(members.begin(), members.end(), [](const auto& m) { return m.adam.epsilon >= 0.3; }))
        continue;
      test.name += precision == Precision::single_precision ? "_single" : "_double";
      tame.push_back(std::move(test));
    }
  }
  return tame;
}

class WholeTrainingTest : public ::testing::TestWithParam<Case> {};

/// Largest gradient of recent steps, from the second moments.
double largest_gradient(const ensyn::NetworkState& state, double beta2, double steps) {
  double largest = 0;
  for (const ensyn::LayerState& layer : state.layers)
    largest = std::max({largest, parity::largest(layer.mu_moment2), parity::largest(layer.phi_moment2)});
  return std::sqrt(largest / (1 - std::pow(beta2, steps)));
}

/// The rounding unit of the engine's arithmetic.
double unit_of(const ensyn::Engine& engine, const Case& test) {
  if (test.config.precision == Precision::double_precision) return std::ldexp(1.0, -50);
  const bool emulated = engine.device().find("SIMT emulation") != std::string::npos;
  return std::ldexp(1.0, emulated ? -21 : -19);
}

void expect_close(const ensyn::NetworkState& got, const ensyn::NetworkState& want, const Case& test,
                  const ensyn::AdamConfig& adam, int steps, double u) {
  const double gradient = largest_gradient(want, adam.beta2, steps);
  const double sum = u * std::sqrt(parity::longest_sum(test.config));
  for (std::size_t l = 0; l < want.layers.size(); ++l) {
    SCOPED_TRACE("layer " + std::to_string(l));
    const ensyn::LayerState &a = got.layers[l], &b = want.layers[l];
    const auto tolerance = [&](const std::vector<double>& of) {
      return compare::Tolerance{
          steps * (u * parity::largest(of) + 0.5 * adam.learning_rate * sum * gradient / adam.epsilon), 0};
    };
    EXPECT_TRUE(compare::all_close(a.mu, b.mu, tolerance(b.mu)));
    if (!b.phi.empty()) {
      EXPECT_TRUE(compare::all_close(a.phi, b.phi, tolerance(b.phi)));
    }
  }
  const std::vector<double>&a = got.shared_phi.value, &b = want.shared_phi.value;
  if (!b.empty()) {
    EXPECT_TRUE(compare::all_close(
        a, b,
        {steps * (u * parity::largest(b) + 0.5 * adam.learning_rate * sum * gradient / adam.epsilon), 0}));
  }
  EXPECT_EQ(got.epoch.examples, want.epoch.examples);
  EXPECT_NEAR(got.epoch.nll, want.epoch.nll, 2 * sum * (1 + std::fabs(want.epoch.nll)));
}

void expect_agreement(const Case& test, TrainingMethod method,
                      const std::vector<std::uint64_t>& goals = {1, 2, 10}) {
  const ensyn::Dataset data = parity::make_data(test);
  const auto cpu = engines::on_cpu(test, data), cuda = engines::on_cuda(test, data, method);
  std::uint64_t done = 0;
  for (const std::uint64_t goal : goals) {
    SCOPED_TRACE("after " + std::to_string(goal) + " steps");
    train(*cpu, test, done, goal - done);
    train(*cuda, test, done, goal - done);
    done = goal;
    const auto want = states(*cpu, test), got = states(*cuda, test);
    for (std::size_t m = 0; m < want.size(); ++m) {
      SCOPED_TRACE("member " + std::to_string(m));
      expect_close(got[m], want[m], test, test.config.members[m].adam, static_cast<int>(done),
                   unit_of(*cuda, test));
    }
  }
}

TEST_P(WholeTrainingTest, AgreesWithTheCpuToRounding) {
  expect_agreement(GetParam(), TrainingMethod::streamed);
}
class ResidentTest : public ::testing::TestWithParam<Case> {};
TEST_P(ResidentTest, AgreesWithTheCpuToRounding) {
  expect_agreement(GetParam(), TrainingMethod::resident);
}

/// The paper's architecture, with sixteen blocks to a cluster, and one that takes two and shares its last
/// rows and layers otherwise.
class LargerTest : public ::testing::TestWithParam<TrainingMethod> {};
TEST_P(LargerTest, AgreesWithTheCpuToRounding) {
  for (const std::vector<int>& sizes :
       {std::vector<int>{784, 100, 100, 10}, {130, 70, 33}, {300, 120, 60, 17}}) {
    SCOPED_TRACE(std::to_string(sizes[0]) + " inputs");
    Case test = parity::case_named("bytes", Precision::single_precision);
    test.config.architecture.sizes = sizes;
    test.config.batch = 20;
    ensyn::NetworkConfig member = test.config.members.front();
    member.adam.epsilon = 1;
    member.mu_range = 0.1;
    member.sigma_init = 0.05;
    test.config.members = {member, member};
    test.config.members[1].noise = ensyn::NoiseKind::homogeneous;
    ASSERT_TRUE(is_taken(test, GetParam()));
    expect_agreement(test, GetParam(), {1, 3});
  }
}

INSTANTIATE_TEST_SUITE_P(All, LargerTest,
                         ::testing::Values(TrainingMethod::streamed, TrainingMethod::resident),
                         [](const auto& test) { return std::string(ensyn::name(test.param)); });
INSTANTIATE_TEST_SUITE_P(All, WholeTrainingTest, ::testing::ValuesIn(tame_cases(TrainingMethod::streamed)),
                         name_of);
INSTANTIATE_TEST_SUITE_P(All, ResidentTest, ::testing::ValuesIn(tame_cases(TrainingMethod::resident)),
                         name_of);

}  // namespace
