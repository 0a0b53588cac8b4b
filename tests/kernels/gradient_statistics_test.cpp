#include "kernels/gradient_statistics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "kernels/reference.h"
#include "kernels/support.h"

namespace ensyn::kernels::test {
namespace {

struct Case {
  int rows, columns, batch, networks;
  Source source = Source::values;
  Order order = Order::none;
  bool magnitude = true;
};

const Case kCases[] = {
    {1, 1, 1, 1},
    {2, 3, 3, 3, Source::values, Order::none, false},
    {3, 5, 20, 3, Source::bytes, Order::own},
    {5, 33, 21, 1, Source::floats, Order::shared},
    {31, 101, 33, 2, Source::floats, Order::own, false},
    {3, 257, 130, 1, Source::bytes, Order::none},
    {100, 785, 20, 1, Source::bytes, Order::shared},
};

enum What { kDelta = 20 };
constexpr double kBefore = 2;  // what the sums hold at first

template <class T>
struct Problem {
  explicit Problem(const Case& which)
      : c(which),
        members(test::members(c.networks, Noise::mixed)),
        population(members),
        layer(c.networks, c.rows, c.columns, 2),
        inputs(c.source, c.order, c.networks, c.order == Order::none ? c.batch : 3 * c.batch + 1,
               c.columns - 1, c.batch),
        delta(c.networks, c.batch, c.rows, values_of(kDelta)),
        squared(c.networks, c.rows, c.columns, [](int, int, int) { return kBefore; }),
        absolute(c.networks, c.rows, c.columns, [](int, int, int) { return kBefore; }),
        input_sum(start(c)),
        absolute_input_sum(start(c)) {}

  static std::vector<T> start(const Case& c) {
    return std::vector<T>(static_cast<std::size_t>(c.networks * (c.columns - 1)), static_cast<T>(kBefore));
  }

  [[nodiscard]] GradientStatistics<T> arguments() const {
    GradientStatistics<T> args;
    args.networks = population.view();
    args.gradient = {layer.layer(), inputs.view(), delta.data(), delta.stride(), delta.network_stride()};
    args.mu = c.magnitude ? layer.mu.data() : nullptr;
    args.mu_network_stride = layer.mu.network_stride();
    args.squared_gradient = squared.data();
    args.absolute_gradient = absolute.data();
    args.network_stride = squared.network_stride();
    args.input_sum = input_sum.data();
    args.absolute_input_sum = absolute_input_sum.data();
    args.batch = c.batch;
    return args;
  }

  Case c;
  std::vector<Member> members;
  Population<T> population;
  LayerParameters<T> layer;
  TestInputs<T> inputs;
  Stack<T> delta, squared, absolute;
  DeviceArray<T> input_sum, absolute_input_sum;
};

/// `before` + `times` * x, added one by one.
template <class T>
Number accumulated(Number x, int times) {
  const double sum = kBefore + times * x.value;
  return {sum, times * (x.error + kEpsilon<T> * std::abs(sum))};
}

template <class T>
class GradientStatisticsTest : public ::testing::Test {};
TYPED_TEST_SUITE(GradientStatisticsTest, Numbers);

TYPED_TEST(GradientStatisticsTest, AddsToItsSums) {
  using T = TypeParam;
  constexpr int kTimes = 2;
  for (const Case& c : kCases) {
    SCOPED_TRACE(std::to_string(c.rows) + " x " + std::to_string(c.columns) + ", batch " +
                 std::to_string(c.batch));
    const Problem<T> problem(c);
    for (int i = 0; i < kTimes; ++i) gradient_statistics(problem.arguments(), stream().get());
    std::vector<Number> squared, absolute, inputs, absolute_inputs;
    for (int n = 0; n < c.networks; ++n) {
      const Member& member = problem.members[static_cast<std::size_t>(n)];
      const std::vector<Number> g =
          weight_gradient(values_of(kDelta), problem.inputs, n, member.step, c.rows, c.columns, c.batch);
      for (int i = 0; i < c.rows * c.columns; ++i) {
        Number x = g[static_cast<std::size_t>(i)];
        const double mu = problem.layer.mu_value(n, i / c.columns, i % c.columns);
        if (c.magnitude) x = mu_gradient<T>(member.settings, mu, x);
        const double square = x.value * x.value;
        squared.push_back(accumulated<T>(
            {square, (2 * std::abs(x.value) + x.error) * x.error + kEpsilon<T> * square}, kTimes));
        absolute.push_back(accumulated<T>({std::abs(x.value), x.error}, kTimes));
      }
      for (int k = 0; k < c.columns - 1; ++k) {
        Sum<T> sum, absolute_sum;
        for (int b = 0; b < c.batch; ++b) {
          Number x = input_number(problem.inputs, n, member.step, b, k);
          sum.add(x, {1, 0});
          x.value = std::abs(x.value);
          absolute_sum.add(x, {1, 0});
        }
        inputs.push_back(accumulated<T>(sum.result(), kTimes));
        absolute_inputs.push_back(accumulated<T>(absolute_sum.result(), kTimes));
      }
    }
    EXPECT_TRUE(close(problem.squared.read(), squared));
    EXPECT_TRUE(close(problem.absolute.read(), absolute));
    const std::vector<T> got = problem.input_sum.read(), got_absolute = problem.absolute_input_sum.read();
    if (c.columns == 1) continue;  // no inputs
    EXPECT_TRUE(close({got.begin(), got.end()}, inputs));
    EXPECT_TRUE(close({got_absolute.begin(), got_absolute.end()}, absolute_inputs));
  }
}

TYPED_TEST(GradientStatisticsTest, IsExactOnSmallIntegers) {
  using T = TypeParam;
  constexpr int kRows = 5, kColumns = 34, kBatch = 21;
  Problem<T> problem({kRows, kColumns, kBatch, 2, Source::values, Order::none, false});
  problem.delta.set(integers_of(1));
  const TestInputs<T> inputs(2, kBatch, kColumns - 1, integers_of(2));
  auto args = problem.arguments();
  args.gradient.inputs = inputs.view();
  gradient_statistics(args, stream().get());
  std::vector<double> squared, absolute;
  for (int n = 0; n < 2; ++n) {
    for (int r = 0; r < kRows; ++r) {
      for (int k = 0; k < kColumns; ++k) {
        double g = 0;
        for (int b = 0; b < kBatch; ++b) g += small_integer(1, n, b, r) * inputs.at(n, 0, b, k);
        squared.push_back(kBefore + g * g);
        absolute.push_back(kBefore + std::abs(g));
      }
    }
  }
  EXPECT_EQ(problem.squared.read(), squared);
  EXPECT_EQ(problem.absolute.read(), absolute);
}

TYPED_TEST(GradientStatisticsTest, InputSumsMayBeLeftOut) {
  const Problem<TypeParam> problem({3, 5, 3, 1});
  auto args = problem.arguments();
  args.input_sum = args.absolute_input_sum = nullptr;
  gradient_statistics(args, stream().get());
  EXPECT_EQ(problem.input_sum.read(), Problem<TypeParam>::start(problem.c));
  EXPECT_NE(problem.squared.read()[0], kBefore);
}

}  // namespace
}  // namespace ensyn::kernels::test
