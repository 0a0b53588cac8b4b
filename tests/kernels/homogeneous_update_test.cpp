#include "kernels/homogeneous_update.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "kernels/update_problem.h"

namespace ensyn::kernels::test {
namespace {

template <class T>
class HomogeneousUpdateTest : public ::testing::Test {};
TYPED_TEST_SUITE(HomogeneousUpdateTest, Numbers);

constexpr int kFour = 4;

/// Partial sums of g xi of one network: fours of rows, or rows, layer by layer. A row that is not there has
/// 0.
template <class T>
std::vector<Number> partial_sums(const UpdateProblem<T>& problem, int n) {
  const int rows_of_sum =
      problem.members[static_cast<std::size_t>(n)].settings.scope == oracle::Scope::neuron ? 1 : kFour;
  std::vector<Number> result;
  for (std::size_t l = 0; l < problem.layers.size(); ++l) {
    const LayerParameters<T>& p = problem.layers[l]->parameters;
    const std::vector<Number> g = problem.gradient(l, n);
    for (int first = 0; first < (p.rows + kFour - 1) / kFour * kFour; first += rows_of_sum) {
      Sum<T> sum;
      for (int r = first; r < std::min(first + rows_of_sum, p.rows); ++r) {
        for (int c = 0; c < p.columns; ++c) {
          sum.add(g[static_cast<std::size_t>(r * p.columns + c)], problem.noise(l, n, r, c));
        }
      }
      result.push_back(sum.result());
    }
  }
  return result;
}

/// Runs the update and returns the partial sums of all networks, as many of each as rows at most may need.
template <class T>
std::vector<T> run(const UpdateProblem<T>& problem) {
  HomogeneousUpdate<T> args;
  args.update = problem.arguments();
  const auto count = static_cast<std::size_t>(kFour * partial_sum_count(args.update));
  const DeviceArray<T> sums(count * problem.members.size());
  args.partial_sums = sums.data();
  args.partial_sum_stride = static_cast<int>(count);
  homogeneous_update(args, stream().get());
  return sums.read();
}

template <class T>
void expect_step(const UpdateProblem<T>& problem) {
  const std::vector<T> sums = run(problem);
  problem.expect_updated(true);
  const std::size_t count = sums.size() / problem.members.size();
  for (std::size_t n = 0; n < problem.members.size(); ++n) {
    SCOPED_TRACE("network " + std::to_string(n));
    const auto first = sums.begin() + static_cast<std::ptrdiff_t>(n * count);
    std::vector<Number> want;
    if (problem.members[n].shares()) want = partial_sums(problem, static_cast<int>(n));
    const auto end = first + static_cast<std::ptrdiff_t>(want.size());
    if (!want.empty()) {
      EXPECT_TRUE(close({first, end}, want));
    }
    EXPECT_TRUE(std::all_of(end, first + static_cast<std::ptrdiff_t>(count), [](T x) {
      return std::isnan(x);
    })) << "more was written";
  }
}

TYPED_TEST(HomogeneousUpdateTest, AgreesWithTheOracleForAwkwardShapes) {
  const struct {
    std::vector<LayerCase> layers;
    int batch, networks;
    Noise noise;
  } cases[] = {
      {{{1, 1}}, 1, 1, Noise::homogeneous},
      {{{1, 2}, {2, 1}, {5, 3}}, 3, 3, Noise::mixed},
      {{{5, 31, Source::bytes, Order::shared}, {31, 5}}, 20, 3, Noise::mixed},
      {{{6, 129, Source::floats, Order::own}, {9, 34}}, 21, 2, Noise::mixed},
      {{{3, 257, Source::values}, {4, 128}, {7, 387}}, 33, 1, Noise::homogeneous},
      {{{3, 100, Source::bytes, Order::own}}, 130, 3, Noise::homogeneous},
      {{{101, 33}}, 3, 1, Noise::homogeneous},
      {{{1, 1}}, 1, 1, Noise::per_neuron},
      {{{5, 3}, {2, 1}, {8, 17}}, 3, 4, Noise::scopes},
      {{{6, 129, Source::floats, Order::own}, {9, 34}}, 21, 2, Noise::per_neuron},
      {{{101, 33}, {3, 257, Source::bytes, Order::shared}}, 20, 2, Noise::per_neuron},
      {{{9, 133}, {3, 10}}, 5, 1, Noise::per_layer},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE("batch " + std::to_string(c.batch) + ", networks " + std::to_string(c.networks));
    expect_step(UpdateProblem<TypeParam>(c.layers, c.batch, members(c.networks, c.noise)));
  }
}

TYPED_TEST(HomogeneousUpdateTest, AgreesWithTheOracleForTheLargestLayer) {
  expect_step(UpdateProblem<TypeParam>({{100, 785, Source::bytes, Order::shared}, {10, 101}}, 20,
                                       members(1, Noise::homogeneous)));
}

TYPED_TEST(HomogeneousUpdateTest, AddsThePriorOfTheVariationalObjective) {
  std::vector<Member> networks = members(2, Noise::homogeneous);
  for (Member& member : networks) member.settings.variational = true;
  networks[1].settings.prior_sigma = 0.5;
  expect_step(UpdateProblem<TypeParam>({{6, 7}}, 3, networks));
}

TYPED_TEST(HomogeneousUpdateTest, TakesAGradientThatWasComputedElsewhere) {
  UpdateProblem<TypeParam> problem({{5, 133}, {3, 6}}, 20, members(3, Noise::mixed));
  problem.ready = true;
  expect_step(problem);
}

TYPED_TEST(HomogeneousUpdateTest, DrawsTheNoiseOfAGivenStep) {
  UpdateProblem<TypeParam> problem({{5, 6}}, 3, members(2, Noise::homogeneous));
  problem.draw = {true, 1, false, 99};
  expect_step(problem);
}

TYPED_TEST(HomogeneousUpdateTest, SumsNothingWithoutNoise) {
  UpdateProblem<TypeParam> problem({{5, 6}}, 3, members(1, Noise::homogeneous));
  problem.draw.noisy = false;
  const std::vector<TypeParam> sums = run(problem);
  EXPECT_EQ(std::vector<TypeParam>(sums.begin(), sums.begin() + 2), std::vector<TypeParam>(2, 0));
  problem.expect_updated(true);
}

TYPED_TEST(HomogeneousUpdateTest, AOneHotGradientExposesTheNoise) {
  using T = TypeParam;
  UpdateProblem<T> problem({{9, 131}}, 1, members(1, Noise::homogeneous));
  problem.ready = true;
  constexpr int kColumns[] = {0, 130, 64};  // of the hot element in each group of four rows
  problem.layers[0]->ready_gradient.set(
      [&](int, int r, int c) { return r % 4 == 0 && c == kColumns[r / 4] ? 1.0 : 0.0; });
  const std::vector<T> sums = run(problem), first_three(sums.begin(), sums.begin() + 3);
  std::vector<Number> want;
  for (int group = 0; group < 3; ++group) want.push_back(problem.noise(0, 0, 4 * group, kColumns[group]));
  EXPECT_TRUE(close({first_three.begin(), first_three.end()}, want));
}

TYPED_TEST(HomogeneousUpdateTest, LaterLayersFollowInALaunchOfTheirOwn) {
  using T = TypeParam;
  for (const Noise noise : {Noise::homogeneous, Noise::per_neuron}) {
    const UpdateProblem<T> problem({{9, 20}, {6, 10}}, 3, members(2, noise));
    HomogeneousUpdate<T> args;
    args.update = problem.arguments();
    args.partial_sum_stride = kFour * partial_sum_count(args.update) + 3;
    const DeviceArray<T> sums(static_cast<std::size_t>(2 * args.partial_sum_stride));
    args.partial_sums = sums.data();
    args.update.layer_count = 1;
    const int first_four = partial_sum_count(args.update);
    homogeneous_update(args, stream().get());
    args.update.layers[0] = args.update.layers[1];
    args.first_four = first_four;
    homogeneous_update(args, stream().get());
    const std::vector<T> got = sums.read();
    for (int n = 0; n < 2; ++n) {
      const std::vector<Number> want = partial_sums(problem, n);
      const auto first = got.begin() + n * args.partial_sum_stride;
      EXPECT_TRUE(close({first, first + static_cast<std::ptrdiff_t>(want.size())}, want));
    }
  }
}

TYPED_TEST(HomogeneousUpdateTest, GivesTheSameBitsAgain) {
  const auto twice = [] {
    const UpdateProblem<TypeParam> problem({{9, 300}, {3, 6}}, 20, members(1, Noise::homogeneous));
    std::vector<TypeParam> sums = run(problem);
    sums.resize(4);  // the others are not written
    return std::pair(sums, problem.bits());
  };
  EXPECT_EQ(twice(), twice());
}

}  // namespace
}  // namespace ensyn::kernels::test
