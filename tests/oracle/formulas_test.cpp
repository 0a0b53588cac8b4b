// The scalar formulas of include/ensyn/detail against the C library, in units in the last place. Each bound
// is the largest error seen in the sweep rounded up, so that a change for the worse shows; the comment at it
// says why it has that size.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numbers>

#include "ensyn/detail/arithmetic.h"

namespace {

namespace detail = ensyn::detail;

/// 80 bits: the references' own error is then below 0.001 units in the last place of a double.
template <class T>
long double exact(T x) {
  return static_cast<long double>(x);
}

/// Errors in units in the last place of T at the reference, and where the largest stood.
template <class T>
class Worst {
 public:
  void add(T x, T got, long double want) {
    const int exponent = std::max(std::ilogb(want), std::numeric_limits<T>::min_exponent - 1);
    const long double ulp = std::ldexp(1.0L, exponent - std::numeric_limits<T>::digits + 1);
    add_scaled(x, std::abs(exact(got) - want) / ulp);
  }

  /// For errors that are measured against something else than their own result.
  void add_scaled(T x, long double error) {
    ++count_;
    if (!(error <= error_)) {
      error_ = error;
      where_ = x;
    }
  }

  void expect_below(double bound) const {
    EXPECT_GT(count_, 1000U);
    EXPECT_LE(error_, bound) << "at " << std::hexfloat << where_;
  }

 private:
  std::size_t count_ = 0;
  long double error_ = 0;
  T where_ = 0;
};

template <class T>
class FormulasTest : public ::testing::Test {
 public:
  static constexpr int kPoints = 200001;

  /// Calls with kPoints points from `low` to `high`, evenly spread; their low bits are arbitrary.
  template <class Function>
  static void sweep(double low, double high, Function function) {
    for (int i = 0; i < kPoints; ++i) {
      function(static_cast<T>(low + (high - low) * i / (kPoints - 1)));
    }
  }

  /// As `sweep`, evenly spread in the logarithm.
  template <class Function>
  static void sweep_scale(double low, double high, Function function) {
    const double from = std::log2(low);
    const double to = std::log2(high);
    for (int i = 0; i < kPoints; ++i) {
      function(static_cast<T>(std::exp2(from + (to - from) * i / (kPoints - 1))));
    }
  }

