// Predictions of whole networks against the oracle, however they are shared out among blocks and launches.

#include "kernels/whole/population_evaluation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "ensyn/error.h"
#include "kernels/reference.h"
#include "kernels/support.h"
#include "oracle/compare.h"

namespace ensyn::kernels::test {
namespace {

constexpr int kNetworks = 4;  // per neuron, per layer, homogeneous and heterogeneous
constexpr std::uint32_t kPurpose = oracle::kEvaluation;
constexpr std::size_t kSharedLimit = 163 << 10;

/// Two layers.
struct Case {
  int features, hidden, outputs, batch, examples, slots;
  Source source = Source::floats;
  bool log_softmax = true;
};

const Case kCases[] = {
    {1, 1, 1, 1, 2, 2, Source::bytes, false},  {3, 5, 2, 3, 7, 3},
    {5, 31, 3, 20, 47, 2, Source::bytes},      {33, 16, 17, 22, 23, 2, Source::bytes},
    {100, 33, 10, 100, 130, 2, Source::bytes}, {15, 32, 33, 55, 55, 2},
};

template <class T>
struct Problem {
  explicit Problem(const Case& which)
      : c(which),
        members(test::members(kNetworks, Noise::scopes)),
        population(members),
        first(kNetworks, c.hidden, c.features + 1, 0),
        second(kNetworks, c.outputs, c.hidden + 1, 1),
        inputs(c.source, Order::none, kNetworks, c.examples, c.features, c.batch) {
    const Layer layers[] = {first.layer(), second.layer()};
    problem.tiling = tiling_of(layers, 2);
    problem.batch = c.batch;
    problem.pixels = c.source == Source::bytes;
    problem.single = sizeof(T) == sizeof(float);
    problem.shared_limit = kSharedLimit;
  }

  [[nodiscard]] std::size_t weights_of_network() const {
    return static_cast<std::size_t>(problem.tiling.tiles) * kWeightFields * kTileElements;
  }
  [[nodiscard]] EvaluationWeights<T> weights(int from, int count, T* to) const {
    EvaluationWeights<T> args;
    args.networks = population.view();
    args.first = from;
    args.count = count;
    args.tiling = problem.tiling;
    args.layers[0] = first.view();
    args.layers[1] = second.view();
    args.weights = to;
    return args;
  }
  [[nodiscard]] int batches() const { return ceil_divide(c.examples, c.batch); }

  /// What networks [network, network + count) predict of minibatches [minibatch, minibatch + batches).
  [[nodiscard]] std::vector<T> run(int network, int count, int minibatch, int batch_count,
                                   const EvaluationShape& shape) const {
    const DeviceArray<T> tiles(static_cast<std::size_t>(count) * weights_of_network());
    evaluation_weights(weights(network, count, tiles.data()), stream().get());
    PopulationEvaluation<T> args;
    args.networks = count;
    args.constants = population.view().constants + network;
    args.tiling = problem.tiling;
    args.weights = tiles.data();
    args.inputs = inputs.view();
    args.inputs.first_example = std::int64_t{1} * minibatch * c.batch;
    args.batch = c.batch;
    args.examples = std::min(c.examples - minibatch * c.batch, batch_count * c.batch);
    args.first_minibatch = minibatch;
    args.batches = batches();
    args.slots = c.slots;
    args.purpose = kPurpose;
    args.log_softmax = c.log_softmax;
    const DeviceArray<T> results(static_cast<std::size_t>(count * args.examples * c.slots * c.outputs));
    args.results = results.data();
    args.shape = shape;
    population_evaluation(args, stream().get());
    return results.read();
  }
  [[nodiscard]] std::vector<T> run() const {
    return run(0, kNetworks, 0, batches(), evaluation_plan(problem).shape);
  }

  [[nodiscard]] std::vector<double> outputs_of(const std::vector<Number>& lower,
                                               const std::vector<Number>& upper, int network, int e) const {
    const auto layer = [](const std::vector<Number>& w, int rows, const std::vector<double>& x) {
      std::vector<double> z(static_cast<std::size_t>(rows));
      for (std::size_t i = 0; i < w.size(); ++i) z[i / x.size()] += w[i].value * x[i % x.size()];
      return z;
    };
    std::vector<double> x;
    for (int k = 0; k <= c.features; ++k) x.push_back(inputs.at(network, 0, e, k));
    std::vector<double> hidden = layer(lower, c.hidden, x);
    for (double& z : hidden) z = std::max(z, 0.0);
    hidden.push_back(1);
    const std::vector<double> z = layer(upper, c.outputs, hidden);
    return c.log_softmax ? oracle::log_softmax(z) : z;
  }
  [[nodiscard]] std::vector<double> want() const {
    std::vector<double> result(static_cast<std::size_t>(kNetworks * c.examples * c.slots * c.outputs));
    for (int n = 0; n < kNetworks; ++n) {
      const Member& member = members[static_cast<std::size_t>(n)];
      for (int i = 0; i < batches() * c.slots; ++i) {
        const int minibatch = i / c.slots, slot = i % c.slots;
        const Draw draw{slot > 0, kPurpose, false,
                        static_cast<std::uint64_t>(std::max(slot - 1, 0) * batches() + minibatch)};
        const auto lower = test::weights(member, first, n, draw),
                   upper = test::weights(member, second, n, draw);
        const int end = std::min((minibatch + 1) * c.batch, c.examples);
        for (int e = minibatch * c.batch; e < end; ++e) {
          const std::vector<double> z = outputs_of(lower, upper, n, e);
          std::copy(z.begin(), z.end(), result.begin() + ((n * c.examples + e) * c.slots + slot) * c.outputs);
        }
      }
    }
    return result;
  }

