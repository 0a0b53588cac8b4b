#include "kernels/squared_error.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

#include "kernels/reference.h"
#include "kernels/support.h"

namespace ensyn::kernels::test {
namespace {

struct Case {
  int outputs, batch, networks;
  Order order = Order::none;
  double sd = 0.75;
};

const Case kCases[] = {
    {1, 1, 1},
    {1, 20, 3, Order::own},
    {2, 3, 3, Order::shared},
    {10, 21, 2, Order::own, 0.05},
    {16, 7, 2},
    {17, 33, 1, Order::shared, 30},
    {100, 9, 1},
};

enum What { kOutputs = 90, kTargets = 91 };

template <class T>
struct Problem {
  explicit Problem(const Case& which)
      : c(which),
        members(test::members(c.networks, Noise::heterogeneous)),
        population(members),
        inputs(Source::floats, c.order, c.networks, c.order == Order::none ? c.batch : 3 * c.batch + 1, 1,
               c.batch),
        outputs(c.networks, c.batch, c.outputs, values_of(kOutputs, 4)),
        targets(make_targets(c)),
        nll(static_cast<std::size_t>(c.networks * c.batch)),
        correct(static_cast<std::size_t>(c.networks * c.batch)) {}

  [[nodiscard]] SquaredError<T> arguments() const {
    SquaredError<T> args;
    args.networks = population.view();
    args.outputs = outputs.data();
    args.stride = outputs.stride();
    args.network_stride = outputs.network_stride();
    args.count = c.outputs;
    args.batch = c.batch;
    args.targets = targets.data();
    args.inverse_variance = static_cast<T>(1 / (c.sd * c.sd));
    args.constant = static_cast<T>(c.outputs * std::log(c.sd * std::sqrt(2 * std::acos(-1.0))));
    args.inputs = inputs.view();
    args.nll = nll.data();
    args.correct = correct.data();
    return args;
  }

  void run() const { squared_error(arguments(), stream().get()); }

  static double target_of(int example, int k) { return value(kTargets, 0, example, k); }
  static std::vector<float> make_targets(const Case& c) {
    std::vector<float> targets;
    for (int i = 0; i < 3 * c.batch + 1; ++i) {
      for (int k = 0; k < c.outputs; ++k) targets.push_back(static_cast<float>(target_of(i, k)));
    }
    return targets;
  }

  Case c;
  std::vector<Member> members;
  Population<T> population;
  TestInputs<T> inputs;
  Stack<T> outputs;
  DeviceArray<float> targets;
  DeviceArray<T> nll;
  DeviceArray<std::uint8_t> correct;
};

template <class T>
class SquaredErrorTest : public ::testing::Test {};
TYPED_TEST_SUITE(SquaredErrorTest, Numbers);

TYPED_TEST(SquaredErrorTest, AgreesWithTheOracle) {
  using T = TypeParam;
  for (const Case& c : kCases) {
    SCOPED_TRACE(std::to_string(c.outputs) + " outputs, batch " + std::to_string(c.batch));
    const Problem<T> problem(c);
    problem.run();
    oracle::Settings settings;
    settings.observation_sd = c.sd;
    std::vector<Number> gradient, nll;
    for (int n = 0; n < c.networks; ++n) {
      for (int b = 0; b < c.batch; ++b) {
        const int example = problem.inputs.example(n, problem.members[static_cast<std::size_t>(n)].step, b);
        std::vector<double> f, y;
        for (int k = 0; k < c.outputs; ++k) {
          f.push_back(values_of(kOutputs, 4)(n, b, k));
          y.push_back(Problem<T>::target_of(example, k));
          const double slope = (f.back() - y.back()) / (c.sd * c.sd);
          // A difference, a constant and a product, each rounded.
          gradient.push_back({slope, 2 * kEpsilon<T> * std::abs(slope)});
        }
        // Terms of one sign: the squares, and the constant, whose sign may be another.
        const double constant = oracle::gaussian_nll(settings, y, y);
        const double squares = oracle::gaussian_nll(settings, f, y) - constant;
        nll.push_back({squares + constant, allowance::kSum * kEpsilon<T> * (3 + std::sqrt(c.outputs)) *
                                               (squares + std::abs(constant))});
      }
    }
    EXPECT_TRUE(close(problem.outputs.read(), gradient));
    const std::vector<T> got = problem.nll.read();
    EXPECT_TRUE(close({got.begin(), got.end()}, nll));
    EXPECT_EQ(problem.correct.read(), std::vector<std::uint8_t>(got.size(), 0));
  }
}

TYPED_TEST(SquaredErrorTest, OutputsThatAreRightCostTheConstantAlone) {
  using T = TypeParam;
  Problem<T> problem({17, 5, 1});
  problem.outputs.set([](int, int b, int k) { return Problem<T>::target_of(b, k); });
  problem.run();
  EXPECT_EQ(problem.nll.read(), std::vector<T>(5, problem.arguments().constant));
  EXPECT_EQ(problem.outputs.read(), std::vector<double>(5 * 17, 0));
}

TYPED_TEST(SquaredErrorTest, WhatIsNotFiniteShowsInTheLoss) {
  using T = TypeParam;
  for (const double bad :
       {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    for (const int where : {0, 5, 18}) {
      Problem<T> problem({19, 3, 1});
      problem.outputs.set([&](int, int b, int k) { return b == 1 && k == where ? bad : 0.5 * k; });
      problem.run();
      const std::vector<T> nll = problem.nll.read();
      EXPECT_TRUE(std::isfinite(nll[0]) && std::isfinite(nll[2])) << "the other examples";
      EXPECT_FALSE(std::isfinite(nll[1])) << bad << " at output " << where;
    }
  }
}

TYPED_TEST(SquaredErrorTest, GivesTheSameBitsAgain) {
  const auto bits = [] {
    const Problem<TypeParam> problem({33, 21, 2, Order::own});
    problem.run();
    return std::pair(problem.outputs.bits(), problem.nll.read());
  };
  EXPECT_EQ(bits(), bits());
}

TYPED_TEST(SquaredErrorTest, DoesNothingWithoutExamples) {
  const Problem<TypeParam> problem({3, 4, 1});
  const auto before = problem.outputs.bits();
  auto args = problem.arguments();
  args.batch = 0;
  squared_error(args, stream().get());
  EXPECT_EQ(problem.outputs.bits(), before);
}

}  // namespace
}  // namespace ensyn::kernels::test
