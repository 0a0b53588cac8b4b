// The CUDA engine against the CPU engine, and against itself run in other ways.
//
// Where our own kernels do all the work the two backends give the same bits: the formulas are the same source
// without contractions, and every sum runs in the same order. So the comparison is ==, after one, two and ten
// steps. Where cuBLAS multiplies, sums run in an order of its own, and the bound is that of
// tests/oracle/parity_test.cpp: with u the rounding unit, K the longest sum and G the largest gradient, a
// step of Adam with epsilon = 1 is off by at most about
//   4 u max |p| + 2 lr sqrt(K) u G.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "cuda/engines.h"
#include "host/cuda/products.h"
#include "oracle/compare.h"

namespace {

using engines::expect_equal;
using engines::states;
using engines::train;
using ensyn::Precision;
using ensyn::cuda::EngineOptions;
using parity::Case;

std::string name_of(const ::testing::TestParamInfo<Case>& test) {
  return test.param.name;
}

class EngineTest : public ::testing::TestWithParam<Case> {};

TEST_P(EngineTest, GivesTheBitsOfTheCpu) {
  const Case& test = GetParam();
  const ensyn::Dataset data = parity::make_data(test);
  const auto cpu = engines::on_cpu(test, data), cuda = engines::on_cuda(test, data);
  expect_equal(states(*cuda, test), states(*cpu, test));
  std::uint64_t done = 0;
  for (const std::uint64_t goal : {1U, 2U, 10U}) {
    SCOPED_TRACE("after " + std::to_string(goal) + " steps");
    train(*cpu, test, done, goal - done);
    train(*cuda, test, done, goal - done);
    done = goal;
    expect_equal(states(*cuda, test), states(*cpu, test));
  }
  const ensyn::Dataset held_out = parity::make_data(test.config.architecture, 47, test.holds_bytes, 9);
  for (const int batch : {20, 100}) {
    const ensyn::EvaluationConfig how{2, batch};
    expect_equal(cuda->evaluate(held_out, how), cpu->evaluate(held_out, how));
    expect_equal(cuda->predict(held_out, how), cpu->predict(held_out, how));
  }
  const ensyn::EvaluationConfig on_training_set{1, 20, 15, ensyn::Averaging::log_probabilities};
  expect_equal(cuda->evaluate(data, on_training_set), cpu->evaluate(data, on_training_set));
}

INSTANTIATE_TEST_SUITE_P(Double, EngineTest, ::testing::ValuesIn(parity::cases(Precision::double_precision)),
                         name_of);
INSTANTIATE_TEST_SUITE_P(Single, EngineTest, ::testing::ValuesIn(parity::cases(Precision::single_precision)),
                         name_of);

/// Cases in which Adam's epsilon keeps an error from being blown up.
std::vector<Case> tame_cases() {
  std::vector<Case> tame;
  for (const Precision precision : {Precision::single_precision, Precision::double_precision}) {
    for (Case test : parity::cases(precision)) {
      const auto& members = test.config.members;
      if (!std::all_of(members.begin(), members.end(), [](const auto& m) { return m.adam.epsilon >= 0.3; }))
        continue;
      test.name += precision == Precision::single_precision ? "_single" : "_double";
      tame.push_back(std::move(test));
    }
  }
  return tame;
}

class CublasTest : public ::testing::TestWithParam<Case> {};

/// Largest gradient of recent steps, from the second moments.
double largest_gradient(const ensyn::LayerState& layer, double beta2, double steps) {
  const double correction = 1 - std::pow(beta2, steps);
  return std::sqrt(std::max(parity::largest(layer.mu_moment2), parity::largest(layer.phi_moment2)) /
                   correction);
}

TEST_P(CublasTest, AgreesWithTheCpuToRounding) {
  const Case& test = GetParam();
  constexpr int kSteps = 10;
  const ensyn::Dataset data = parity::make_data(test);
  const auto cpu = engines::on_cpu(test, data);
  const auto cuda = engines::on_cuda(test, data, {.products = EngineOptions::Products::cublas});
  train(*cpu, test, 0, kSteps);
  train(*cuda, test, 0, kSteps);
  const auto want = states(*cpu, test), got = states(*cuda, test);
  const double u = parity::rounding_unit(test.config.precision),
               sum = u * std::sqrt(parity::longest_sum(test.config));
  for (std::size_t m = 0; m < want.size(); ++m) {
    const ensyn::AdamConfig& adam = test.config.members[m].adam;
    double gradient = 0;
    for (const ensyn::LayerState& layer : want[m].layers) {
      gradient = std::max(gradient, largest_gradient(layer, adam.beta2, kSteps));
    }
    for (std::size_t l = 0; l < want[m].layers.size(); ++l) {
      SCOPED_TRACE("member " + std::to_string(m) + ", layer " + std::to_string(l));
      const ensyn::LayerState &a = got[m].layers[l], &b = want[m].layers[l];
      const auto tolerance = [&](const std::vector<double>& of) {
        return compare::Tolerance{
            kSteps * (4 * u * parity::largest(of) + 2 * adam.learning_rate * sum * gradient / adam.epsilon),
            0};
      };
      EXPECT_TRUE(compare::all_close(a.mu, b.mu, tolerance(b.mu)));
      if (b.phi.empty()) continue;
      EXPECT_TRUE(compare::all_close(a.phi, b.phi, tolerance(b.phi)));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, CublasTest, ::testing::ValuesIn(tame_cases()), name_of);

class OtherWaysTest : public ::testing::TestWithParam<std::string> {};

TEST_P(OtherWaysTest, GiveTheSameBits) {
  const Case test = parity::case_named(GetParam(), Precision::single_precision);
  const ensyn::Dataset data = parity::make_data(test);
  const auto run = [&](const EngineOptions& options, std::uint64_t stretch) {
    const auto engine = engines::on_cuda(test, data, options);
    train(*engine, test, 0, 10, stretch);
    auto result = engine->evaluate(data, {1, 20});
    return std::pair{states(*engine, test), result};
  };
  const auto reference = run({}, 100);
  const auto expect_same = [&](const char* what, const EngineOptions& options, std::uint64_t stretch) {
    SCOPED_TRACE(what);
    const auto other = run(options, stretch);
    expect_equal(other.first, reference.first);
    expect_equal(other.second, reference.second);
  };
  expect_same("the same again", {}, 100);
  expect_same("step by step", {}, 1);
  expect_same("without a graph", {.graph = false}, 3);
  expect_same("shapes for one multiprocessor", {.multiprocessors = 1}, 100);
  expect_same("shapes for 10000 multiprocessors", {.multiprocessors = 10000}, 100);
  expect_same("kernels alone", {.products = EngineOptions::Products::kernels}, 100);
}

TEST_P(OtherWaysTest, StoppingAndGoingOnGivesTheSameBits) {
  const Case test = parity::case_named(GetParam(), Precision::single_precision);
  const ensyn::Dataset data = parity::make_data(test);
  const auto whole = engines::on_cuda(test, data), first = engines::on_cuda(test, data);
  train(*whole, test, 0, 10);
  train(*first, test, 0, 5);
  const auto second = engines::on_cuda(test, data), third = engines::on_cpu(test, data);
  const auto halfway = states(*first, test);
  for (std::size_t m = 0; m < halfway.size(); ++m) {
    second->write(static_cast<int>(m), halfway[m]);
    third->write(static_cast<int>(m), halfway[m]);
  }
  train(*second, test, 5, 5);
  train(*third, test, 5, 5);
  expect_equal(states(*second, test), states(*whole, test));
  // A network may move between backends as well.
  expect_equal(states(*third, test), states(*whole, test));
}

INSTANTIATE_TEST_SUITE_P(Some, OtherWaysTest,
                         ::testing::Values("population_own_order", "wide_batch_21", "four_layers", "bytes",
                                           "regression_population", "per_neuron_ten_layers"),
                         [](const auto& test) { return test.param; });

/// The vectors of a state that have elements.
std::vector<std::vector<double>*> tensors_of(ensyn::NetworkState& state) {
  std::vector<std::vector<double>*> tensors;
  for (ensyn::LayerState& layer : state.layers) {
    tensors.insert(tensors.end(), {&layer.mu, &layer.mu_moment1, &layer.mu_moment2, &layer.phi,
                                   &layer.phi_moment1, &layer.phi_moment2});
  }
  ensyn::SharedPhi& shared = state.shared_phi;
  tensors.insert(tensors.end(), {&shared.value, &shared.moment1, &shared.moment2});
  std::erase_if(tensors, [](const auto* tensor) { return tensor->empty(); });
  return tensors;
}

class NotFiniteTest : public ::testing::TestWithParam<Precision> {};

TEST_P(NotFiniteTest, IsFoundAtBothEndsOfEveryTensorOfEveryMember) {
  Case test = parity::case_named("population", GetParam());
  ensyn::PopulationConfig& config = test.config;
  config.architecture.sizes = {17, 3, 5};  // rows and columns with padding behind them
  config.members.resize(4);
  constexpr ensyn::NoiseKind kKinds[] = {ensyn::NoiseKind::per_neuron, ensyn::NoiseKind::heterogeneous,
                                         ensyn::NoiseKind::homogeneous, ensyn::NoiseKind::per_layer};
  for (std::size_t m = 0; m < 4; ++m) config.members[m].noise = kKinds[m];
  const auto engine = engines::on_cuda(test, parity::make_data(test));
  train(*engine, test, 0, 2);
  EXPECT_EQ(engine->first_not_finite(), std::nullopt);
  for (int m = 3; m >= 0; --m) {
    ensyn::NetworkState state = engine->read(m);
    for (std::vector<double>* tensor : tensors_of(state)) {
      for (double* element : {&tensor->front(), &tensor->back()}) {
        const double before = *element;
        *element = element == &tensor->front() ? std::nan("") : -std::numeric_limits<double>::infinity();
        engine->write(m, state);
        ASSERT_EQ(engine->first_not_finite(), m);
        *element = before;
      }
    }
    state.epoch.nll = std::numeric_limits<double>::infinity();
    engine->write(m, state);  // and stays, so that the first of several must be found
    EXPECT_EQ(engine->first_not_finite(), m);
  }
}

INSTANTIATE_TEST_SUITE_P(Both, NotFiniteTest,
                         ::testing::Values(Precision::single_precision, Precision::double_precision),
                         [](const auto& test) {
                           return test.param == Precision::single_precision ? "single" : "double";
                         });

TEST(CublasChoice, SparesSmallLayersAndTakesLargeOnes) {
  EXPECT_FALSE(ensyn::cuda::cublas_pays(78500, 20, 1));
  EXPECT_FALSE(ensyn::cuda::cublas_pays(78500, 20, 240));
  EXPECT_TRUE(ensyn::cuda::cublas_pays(4096 * 4097, 128, 1));
  EXPECT_FALSE(ensyn::cuda::cublas_pays(10, 512, 1));
}

}  // namespace
