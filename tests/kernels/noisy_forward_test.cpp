#include "kernels/noisy_forward.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "ensyn/error.h"
#include "kernels/reference.h"
#include "kernels/support.h"

namespace ensyn::kernels::test {
namespace {

constexpr NoisyForwardTile kTiles[] = {{2, 32}, {8, 32}, {8, 64}};

struct Case {
  int rows, columns, batch, examples, networks;
  Noise noise = Noise::heterogeneous;
  Source source = Source::values;
  Order order = Order::none;
  Draw draw = {};
  bool rectify = false;
};

/// Evaluation draws sample `step / minibatches` of the contract's purpose 1; several minibatches go in one
/// launch.
constexpr Draw kEvaluation{true, 1, false, 40};
constexpr Draw kNoNoise{false, 0, true, 0};

const Case kCases[] = {
    {1, 1, 1, 1, 1},
    {1, 2, 1, 1, 1, Noise::homogeneous},
    {2, 3, 3, 3, 3, Noise::mixed, Source::values, Order::none, {}, true},
    {3, 5, 21, 21, 3, Noise::mixed, Source::bytes, Order::shared},
    {5, 31, 33, 33, 1, Noise::heterogeneous, Source::floats, Order::shared, {}, true},
    {31, 33, 20, 20, 1, Noise::homogeneous, Source::values, Order::none, {}, true},
    {33, 100, 130, 130, 1, Noise::heterogeneous, Source::values},
    {10, 101, 20, 20, 3, Noise::mixed, Source::floats, Order::own},
    {9, 785, 21, 21, 2, Noise::mixed, Source::bytes, Order::own, {}, true},
    {7, 514, 3, 3, 1},
    {9, 35, 20, 20, 4, Noise::scopes, Source::bytes, Order::shared, {}, true},
    {33, 17, 33, 34, 4, Noise::scopes, Source::values, Order::none, kEvaluation},
    {3, 129, 20, 65, 2, Noise::mixed, Source::bytes, Order::none, kEvaluation},
    {5, 33, 33, 34, 1, Noise::heterogeneous, Source::values, Order::none, kEvaluation, true},
    {4, 6, 130, 270, 1, Noise::heterogeneous, Source::floats, Order::none, kEvaluation},
    {10, 785, 20, 20, 1, Noise::heterogeneous, Source::bytes, Order::shared, kNoNoise},
    {10, 101, 20, 20, 3, Noise::laws, Source::floats, Order::own},
    {3, 33, 33, 70, 2, Noise::laws, Source::values, Order::none, kEvaluation, true},
    {3, 5, 20, 20, 2, Noise::laws, Source::bytes, Order::shared, kNoNoise},
};

template <class T>
struct Problem {
  explicit Problem(const Case& which)
      : c(which),
        members(test::members(c.networks, c.noise)),
        population(members),
        layer(c.networks, c.rows, c.columns, 3),
        // A data set holds more than one minibatch, so that the order's offset counts.
        inputs(c.source, c.order, c.networks, c.order == Order::none ? c.examples : 3 * c.batch + 1,
               c.columns - 1, c.batch),
        output(c.networks, c.examples, c.rows) {}

  [[nodiscard]] NoisyForward<T> arguments(NoisyForwardTile tile) const {
    NoisyForward<T> args;
    args.networks = population.view();
    args.layer = layer.layer();
    args.mu = layer.mu.data();
    args.phi = layer.phi.data();
    args.parameter_network_stride = layer.mu.network_stride();
    args.inputs = inputs.view();
    args.output = output.data();
    args.output_stride = output.stride();
    args.output_network_stride = output.network_stride();
    args.batch = c.batch;
    args.examples = c.examples;
    args.draw = c.draw;
    args.rectify = c.rectify;
    args.tile = tile;
    return args;
  }

  std::vector<std::uint8_t> run(NoisyForward<T> args) {
    output = Stack<T>(c.networks, c.examples, c.rows);
    args.output = output.data();
    noisy_forward(args, stream().get());
    return output.bits();
  }

