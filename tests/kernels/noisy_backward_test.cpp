#include "kernels/noisy_backward.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "ensyn/error.h"
#include "kernels/reference.h"
#include "kernels/support.h"

namespace ensyn::kernels::test {
namespace {

constexpr NoisyBackwardTile kTiles[] = {{8}, {64}};
constexpr Draw kNoNoise{false, 0, true, 0};

struct Case {
  int rows, columns, batch, networks;
  Noise noise = Noise::heterogeneous;
  bool masked = true;
  Draw draw = {};
};

const Case kCases[] = {
    {1, 2, 1, 1, Noise::heterogeneous, false},
    {2, 3, 3, 3, Noise::mixed},
    {3, 5, 20, 3, Noise::mixed},
    {5, 31, 33, 1, Noise::homogeneous, false},
    {10, 101, 20, 3, Noise::mixed},
    {16, 65, 33, 1},
    {17, 66, 130, 1},
    {33, 130, 21, 2, Noise::mixed},
    {100, 101, 20, 1},
    {129, 12, 3, 1},
    {260, 9, 5, 1, Noise::homogeneous},
    {37, 11, 20, 4, Noise::scopes},
    {260, 9, 5, 1, Noise::per_neuron},
    {31, 33, 20, 1, Noise::heterogeneous, true, {true, 1, false, 12345}},
    {33, 31, 20, 1, Noise::heterogeneous, true, kNoNoise},
    {33, 67, 20, 3, Noise::laws},
};

enum What { kDelta = 20, kActivation };

template <class T>
struct Problem {
  explicit Problem(const Case& which)
      : c(which),
        members(test::members(c.networks, c.noise)),
        population(members),
        layer(c.networks, c.rows, c.columns, 2),
        delta(c.networks, c.batch, c.rows, values_of(kDelta)),
        // Half of the activations are 0, as after a ReLU.
        activation(c.networks, c.batch, c.columns - 1,
                   [](int n, int b, int k) { return std::max(0.0, value(kActivation, n, b, k)); }),
        output(c.networks, c.batch, c.columns - 1) {}

  [[nodiscard]] NoisyBackward<T> arguments(NoisyBackwardTile tile) const {
    NoisyBackward<T> args;
    args.networks = population.view();
    args.layer = layer.layer();
    args.mu = layer.mu.data();
    args.phi = layer.phi.data();
    args.parameter_network_stride = layer.mu.network_stride();
    args.delta = delta.data();
    args.delta_stride = delta.stride();
    args.delta_network_stride = delta.network_stride();
    if (c.masked) {
      args.activation = activation.data();
      args.activation_stride = activation.stride();
      args.activation_network_stride = activation.network_stride();
    }
    args.output_stride = output.stride();
    args.output_network_stride = output.network_stride();
    args.batch = c.batch;
    args.draw = c.draw;
    args.tile = tile;
    return args;
  }

  std::vector<std::uint8_t> run(NoisyBackward<T> args) {
    output = Stack<T>(c.networks, c.batch, c.columns - 1);
    args.output = output.data();
    noisy_backward(args, stream().get());
    return output.bits();
  }

  [[nodiscard]] std::vector<Number> want() const {
    std::vector<Number> result;
    for (int n = 0; n < c.networks; ++n) {
      const std::vector<Number> w = weights(members[static_cast<std::size_t>(n)], layer, n, c.draw);
      for (int b = 0; b < c.batch; ++b) {
        for (int k = 0; k < c.columns - 1; ++k) {
          Sum<T> sum;
          for (int r = 0; r < c.rows; ++r) {
            sum.add({value(kDelta, n, b, r), 0}, w[static_cast<std::size_t>(r * c.columns + k)]);
          }
          const bool passes = !c.masked || value(kActivation, n, b, k) > 0;
          result.push_back(passes ? sum.result() : Number{});
        }
      }
    }
    return result;
  }

