#include "kernels/cross_entropy.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

#include "kernels/reference.h"
#include "kernels/support.h"

namespace ensyn::kernels::test {
namespace {

struct Case {
  int classes, batch, networks;
  Order order = Order::none;
  double range = 8;
};

const Case kCases[] = {
    {1, 1, 1},
    {2, 3, 3, Order::shared},
    {3, 20, 1, Order::own},
    {10, 21, 3, Order::own},
    {10, 20, 1, Order::shared, 80},  // beyond where e^z is a float
    {16, 7, 2},
    {17, 33, 1, Order::shared, 30},
    {33, 130, 2, Order::own},
    {100, 9, 1},
};

enum What { kLogits = 80 };

int label_of(int example, int classes) {
  return static_cast<int>((value(81, 0, example, 0) + 1) / 2 * classes);
}

template <class T>
struct Problem {
  explicit Problem(const Case& which)
      : c(which),
        members(test::members(c.networks, Noise::heterogeneous)),
        population(members),
        inputs(Source::floats, c.order, c.networks, c.order == Order::none ? c.batch : 3 * c.batch + 1, 1,
               c.batch),
        logits(c.networks, c.batch, c.classes, values_of(kLogits, c.range)),
        labels(make_labels(c)),
        nll(static_cast<std::size_t>(c.networks * c.batch)),
        correct(static_cast<std::size_t>(c.networks * c.batch)) {}

  [[nodiscard]] CrossEntropy<T> arguments() const {
    CrossEntropy<T> args;
    args.networks = population.view();
    args.logits = logits.data();
    args.stride = logits.stride();
    args.network_stride = logits.network_stride();
    args.classes = c.classes;
    args.batch = c.batch;
    args.labels = labels.data();
    args.inputs = inputs.view();
    args.nll = nll.data();
    args.correct = correct.data();
    return args;
  }

  void run() const { cross_entropy(arguments(), stream().get()); }

  static std::vector<std::uint8_t> make_labels(const Case& c) {
    std::vector<std::uint8_t> labels;
    for (int i = 0; i < 3 * c.batch + 1; ++i)
      labels.push_back(static_cast<std::uint8_t>(label_of(i, c.classes)));
    return labels;
  }