  static long double softplus(long double phi) {
    return phi > 0 ? phi + std::log1p(std::exp(-phi)) : std::log1p(std::exp(phi));
  }
  static long double sigmoid(long double phi) { return 1 / (1 + std::exp(-phi)); }
};

using Numbers = ::testing::Types<float, double>;
TYPED_TEST_SUITE(FormulasTest, Numbers);

TYPED_TEST(FormulasTest, Exponential) {
  using T = TypeParam;
  Worst<T> worst;
  this->sweep(-87, 88, [&](T x) { worst.add(x, detail::exponential(x), std::exp(exact(x))); });
  worst.expect_below(1.1);
}

TYPED_TEST(FormulasTest, ExponentialStaysFiniteAndKeepsNan) {
  using T = TypeParam;
  for (const T x :
       {T(-1e4), T(1e4), -std::numeric_limits<T>::infinity(), std::numeric_limits<T>::infinity()}) {
    EXPECT_TRUE(std::isnormal(detail::exponential(x))) << x;
  }
  EXPECT_TRUE(std::isnan(detail::exponential(std::numeric_limits<T>::quiet_NaN())));
}

TYPED_TEST(FormulasTest, Logarithm) {
  using T = TypeParam;
  Worst<T> worst;
  const auto check = [&](T x) { worst.add(x, detail::logarithm(x), std::log(exact(x))); };
  this->sweep_scale(1e-37, 1e37, check);
  this->sweep(0.5, 2.0, check);
  worst.expect_below(0.95);
  EXPECT_EQ(detail::logarithm(T(1)), T(0));
}

TYPED_TEST(FormulasTest, LogOfOnePlus) {
  using T = TypeParam;
  Worst<T> worst;
  const auto check = [&](T y) { worst.add(y, detail::log1p_unit(y), std::log1p(exact(y))); };
  this->sweep(1e-9, 1, check);
  this->sweep_scale(1e-37, 1, check);
  // 0.9 of the logarithm and one rounding of the sum where y is above sqrt(2) - 1.
  worst.expect_below(1.8);
  EXPECT_EQ(detail::log1p_unit(T(0)), T(0));
}

TYPED_TEST(FormulasTest, ErrorFunction) {
  using T = TypeParam;
  Worst<T> worst;
  const auto check = [&](T x) { worst.add(x, detail::error_function(x), std::erf(exact(x))); };
  this->sweep(-7, 7, check);
  this->sweep(0.9, 1.1, check);
  this->sweep_scale(1e-37, 1e37, check);
  worst.expect_below(1.5);
  const T infinity = std::numeric_limits<T>::infinity();
  EXPECT_EQ(detail::error_function(T(0)), T(0));
  EXPECT_EQ(detail::error_function(infinity), T(1));
  EXPECT_EQ(detail::error_function(-infinity), T(-1));
  EXPECT_TRUE(std::isnan(detail::error_function(std::numeric_limits<T>::quiet_NaN())));
}

/// Slopes of E|w| by differences of its closed form in long double.
TYPED_TEST(FormulasTest, LaplaceGradient) {
  using T = TypeParam;
  const auto mean = [](long double mu, long double sigma) {
    const long double t = mu / (sigma * std::numbers::sqrt2_v<long double>);
    return sigma * std::sqrt(2 / std::numbers::pi_v<long double>) * std::exp(-t * t) + mu * std::erf(t);
  };
  for (const double mu : {-3.0, -0.25, 0.0, 1e-3, 0.75, 2.0}) {
    for (const double sigma : {0.5, 1.0, 3.0}) {
      const auto got = detail::laplace_gradient(static_cast<T>(mu), static_cast<T>(sigma), T(2));
      const long double h = 1e-6L, m = static_cast<T>(mu), s = static_cast<T>(sigma);
      const double tolerance = 1e-10 + 8 * static_cast<double>(std::numeric_limits<T>::epsilon());
      EXPECT_NEAR(got.mu, static_cast<double>((mean(m + h, s) - mean(m - h, s)) / h), tolerance)
          << mu << " " << sigma;
      EXPECT_NEAR(got.sigma, static_cast<double>((mean(m, s + h) - mean(m, s - h)) / h), tolerance)
          << mu << " " << sigma;
    }
  }
  // Far from 0 it is a magnitude cost.
  EXPECT_EQ(detail::laplace_gradient(T(-1), T(1e-3), T(0.5)).mu, T(-0.5));
}

TYPED_TEST(FormulasTest, SineAndCosineOfPi) {
  using T = TypeParam;
  // In units in the last place of numbers in [1/2, 1), since near its zeros a sine is as good as its
  // argument.
  Worst<T> worst;
  this->sweep(-1, 1, [&](T f) {
    const auto got = detail::sin_cos_pi(f);
    const long double angle = std::numbers::pi_v<long double> * f;
    const long double ulp = exact(std::numeric_limits<T>::epsilon()) / 2;
    worst.add_scaled(f, std::abs(got.sine - std::sin(angle)) / ulp);
    worst.add_scaled(f, std::abs(got.cosine - std::cos(angle)) / ulp);
  });
  worst.expect_below(1.45);
}

TYPED_TEST(FormulasTest, SineAndCosineAtTheQuarters) {
  using T = TypeParam;
  for (const int quarter : {-2, -1, 0, 1, 2}) {
    const auto got = detail::sin_cos_pi(T(quarter) / 2);
    const double sines[] = {0, -1, 0, 1, 0};
    const double cosines[] = {-1, 0, 1, 0, -1};
    EXPECT_EQ(got.sine, T(sines[quarter + 2])) << quarter;
    EXPECT_EQ(got.cosine, T(cosines[quarter + 2])) << quarter;
  }
}

TYPED_TEST(FormulasTest, SoftplusAndItsDerivative) {
  using T = TypeParam;
  Worst<T> value;
  Worst<T> derivative;
  this->sweep(-20, 20, [&](T phi) {
    const auto got = detail::softplus(phi);
    value.add(phi, got.value, this->softplus(phi));
    derivative.add(phi, got.derivative, this->sigmoid(phi));
  });
  // e^-|phi|, then log1p or a sum and a quotient: each adds its own rounding.
  value.expect_below(2.1);
  derivative.expect_below(2.8);
}

TYPED_TEST(FormulasTest, SoftplusFarOut) {
  using T = TypeParam;
  for (const double phi : {-80.0, -40.0, 40.0, 80.0, 300.0}) {
    const auto got = detail::softplus(static_cast<T>(phi));
    const auto want = static_cast<double>(this->softplus(std::max(phi, -87.0)));
    EXPECT_NEAR(got.value / want, 1, 4.0 * std::numeric_limits<T>::epsilon()) << phi;
  }
  EXPECT_TRUE(std::isnan(detail::softplus(std::numeric_limits<T>::quiet_NaN()).value));
}

/// Checks weight sigma^power over the sigmas of training. `halves` as in CostTermGradient.
template <class T>
void check_cost_gradient(double power, int halves, double bound) {
  Worst<T> worst;
  const detail::CostTermGradient<T> term{T(-0.7), static_cast<T>(power), halves};
  FormulasTest<T>::sweep_scale(1e-4, 3, [&](T sigma) {
    worst.add(sigma, detail::cost_gradient(sigma, &term, 1, T(0)),
              exact(term.weight) * std::pow(exact(sigma), exact(term.power)));
  });
  worst.expect_below(bound);
}

TYPED_TEST(FormulasTest, CostGradientByLogarithms) {
  // powers -(rho + 1) of the variational objective and of the four mechanisms. sigma^power = exp(power log
  // sigma), so the relative error is the absolute error of the exponent: at sigma = 1e-4 and power = -3 the
  // logarithm
  // (-9.2) is off by half a unit in its last place, 4 units of a number near 1, three of that; the product
  // (28) is rounded to 8; and units near the lower end of a binade count double: 2 (3 * 4 + 8) = 40.
  using T = TypeParam;
  check_cost_gradient<T>(-1, 0, 9.8);
  check_cost_gradient<T>(-1.5, 0, 21);
  check_cost_gradient<T>(-5.0 / 3, 0, 21);
  check_cost_gradient<T>(-7.0 / 3, 0, 35);
  check_cost_gradient<T>(-3, 0, 41);
}

TYPED_TEST(FormulasTest, CostGradientByMultiplication) {
  // One rounding for each factor and one of the quotient, some of which count double.
  using T = TypeParam;
  for (int halves = 1; halves <= detail::kMostHalves; ++halves) {
    check_cost_gradient<T>(-0.5 * halves, halves, 0.75 + 0.5 * halves);
  }
}

TYPED_TEST(FormulasTest, CostGradientAddsItsTerms) {
  using T = TypeParam;
  const detail::CostTermGradient<T> terms[] = {{T(-0.25), T(-1.5), 0}, {T(-0.5), T(-3), 6}};
  const double want = -0.25 * std::pow(0.3, -1.5) - 0.5 * std::pow(0.3, -3.0) + 0.3 * 4;
  EXPECT_NEAR(detail::cost_gradient(T(0.3), terms, 2, T(4)), want, 100 * std::numeric_limits<T>::epsilon());
  EXPECT_EQ(detail::cost_gradient(T(0.3), terms, 0, T(0)), T(0));
}

TYPED_TEST(FormulasTest, MagnitudeGradient) {
  using T = TypeParam;
  EXPECT_EQ(detail::add_magnitude_gradient(T(1), T(2), T(0.5), T(0.25)), T(2));
  EXPECT_EQ(detail::add_magnitude_gradient(T(1), T(-2), T(0.5), T(0.25)), T(0));
  EXPECT_EQ(detail::add_magnitude_gradient(T(1), T(0), T(0.5), T(0.25)), T(1));
}

/// Ten rounds of the product's Philox on lanes of 64 bits, whose high halves hold what must be ignored.
std::array<std::uint32_t, 4> philox(const std::array<std::uint32_t, 4>& counter, std::uint32_t key0,
                                    std::uint32_t key1) {
  std::array<std::uint64_t, 20> keys{};
  for (std::uint32_t round = 0; round < 10; ++round) {
    keys[2 * round] = key0 + round * 0x9E3779B9;
    keys[2 * round + 1] = key1 + round * 0xBB67AE85;
  }
  constexpr std::uint64_t kRubbish = 0xDEADBEEF00000000;
  const auto out =
      detail::philox<10>(detail::PhiloxWords<std::uint64_t>{counter[0] | kRubbish, counter[1] | kRubbish,
                                                            counter[2] | kRubbish, counter[3] | kRubbish},
                         keys.data());
  return {static_cast<std::uint32_t>(out.w0), static_cast<std::uint32_t>(out.w1),
          static_cast<std::uint32_t>(out.w2), static_cast<std::uint32_t>(out.w3)};
}

TEST(PhiloxTest, GivesThePublishedVectors) {
  // Random123, kat_vectors, "philox4x32 10".
  using Block = std::array<std::uint32_t, 4>;
  EXPECT_EQ(philox({}, 0, 0), (Block{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, 0xffffffff, 0xffffffff),
            (Block{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, 0xa4093822, 0x299f31d0),
            (Block{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

}  // namespace