  Case c;
  std::vector<Member> members;
  Population<T> population;
  LayerParameters<T> first, second;
  TestInputs<T> inputs;
  EvaluationProblem problem;
};

template <class T>
class PopulationEvaluationTest : public ::testing::Test {
 protected:
  void SetUp() override {
    int major = 0, minor = 0;
    cuda::check(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, 0),
                "cudaDeviceGetAttribute");
    cuda::check(cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, 0),
                "cudaDeviceGetAttribute");
    if (!trains_whole_networks(major, minor)) GTEST_SKIP() << "a device that the kernels are not made for";
  }
};
TYPED_TEST_SUITE(PopulationEvaluationTest, Numbers);

std::string name(const Case& c) {
  return std::to_string(c.features) + "-" + std::to_string(c.hidden) + "-" + std::to_string(c.outputs) +
         ", batch " + std::to_string(c.batch) + " of " + std::to_string(c.examples);
}

TYPED_TEST(PopulationEvaluationTest, AgreesWithTheOracle) {
  using T = TypeParam;
  for (const Case& c : kCases) {
    SCOPED_TRACE(name(c));
    const Problem<T> problem(c);
    const std::vector<T> results = problem.run();
    const std::vector<double> got(results.begin(), results.end());
    // The device's normals are off by 1e-5, of weights with sigma 0.3 at most; some hundred of them add up to
    // 3e-5. In double precision what is off are sums, by some 1e-15 of numbers up to 10.
    const double tolerance = sizeof(T) == sizeof(float) ? 6e-5 : 1e-12;
    EXPECT_TRUE(compare::all_close(got, problem.want(), {tolerance, tolerance}));
  }
}

TYPED_TEST(PopulationEvaluationTest, GivesTheSameBitsInParts) {
  using T = TypeParam;
  for (const Case& c : kCases) {
    SCOPED_TRACE(name(c));
    const Problem<T> problem(c);
    const std::vector<T> whole = problem.run();
    const auto per_example = static_cast<std::ptrdiff_t>(c.slots * c.outputs);
    for (int n = 0; n < kNetworks; ++n) {
      for (int m = 0; m < problem.batches(); ++m) {
        const std::vector<T> part = problem.run(n, 1, m, 1, evaluation_plan(problem.problem).shape);
        const auto begin = whole.begin() + (n * c.examples + m * c.batch) * per_example;
        EXPECT_TRUE(std::equal(part.begin(), part.end(), begin)) << "network " << n << ", minibatch " << m;
      }
    }
  }
}

TYPED_TEST(PopulationEvaluationTest, GivesTheSameBitsFromAnyShareOfAMinibatch) {
  using T = TypeParam;
  const Problem<T> problem({33, 16, 5, 22, 45, 2, Source::bytes});
  const EvaluationShape shape = evaluation_plan(problem.problem).shape;
  ASSERT_EQ(shape.examples, 22);
  const std::vector<T> whole = problem.run();
  for (const int examples : {1, 7, 21}) {
    EvaluationShape other = shape;
    other.examples = examples;
    EXPECT_EQ(problem.run(0, kNetworks, 0, problem.batches(), other), whole) << examples;
  }
}