  Case c;
  std::vector<Member> members;
  Population<T> population;
  LayerParameters<T> layer;
  Stack<T> delta, activation, output;
};

std::string name(const Case& c) {
  return std::to_string(c.rows) + " x " + std::to_string(c.columns) + ", batch " + std::to_string(c.batch) +
         ", networks " + std::to_string(c.networks);
}

template <class T>
class NoisyBackwardTest : public ::testing::Test {};
TYPED_TEST_SUITE(NoisyBackwardTest, Numbers);

TYPED_TEST(NoisyBackwardTest, AgreesWithTheOracleWithTheSameBitsFromEveryTile) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(name(c));
    Problem<TypeParam> problem(c);
    const auto bits = problem.run(problem.arguments(kTiles[0]));
    EXPECT_TRUE(close(problem.output.read(), problem.want()));
    EXPECT_EQ(problem.run(problem.arguments(kTiles[1])), bits) << "tile of 64 columns";
    EXPECT_EQ(problem.run(problem.arguments(kTiles[0])), bits) << "second run";
  }
}

TYPED_TEST(NoisyBackwardTest, IsExactOnSmallIntegersWithoutNoise) {
  using T = TypeParam;
  for (const NoisyBackwardTile& tile : kTiles) {
    Problem<T> problem({33, 32, 21, 2, Noise::mixed, false, kNoNoise});
    problem.layer.mu.set(integers_of(1));
    problem.delta.set(integers_of(2));
    problem.run(problem.arguments(tile));
    std::vector<double> want;
    for (int n = 0; n < 2; ++n) {
      for (int b = 0; b < 21; ++b) {
        for (int k = 0; k < 31; ++k) {
          double sum = 0;
          for (int r = 0; r < 33; ++r) sum += small_integer(1, n, r, k) * small_integer(2, n, b, r);
          want.push_back(sum);
        }
      }
    }
    EXPECT_EQ(problem.output.read(), want);
  }
}

TYPED_TEST(NoisyBackwardTest, AOneHotDeltaExposesTheNoise) {
  using T = TypeParam;
  constexpr int kRows = 7, kColumns = 34;
  Problem<T> problem({kRows, kColumns, kRows, 1, Noise::homogeneous, false});
  problem.layer.mu.set([](int, int, int) { return 0.0; });
  problem.delta.set([](int, int b, int r) { return b == r ? 1.0 : 0.0; });
  problem.run(problem.arguments(kTiles[0]));
  const double sigma = oracle::softplus(problem.members[0].shared_phi);
  std::vector<Number> want;
  for (int r = 0; r < kRows; ++r) {
    for (int k = 0; k < kColumns - 1; ++k) {
      const Number xi = normal<T>(oracle_draw(problem.members[0], 2, {}), r, k, kColumns);
      want.push_back({sigma * xi.value, sigma * (xi.error + 4 * kEpsilon<T> * std::abs(xi.value))});
    }
  }
  EXPECT_TRUE(close(problem.output.read(), want));
}

TYPED_TEST(NoisyBackwardTest, NoiseAndMaskCount) {
  Problem<TypeParam> problem({3, 5, 3, 1});
  auto args = problem.arguments(kTiles[0]);
  const auto base = problem.run(args);
  args.draw.noisy = false;
  EXPECT_NE(problem.run(args), base) << "noise off";
  args = problem.arguments(kTiles[0]);
  args.activation = nullptr;
  EXPECT_NE(problem.run(args), base) << "no mask";
}

TYPED_TEST(NoisyBackwardTest, TakesOneNetworkByValue) {
  Problem<TypeParam> problem({3, 5, 3, 1, Noise::homogeneous});
  auto args = problem.arguments(kTiles[0]);
  const auto base = problem.run(args);
  args.networks = problem.population.first_by_value();
  EXPECT_EQ(problem.run(args), base);
}

TYPED_TEST(NoisyBackwardTest, RefusesATileThatIsNotOffered) {
  Problem<TypeParam> problem({2, 3, 1, 1});
  for (const int columns : {0, 16, 128}) {
    EXPECT_THROW(noisy_backward(problem.arguments({columns}), stream().get()), ConfigError);
  }
}

TYPED_TEST(NoisyBackwardTest, DoesNothingWithoutExamplesOrInputs) {
  Problem<TypeParam> problem({2, 3, 2, 1});
  const auto untouched = problem.output.bits();
  auto args = problem.arguments(kTiles[0]);
  args.batch = 0;
  EXPECT_EQ(problem.run(args), untouched);
  args = problem.arguments(kTiles[0]);
  args.layer.columns = 1;  // a bias alone
  EXPECT_EQ(problem.run(args), untouched);
}

}  // namespace
}  // namespace ensyn::kernels::test