  [[nodiscard]] std::vector<Number> want() const {
    std::vector<Number> result;
    for (int n = 0; n < c.networks; ++n) {
      const Member& member = members[static_cast<std::size_t>(n)];
      std::vector<Number> w;
      for (int e = 0; e < c.examples; ++e) {
        if (e % c.batch == 0) w = weights(member, layer, n, c.draw, e / c.batch);
        for (int r = 0; r < c.rows; ++r) {
          Sum<T> sum;
          for (int k = 0; k < c.columns; ++k) {
            sum.add(w[static_cast<std::size_t>(r * c.columns + k)],
                    input_number(inputs, n, member.step, e, k));
          }
          Number z = sum.result();
          if (c.rectify) z.value = std::max(z.value, 0.0);
          result.push_back(z);
        }
      }
    }
    return result;
  }

  Case c;
  std::vector<Member> members;
  Population<T> population;
  LayerParameters<T> layer;
  TestInputs<T> inputs;
  Stack<T> output;
};

std::string name(const Case& c) {
  return std::to_string(c.rows) + " x " + std::to_string(c.columns) + ", batch " + std::to_string(c.batch) +
         " of " + std::to_string(c.examples) + ", networks " + std::to_string(c.networks);
}

template <class T>
class NoisyForwardTest : public ::testing::Test {};
TYPED_TEST_SUITE(NoisyForwardTest, Numbers);

TYPED_TEST(NoisyForwardTest, AgreesWithTheOracleWithTheSameBitsFromEveryTile) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(name(c));
    Problem<TypeParam> problem(c);
    std::vector<std::vector<std::uint8_t>> bits;
    for (const NoisyForwardTile& tile : kTiles) {
      bits.push_back(problem.run(problem.arguments(tile)));
      EXPECT_EQ(bits.back(), bits.front()) << "tile " << tile.rows << " x " << tile.examples;
    }
    EXPECT_EQ(problem.run(problem.arguments(kTiles[0])), bits.front()) << "second run";
    EXPECT_TRUE(close(problem.output.read(), problem.want()));
  }
}

TYPED_TEST(NoisyForwardTest, ComputesOneTileOfTheLargestLayer) {
  Problem<TypeParam> problem(
      {100, 785, 20, 20, 1, Noise::heterogeneous, Source::bytes, Order::shared, {}, true});
  problem.run(problem.arguments({8, 32}));
  EXPECT_TRUE(close(problem.output.read(), problem.want()));
}

TYPED_TEST(NoisyForwardTest, IsExactOnSmallIntegersWithoutNoise) {
  using T = TypeParam;
  for (const NoisyForwardTile& tile : kTiles) {
    Problem<T> problem({9, 101, 21, 21, 2, Noise::mixed, Source::values, Order::none, kNoNoise});
    problem.layer.mu.set(integers_of(1));
    const TestInputs<T> inputs(2, 21, 100, integers_of(2));
    NoisyForward<T> args = problem.arguments(tile);
    args.inputs = inputs.view();
    problem.run(args);
    std::vector<double> want;
    for (int n = 0; n < 2; ++n) {
      for (int e = 0; e < 21; ++e) {
        for (int r = 0; r < 9; ++r) {
          double sum = small_integer(1, n, r, 100);
          for (int k = 0; k < 100; ++k) sum += small_integer(1, n, r, k) * small_integer(2, n, e, k);
          want.push_back(sum);
        }
      }
    }
    EXPECT_EQ(problem.output.read(), want);
  }
}

