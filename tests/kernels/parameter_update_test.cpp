#include "kernels/parameter_update.h"

#include <gtest/gtest.h>

#include "kernels/update_problem.h"

namespace ensyn::kernels::test {
namespace {

template <class T>
class ParameterUpdateTest : public ::testing::Test {};
TYPED_TEST_SUITE(ParameterUpdateTest, Numbers);

template <class T>
void expect_step(UpdateProblem<T>& problem) {
  parameter_update(problem.arguments(), stream().get());
  problem.expect_updated(false);
}

TYPED_TEST(ParameterUpdateTest, AgreesWithTheOracleForAwkwardShapes) {
  const struct {
    std::vector<LayerCase> layers;
    int batch, networks;
    Noise noise;
  } cases[] = {
      {{{1, 1}}, 1, 1, Noise::heterogeneous},
      {{{1, 2}, {2, 1}, {3, 3}}, 3, 3, Noise::mixed},
      {{{5, 31, Source::bytes, Order::shared}, {31, 5}}, 20, 3, Noise::mixed},
      {{{33, 65, Source::floats, Order::own}, {9, 34}}, 21, 2, Noise::mixed},
      {{{7, 128, Source::values}, {8, 8}, {17, 129}}, 33, 1, Noise::heterogeneous},
      {{{3, 100, Source::bytes, Order::own}}, 130, 3, Noise::mixed},
      {{{5, 31, Source::bytes, Order::shared}, {31, 5}}, 20, 3, Noise::laws},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE("batch " + std::to_string(c.batch) + ", networks " + std::to_string(c.networks));
    UpdateProblem<TypeParam> problem(c.layers, c.batch, members(c.networks, c.noise));
    expect_step(problem);
  }
}

TYPED_TEST(ParameterUpdateTest, AgreesWithTheOracleForTheLargestLayer) {
  UpdateProblem<TypeParam> problem({{100, 785, Source::bytes, Order::shared}, {10, 101}}, 20,
                                   members(1, Noise::heterogeneous));
  expect_step(problem);
}

TYPED_TEST(ParameterUpdateTest, AgreesWithTheOracleForAllCosts) {
  std::vector<Member> networks = members(static_cast<int>(all_costs().size()), Noise::heterogeneous);
  for (std::size_t n = 0; n < networks.size(); ++n) {
    const NamedCosts costs = all_costs()[n];
    networks[n].settings.terms = costs.terms;
    networks[n].settings.variational = costs.variational;
    networks[n].settings.prior_sigma = costs.prior_sigma;
  }
  UpdateProblem<TypeParam> problem({{6, 7}}, 3, networks);
  expect_step(problem);
}

TYPED_TEST(ParameterUpdateTest, TakesAGradientThatWasComputedElsewhere) {
  UpdateProblem<TypeParam> problem({{5, 33}, {3, 6}}, 20, members(3, Noise::mixed));
  problem.ready = true;
  expect_step(problem);
}

TYPED_TEST(ParameterUpdateTest, DrawsTheNoiseOfAGivenStepOrNone) {
  for (const Draw& draw : {Draw{true, 1, false, 99}, Draw{false, 0, true, 0}}) {
    for (const Noise noise : {Noise::heterogeneous, Noise::laws}) {
      UpdateProblem<TypeParam> problem({{5, 6}}, 3, members(2, noise));
      problem.draw = draw;
      expect_step(problem);
    }
  }
}

TYPED_TEST(ParameterUpdateTest, NoiseReachesPhiAndNotMu) {
  const auto updated = [](bool noisy) {
    UpdateProblem<TypeParam> problem({{5, 6}}, 3, members(1, Noise::heterogeneous));
    problem.draw.noisy = noisy;
    parameter_update(problem.arguments(), stream().get());
    const auto& p = problem.layers[0]->parameters;
    return std::pair(p.mu.bits(), p.phi.bits());
  };
  const auto on = updated(true), off = updated(false);
  EXPECT_EQ(on.first, off.first);
  EXPECT_NE(on.second, off.second);
}

TYPED_TEST(ParameterUpdateTest, AUnitGradientAloneExposesTheNoise) {
  using T = TypeParam;
  std::vector<Member> networks = members(1, Noise::heterogeneous);
  networks[0].settings.terms.clear();
  UpdateProblem<T> problem({{5, 7}}, 1, networks);
  problem.ready = true;
  auto& layer = *problem.layers[0];
  layer.ready_gradient.set([](int, int, int) { return 1.0; });
  for (Stack<T>* zero :
       {&layer.parameters.phi, &layer.parameters.phi_moment1, &layer.parameters.phi_moment2}) {
    zero->set([](int, int, int) { return 0.0; });
  }
  parameter_update(problem.arguments(), stream().get());
  std::vector<Number> want;
  for (int r = 0; r < 5; ++r) {
    for (int c = 0; c < 7; ++c) {
      const Number xi = problem.noise(0, 0, r, c);
      // (1 - beta1) xi softplus'(0)
      want.push_back({0.1 * xi.value * 0.5, 0.05 * (xi.error + 6 * kEpsilon<T> * std::abs(xi.value))});
    }
  }
  EXPECT_TRUE(close(layer.parameters.phi_moment1.read(), want));
}

TYPED_TEST(ParameterUpdateTest, TheMagnitudeCostHasNoSignAtZero) {
  UpdateProblem<TypeParam> problem({{2, 3}}, 1, members(1, Noise::heterogeneous));
  problem.ready = true;
  auto& layer = *problem.layers[0];
  for (auto* zero : {&layer.ready_gradient, &layer.parameters.mu, &layer.parameters.mu_moment1}) {
    zero->set([](int, int, int) { return 0.0; });
  }
  parameter_update(problem.arguments(), stream().get());
  EXPECT_EQ(layer.parameters.mu.read(), std::vector<double>(6, 0.0));
}

TYPED_TEST(ParameterUpdateTest, GivesTheSameBitsAgain) {
  const auto run = [](bool by_value) {
    UpdateProblem<TypeParam> problem({{5, 33}, {3, 6}}, 20, members(1, Noise::heterogeneous));
    ParameterUpdate<TypeParam> args = problem.arguments();
    if (by_value) args.networks = problem.population.first_by_value();
    parameter_update(args, stream().get());
    return problem.bits();
  };
  const auto once = run(false);
  EXPECT_EQ(run(false), once);
  EXPECT_EQ(run(true), once) << "a single network by value";
}

TYPED_TEST(ParameterUpdateTest, DoesNothingWithoutLayers) {
  UpdateProblem<TypeParam> problem({{2, 3}}, 1, members(1, Noise::heterogeneous));
  const auto before = problem.bits();
  ParameterUpdate<TypeParam> args = problem.arguments();
  args.layer_count = 0;
  parameter_update(args, stream().get());
  EXPECT_EQ(problem.bits(), before);
}

}  // namespace
}  // namespace ensyn::kernels::test
