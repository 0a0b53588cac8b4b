#include "kernels/materialize.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <span>

#include "ensyn/noise.h"
#include "kernels/reference.h"
#include "kernels/support.h"

namespace ensyn::kernels::test {
namespace {

constexpr int kShapes[][2] = {{1, 1},   {1, 2},   {2, 1},   {3, 5},    {5, 31},    {31, 3},
                              {33, 33}, {1, 100}, {100, 1}, {10, 101}, {101, 257}, {20, 785}};

struct Key {
  std::uint64_t seed, stream, step;
  std::uint32_t tensor, purpose;
};
/// Each part small, large and the largest of the contract.
constexpr Key kKeys[] = {{0, 0, 0, 0, 0},
                         {1, 2, 3, 4, 1},
                         {0xFEDCBA9876543210, 0xABCDEF, 0x123456789A, 0xFED, 3},
                         {~std::uint64_t{0}, (1u << 24) - 1, (1ull << 40) - 1, (1u << 12) - 1, 255}};

std::vector<Member> member_of(const Key& key) {
  std::vector<Member> result = members(1, Noise::heterogeneous);
  result[0].settings.seed = key.seed;
  result[0].settings.stream = key.stream;
  result[0].step = key.step;
  return result;
}

/// The noise of one network, row by row.
template <class T>
std::vector<double> noise(const Key& key, int rows, int columns) {
  const Population<T> population(member_of(key));
  const Stack<T> output(1, rows, columns);
  Materialize<T> args;
  args.networks = population.view();
  args.layer = {rows, columns, columns, static_cast<int>(key.tensor)};
  args.draw.purpose = key.purpose;
  args.output = output.data();
  args.output_stride = output.stride();
  materialize(args, stream().get());
  return output.read();
}

template <class T>
class MaterializeTest : public ::testing::Test {};
TYPED_TEST_SUITE(MaterializeTest, Numbers);

TYPED_TEST(MaterializeTest, NoiseKeepsTheContractsBounds) {
  using T = TypeParam;
  for (const Key& key : kKeys) {
    const oracle::Draw draw{key.seed, key.stream, key.step, key.tensor, key.purpose};
    for (const auto& [rows, columns] : kShapes) {
      SCOPED_TRACE(std::to_string(rows) + " x " + std::to_string(columns));
      std::vector<Number> want;
      for (int r = 0; r < rows; ++r) {
        for (int c = 0; c < columns; ++c) {
          Number xi = normal<T>(draw, r, c, columns);
          if (kUniform<T> == oracle::Uniform::single) {
            const std::uint32_t word = oracle::word_at(draw, r, c - c % 2, columns);
            const double radius = std::sqrt(-2 * std::log(oracle::uniform(word, oracle::Uniform::exact)));
            xi = {oracle::normal_at(draw, r, c, columns, oracle::Uniform::exact),
                  radius > 0.02 ? 1e-5 : 1e-3};
          }
          want.push_back(xi);
        }
      }
      EXPECT_TRUE(close(noise<T>(key, rows, columns), want));
    }
  }
}

TYPED_TEST(MaterializeTest, NoiseIsThatOfTheCpuBitForBit) {
  using T = TypeParam;
  for (const Key& k : kKeys) {
    for (const auto& [rows, columns] : kShapes) {
      std::vector<T> cpu(static_cast<std::size_t>(rows * columns));
      noise_normals(
          {k.seed, static_cast<std::uint32_t>(k.stream), k.step, k.tensor, static_cast<Purpose>(k.purpose)},
          rows, columns, std::span(cpu));
      EXPECT_EQ(noise<T>(k, rows, columns), std::vector<double>(cpu.begin(), cpu.end()))
          << rows << " x " << columns;
    }
  }
}

TYPED_TEST(MaterializeTest, EachPartOfTheKeyMatters) {
  using T = TypeParam;
  const Key base{5, 6, 7, 8, 1};
  const auto reference = noise<T>(base, 4, 4);
  for (const Key& other : {Key{6, 6, 7, 8, 1}, Key{5 + (1ull << 32), 6, 7, 8, 1}, Key{5, 7, 7, 8, 1},
                           Key{5, 6, 8, 8, 1}, Key{5, 6, 7, 9, 1}, Key{5, 6, 7, 8, 2}}) {
    const auto normals = noise<T>(other, 4, 4);
    for (std::size_t i = 0; i < normals.size(); ++i) EXPECT_NE(normals[i], reference[i]);
  }
}

template <class T>
struct Weights {
  Weights(int network_count, int rows, int columns, Noise kind)
      : networks(network_count),
        members(test::members(network_count, kind)),
        population(members),
        layer(network_count, rows, columns, 2),
        output(network_count, rows, columns, 6) {}

  [[nodiscard]] std::vector<double> run(const Draw& draw) const {
    Materialize<T> args;
    args.networks = population.view();
    args.layer = layer.layer();
    args.mu = layer.mu.data();
    args.phi = layer.phi.data();
    args.parameter_network_stride = layer.mu.network_stride();
    args.draw = draw;
    args.output = output.data();
    args.output_stride = output.stride();
    args.output_network_stride = output.network_stride();
    materialize(args, stream().get());
    return output.read();
  }
  [[nodiscard]] std::vector<Number> want(const Draw& draw) const {
    std::vector<Number> result;
    for (int n = 0; n < networks; ++n) {
      append(result, weights(members[static_cast<std::size_t>(n)], layer, n, draw));
    }
    return result;
  }

  int networks;
  std::vector<Member> members;
  Population<T> population;
  LayerParameters<T> layer;
  Stack<T> output;
};

TYPED_TEST(MaterializeTest, WeightsAgreeWithTheOracle) {
  const Draw draws[] = {{}, {true, 1, false, 12345}, {false, 0, true, 0}};
  for (const auto& [rows, columns] : kShapes) {
    SCOPED_TRACE(std::to_string(rows) + " x " + std::to_string(columns));
    for (const Noise kind : {Noise::heterogeneous, Noise::per_neuron, Noise::per_layer, Noise::homogeneous,
                             Noise::mixed, Noise::laws}) {
      const Weights<TypeParam> problem(kind == Noise::mixed || kind == Noise::laws ? 3 : 1, rows, columns,
                                       kind);
      for (const Draw& draw : draws) EXPECT_TRUE(close(problem.run(draw), problem.want(draw)));
    }
  }
}

TYPED_TEST(MaterializeTest, WithoutNoiseTheWeightsAreMu) {
  const Weights<TypeParam> problem(3, 5, 7, Noise::mixed);
  EXPECT_EQ(problem.run({false, 0, true, 0}), problem.layer.mu.read());
  EXPECT_NE(problem.run({}), problem.layer.mu.read());
}

TYPED_TEST(MaterializeTest, TheSmallestSigmaLeavesMu) {
  Weights<TypeParam> problem(1, 5, 7, Noise::heterogeneous);
  // softplus(-80) = 2e-35, below the last bit of any mu here.
  problem.layer.phi.set([](int, int, int) { return -80.0; });
  EXPECT_EQ(problem.run({}), problem.layer.mu.read());
}

}  // namespace
}  // namespace ensyn::kernels::test