TYPED_TEST(NoisyForwardTest, OneInputAndNoMuExposeTheNoise) {
  using T = TypeParam;
  constexpr int kRows = 5, kColumns = 33, kHot = 31;
  Problem<T> problem({kRows, kColumns, 1, 1, 1, Noise::homogeneous});
  problem.layer.mu.set([](int, int, int) { return 0.0; });
  const TestInputs<T> inputs(1, 1, kColumns - 1, [](int, int, int k) { return k == kHot ? 1.0 : 0.0; });
  NoisyForward<T> args = problem.arguments(kTiles[0]);
  args.inputs = inputs.view();
  problem.run(args);
  const double sigma = oracle::softplus(problem.members[0].shared_phi);
  const oracle::Draw draw = oracle_draw(problem.members[0], 3, {});
  std::vector<Number> want;
  for (int r = 0; r < kRows; ++r) {
    const Number xi = normal<T>(draw, r, kHot, kColumns), bias = normal<T>(draw, r, kColumns - 1, kColumns);
    want.push_back({sigma * (xi.value + bias.value),
                    sigma * (xi.error + bias.error) + 4 * kEpsilon<T> * sigma * (std::abs(xi.value) + 5)});
  }
  EXPECT_TRUE(close(problem.output.read(), want));
}

TYPED_TEST(NoisyForwardTest, NoiseDependsOnEveryPartOfItsKey) {
  using T = TypeParam;
  Problem<T> problem({3, 5, 3, 3, 1});
  NoisyForward<T> args = problem.arguments(kTiles[0]);
  const auto base = problem.run(args);
  args.draw.noisy = false;
  EXPECT_NE(problem.run(args), base) << "noise off";
  args.draw = {};
  args.draw.purpose = 1;
  EXPECT_NE(problem.run(args), base) << "purpose";
  args.draw = {};
  args.layer.tensor += 1;
  EXPECT_NE(problem.run(args), base) << "tensor";
  args.layer.tensor -= 1;
  args.draw = {true, 0, false, problem.members[0].step};
  EXPECT_EQ(problem.run(args), base) << "the same step, given by the call";
  args.draw.step += 1;
  EXPECT_NE(problem.run(args), base) << "step";
}

TYPED_TEST(NoisyForwardTest, TakesOneNetworkByValue) {
  Problem<TypeParam> problem({3, 5, 3, 3, 1, Noise::homogeneous});
  auto args = problem.arguments(kTiles[0]);
  const auto base = problem.run(args);
  args.networks = problem.population.first_by_value();
  EXPECT_EQ(problem.run(args), base);
}

TYPED_TEST(NoisyForwardTest, FirstExampleShiftsTheDataSet) {
  using T = TypeParam;
  Problem<T> problem({3, 5, 3, 3, 1});
  const TestInputs<T> inputs(Source::floats, Order::none, 1, 8, 4, 3);
  NoisyForward<T> args = problem.arguments(kTiles[0]);
  args.inputs = inputs.view();
  args.inputs.first_example = 5;
  problem.run(args);
  const std::vector<Number> w = weights(problem.members[0], problem.layer, 0, {});
  std::vector<Number> want;
  for (int e = 0; e < 3; ++e) {
    for (int r = 0; r < 3; ++r) {
      Sum<T> sum;
      for (int k = 0; k < 5; ++k) {
        sum.add(w[static_cast<std::size_t>(5 * r + k)], input_number(inputs, 0, 0, 5 + e, k));
      }
      want.push_back(sum.result());
    }
  }
  EXPECT_TRUE(close(problem.output.read(), want));
}

TYPED_TEST(NoisyForwardTest, RefusesATileThatIsNotOffered) {
  Problem<TypeParam> problem({1, 1, 1, 1, 1});
  for (const NoisyForwardTile& tile :
       {NoisyForwardTile{0, 0}, NoisyForwardTile{2, 128}, NoisyForwardTile{4, 32}}) {
    EXPECT_THROW(noisy_forward(problem.arguments(tile), stream().get()), ConfigError);
  }
}

TYPED_TEST(NoisyForwardTest, DoesNothingWithoutExamplesOrRows) {
  Problem<TypeParam> problem({2, 2, 2, 2, 1});
  auto args = problem.arguments(kTiles[1]);
  args.examples = 0;
  const auto untouched = problem.output.bits();
  EXPECT_EQ(problem.run(args), untouched);
  args = problem.arguments(kTiles[1]);
  args.layer.rows = 0;
  EXPECT_EQ(problem.run(args), untouched);
}

}  // namespace
}  // namespace ensyn::kernels::test