TYPED_TEST(PopulationEvaluationTest, WeightsAreMuAndSigmaInTiles) {
  using T = TypeParam;
  const Problem<T> problem({9, 17, 3, 4, 4, 1});
  const DeviceArray<T> tiles(2 * problem.weights_of_network());
  evaluation_weights(problem.weights(2, 2, tiles.data()), stream().get());
  const std::vector<T> got = tiles.read();
  std::size_t at = 0;
  for (const int n : {2, 3}) {
    const Member& member = problem.members[static_cast<std::size_t>(n)];
    for (const auto* layer : {&problem.first, &problem.second}) {
      for (int row = 0; row < layer->rows; row += kTileRows) {
        for (int column = 0; column < layer->columns; column += kTileColumns) {
          for (int i = 0; i < kWeightFields * kTileElements; ++i, ++at) {
            const int quad = i % kTileElements / 4, in_quad = i % 4;
            const int r = row + 2 * (quad / 4) + in_quad / 2, k = column + 2 * (quad % 4) + in_quad % 2;
            double want = 0;
            if (r < layer->rows && k < layer->columns) {
              want = i < kTileElements
                         ? layer->mu_value(n, r, k)
                         : oracle::softplus(member.shares() ? member.phi_of(layer->group_of(member, r))
                                                            : layer->phi_value(n, r, k));
            }
            EXPECT_NEAR(static_cast<double>(got[at]), want, 4 * kEpsilon<T> * std::abs(want))
                << "element " << at;
          }
        }
      }
    }
  }
  EXPECT_EQ(at, got.size());
}

Tiling tiling(const std::vector<int>& sizes) {
  std::vector<Layer> layers;
  for (std::size_t l = 0; l + 1 < sizes.size(); ++l)
    layers.push_back({sizes[l + 1], sizes[l] + 1, sizes[l] + 4, static_cast<int>(l)});
  return tiling_of(layers.data(), static_cast<int>(layers.size()));
}

EvaluationPlan plan(const std::vector<int>& sizes, int batch, bool single = true, bool pixels = true) {
  return evaluation_plan({tiling(sizes), batch, pixels, single, kSharedLimit});
}

TEST(EvaluationPlan, TakesAsFewBlocksForAMinibatchAsPay) {
  const std::vector<int> paper = {784, 100, 100, 10};
  EXPECT_EQ(plan(paper, 20).shape.example_tiles, 3);
  EXPECT_EQ(plan(paper, 20).shape.examples, 20);
  EXPECT_EQ(plan(paper, 23).shape.example_tiles, 7);
  EXPECT_EQ(plan(paper, 100).shape.example_tiles, 7);
  EXPECT_EQ(plan(paper, 100).shape.examples, 50);
  EXPECT_EQ(plan(paper, 10000).shape.examples, 54);
  EXPECT_EQ(plan(paper, 20).shape.warps, 8);
  EXPECT_EQ(plan({1, 1}, 1).shape.warps, 1);
}

TEST(EvaluationPlan, PartsDoNotOverlapAndHoldTheirExamples) {
  for (const std::vector<int>& sizes : {std::vector<int>{784, 100, 100, 10}, {1, 1}, {33, 31, 16, 5, 3}}) {
    for (const int batch : {1, 20, 31, 100}) {
      for (const bool single : {true, false}) {
        const EvaluationPlan of = plan(sizes, batch, single);
        ASSERT_EQ(of.problem, "");
        const EvaluationShape& shape = of.shape;
        const auto element = static_cast<std::uint32_t>(single ? sizeof(float) : sizeof(double)),
                   examples = static_cast<std::uint32_t>(8 * shape.example_tiles);
        EXPECT_LE(shape.examples + 2, 8 * shape.example_tiles);
        EXPECT_EQ(shape.room[1].at, shape.room[0].at + shape.room[0].bytes);
        EXPECT_EQ(shape.sums.at, shape.room[1].at + shape.room[1].bytes);
        EXPECT_EQ(shape.keys.at, shape.sums.at + shape.sums.bytes);
        EXPECT_EQ(shape.shared_bytes, shape.keys.at + shape.keys.bytes);
        EXPECT_GE(shape.room[0].bytes, examples * static_cast<std::uint32_t>(shape.input_stride));
        for (std::size_t l = 0; l + 1 < sizes.size(); ++l) {
          EXPECT_GT(shape.output_stride[l], sizes[l + 1]);
          EXPECT_EQ(shape.output_stride[l] % 16, 8);
          EXPECT_GE(shape.room[(l + 1) % 2].bytes,
                    examples * static_cast<std::uint32_t>(shape.output_stride[l]) * element);
        }
      }
    }
  }
}

TEST(EvaluationPlan, SaysWhyItDoesNotTakeANetwork) {
  EXPECT_THAT(plan({784, 4096, 10}, 20).problem, ::testing::HasSubstr("shared memory, a block has 166912"));
}

TEST(PopulationEvaluation, RefusesShapesOfNoPlan) {
  PopulationEvaluation<float> args;
  args.shape.example_tiles = 4;
  EXPECT_THROW(population_evaluation(args, nullptr), ConfigError);
  args.shape.example_tiles = 3;
  args.shape.examples = args.batch = 1;
  args.examples = std::int64_t{1} << 30;
  args.slots = 3;
  EXPECT_THROW(population_evaluation(args, nullptr), ConfigError);
}

}  // namespace
}  // namespace ensyn::kernels::test