  Case c;
  std::vector<Member> members;
  Population<T> population;
  TestInputs<T> inputs;
  Stack<T> logits;
  DeviceArray<std::uint8_t> labels;
  DeviceArray<T> nll;
  DeviceArray<std::uint8_t> correct;
};

/// log p of one example, each with its error: that of its rounded difference to the maximum, and of the sum.
template <class T>
std::vector<Number> log_probabilities(const std::vector<double>& z) {
  const std::vector<double> log_p = oracle::log_softmax(z);
  const double maximum = z[static_cast<std::size_t>(oracle::argmax(z))];
  std::vector<Number> result;
  for (std::size_t k = 0; k < z.size(); ++k) {
    result.push_back({log_p[k], allowance::kSoftmax * kEpsilon<T> * (1 + maximum - z[k])});
  }
  return result;
}

template <class T>
std::vector<double> logits_of(const Case& c, int n, int b) {
  std::vector<double> z;
  for (int k = 0; k < c.classes; ++k) {
    z.push_back(static_cast<double>(static_cast<T>(values_of(kLogits, c.range)(n, b, k))));
  }
  return z;
}

template <class T>
class CrossEntropyTest : public ::testing::Test {};
TYPED_TEST_SUITE(CrossEntropyTest, Numbers);

TYPED_TEST(CrossEntropyTest, AgreesWithTheOracle) {
  using T = TypeParam;
  for (const Case& c : kCases) {
    SCOPED_TRACE(std::to_string(c.classes) + " classes, batch " + std::to_string(c.batch));
    const Problem<T> problem(c);
    problem.run();
    std::vector<Number> gradient, nll;
    std::vector<std::uint8_t> correct;
    for (int n = 0; n < c.networks; ++n) {
      for (int b = 0; b < c.batch; ++b) {
        const std::uint64_t step = problem.members[static_cast<std::size_t>(n)].step;
        const int label = label_of(problem.inputs.example(n, step, b), c.classes);
        const std::vector<double> z = logits_of<T>(c, n, b);
        const std::vector<Number> log_p = log_probabilities<T>(z);
        const Number& of_label = log_p[static_cast<std::size_t>(label)];
        nll.push_back({-of_label.value, of_label.error});
        correct.push_back(oracle::argmax(z) == label ? 1 : 0);
        for (int k = 0; k < c.classes; ++k) {
          const Number& l = log_p[static_cast<std::size_t>(k)];
          const double p = std::exp(l.value), target = k == label ? 1 : 0;
          // What lies below the smallest normal number does not come out of the exponential.
          gradient.push_back({p - target, p * l.error + target * kEpsilon<T> + 1e-37});
        }
      }
    }
    const std::vector<T> got = problem.nll.read();
    if (c.classes > 1) {
      EXPECT_TRUE(close(problem.logits.read(), gradient));
      EXPECT_TRUE(close({got.begin(), got.end()}, nll));
    } else {
      EXPECT_EQ(problem.logits.read(), std::vector<double>{0});
      EXPECT_EQ(got, std::vector<T>{0});
    }
    EXPECT_EQ(problem.correct.read(), correct);
  }
}

TYPED_TEST(CrossEntropyTest, OfEqualLogitsTheLowestClassWins) {
  for (const int classes : {2, 17, 33}) {
    Problem<TypeParam> problem({classes, 33, 1});
    // All equal, so class 0 wins, wherever the lanes look first.
    problem.logits.set([](int, int, int) { return 2.0; });
    problem.run();
    std::vector<std::uint8_t> want;
    for (int b = 0; b < 33; ++b) want.push_back(label_of(b, classes) == 0 ? 1 : 0);
    EXPECT_EQ(problem.correct.read(), want);
  }
}

TYPED_TEST(CrossEntropyTest, ATieAcrossLanesGoesToTheLowerClass) {
  constexpr int kClasses = 40;
  for (const auto& [low, high] : {std::pair{3, 4}, std::pair{5, 21}, std::pair{12, 33}, std::pair{15, 39}}) {
    Problem<TypeParam> problem({kClasses, 4, 1});
    problem.logits.set([&, l = low, h = high](int, int, int k) { return k == l || k == h ? 3.0 : 0.0; });
    problem.labels.write(
        {static_cast<std::uint8_t>(low), static_cast<std::uint8_t>(high), 0, 39, 0, 0, 0, 0, 0, 0, 0, 0, 0});
    problem.run();
    EXPECT_EQ(problem.correct.read(), (std::vector<std::uint8_t>{1, 0, 0, 0})) << low << " and " << high;
  }
}

TYPED_TEST(CrossEntropyTest, WhatIsNotFiniteShowsInTheLoss) {
  using T = TypeParam;
  for (const double bad :
       {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    for (const int where : {0, 5, 18}) {
      Problem<T> problem({19, 3, 1});
      problem.logits.set([&](int, int b, int k) { return b == 1 && k == where ? bad : 0.5 * k; });
      problem.run();
      const std::vector<T> nll = problem.nll.read();
      EXPECT_TRUE(std::isfinite(nll[0]) && std::isfinite(nll[2])) << "the other examples";
      EXPECT_FALSE(std::isfinite(nll[1])) << bad << " at class " << where;
    }
  }
}

TYPED_TEST(CrossEntropyTest, GivesTheSameBitsAgain) {
  const auto bits = [] {
    const Problem<TypeParam> problem({33, 21, 2, Order::own});
    problem.run();
    return std::pair(problem.logits.bits(), problem.nll.read());
  };
  EXPECT_EQ(bits(), bits());
}

TYPED_TEST(CrossEntropyTest, DoesNothingWithoutExamples) {
  const Problem<TypeParam> problem({3, 4, 1});
  const auto before = problem.logits.bits();
  auto args = problem.arguments();
  args.batch = 0;
  cross_entropy(args, stream().get());
  EXPECT_EQ(problem.logits.bits(), before);
}

TYPED_TEST(CrossEntropyTest, LogSoftmaxAgreesWithTheOracleAlsoInPlace) {
  using T = TypeParam;
  for (const Case& c : kCases) {
    if (c.networks > 1 || c.classes == 1) continue;
    SCOPED_TRACE(std::to_string(c.classes) + " classes, examples " + std::to_string(c.batch));
    std::vector<Number> want;
    for (int b = 0; b < c.batch; ++b) append(want, log_probabilities<T>(logits_of<T>(c, 0, b)));
    const Problem<T> problem(c);
    const Stack<T> output(1, c.batch, c.classes, 7);
    LogSoftmax<T> args{
        problem.logits.data(), problem.logits.stride(), output.data(), output.stride(), c.classes, c.batch};
    log_softmax(args, stream().get());
    EXPECT_TRUE(close(output.read(), want));
    args.log_probabilities = problem.logits.data();
    args.stride = problem.logits.stride();
    log_softmax(args, stream().get());
    EXPECT_EQ(problem.logits.read(), output.read());
  }
}

}  // namespace
}  // namespace ensyn::kernels::test
