// Least squares, ranks, quantiles and intervals against certified values, closed forms and naive counts.
#include "ensyn/statistics.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>
#include <random>
#include <utility>
#include <vector>

#include "ensyn/error.h"

namespace ensyn {
namespace {

using Values = std::vector<double>;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// Student's t at 0.975 for 1 and 2 degrees of freedom, whose distributions have closed forms.
const double kT1 = std::tan(std::numbers::pi * 0.475);
const double kT2 = 0.95 * std::sqrt(2 / (1 - 0.95 * 0.95));

TEST(Regress, NorrisOfNist) {
  // Statistical Reference Datasets: x, y, and certified estimates.
  const std::vector<std::pair<double, double>> points{
      {0.2, 0.1},     {337.4, 338.8}, {118.2, 118.1}, {884.6, 888.0}, {10.1, 9.2},    {226.5, 228.1},
      {666.3, 668.5}, {996.3, 998.5}, {448.6, 449.1}, {777.0, 778.9}, {558.2, 559.2}, {0.4, 0.3},
      {0.6, 0.1},     {775.5, 778.1}, {666.9, 668.8}, {338.0, 339.3}, {447.5, 448.9}, {11.6, 10.8},
      {556.0, 557.7}, {228.1, 228.3}, {995.8, 998.0}, {887.6, 888.8}, {120.2, 119.6}, {0.3, 0.3},
      {0.3, 0.6},     {556.8, 557.6}, {339.1, 339.3}, {887.2, 888.0}, {999.0, 998.5}, {779.0, 778.9},
      {11.1, 10.2},   {118.3, 117.6}, {229.2, 228.9}, {669.1, 668.4}, {448.9, 449.2}, {0.5, 0.2}};
  Values x, y;
  for (const auto& [first, second] : points) {
    x.push_back(first);
    y.push_back(second);
  }
  const Regression found = regress(x, y);
  EXPECT_EQ(found.n, 36u);
  EXPECT_NEAR(found.slope, 1.00211681802045, 1e-12);
  EXPECT_NEAR(found.intercept, -0.262323073774029, 1e-11);
  EXPECT_NEAR(found.slope_error, 0.429796848199937e-3, 1e-13);
  EXPECT_NEAR(found.r * found.r, 0.999993745883712, 1e-13);
  const double t34 = 2.032244509317718;  // of tables, 34 degrees of freedom
  EXPECT_NEAR(found.slope_high - found.slope, t34 * found.slope_error, 1e-12);
  EXPECT_NEAR(found.slope - found.slope_low, t34 * found.slope_error, 1e-12);
}

TEST(Regress, ThreeAndFourPoints) {
  // y = 1 + 2x + e with e orthogonal to x: the estimates are exact.
  const Regression three = regress(Values{-1, 0, 1}, Values{-1 + 0.5, 1 - 1, 3 + 0.5});
  EXPECT_NEAR(three.slope, 2, 1e-14);
  EXPECT_NEAR(three.intercept, 1, 1e-14);
  const double error = std::sqrt(1.5 / 1 / 2);
  EXPECT_NEAR(three.slope_error, error, 1e-14);
  EXPECT_NEAR(three.slope_low, 2 - kT1 * error, 1e-12);
  EXPECT_NEAR(three.slope_high, 2 + kT1 * error, 1e-12);
  EXPECT_NEAR(three.p, 1 - 2 / std::numbers::pi * std::atan(2 / error), 1e-13);
  EXPECT_NEAR(three.r, 4 / std::sqrt(2 * 9.5), 1e-14);

  const Regression four = regress(Values{0, 1, 2, 3}, Values{0, -1, -1, -4});
  EXPECT_NEAR(four.slope, -1.2, 1e-14);
  const double t = 1.2 / four.slope_error;
  EXPECT_NEAR(four.slope_error, std::sqrt(1.8 / 2 / 5), 1e-14);
  EXPECT_NEAR(four.p, 1 - t / std::sqrt(2 + t * t), 1e-13);
  EXPECT_NEAR(four.slope_high - four.slope, kT2 * four.slope_error, 1e-13);
}

TEST(Regress, ExactAndConstant) {
  const Regression exact = regress(Values{1, 2, 3}, Values{-3, -6, -9});
  EXPECT_EQ(exact.slope, -3);
  EXPECT_EQ(exact.slope_error, 0);
  EXPECT_NEAR(exact.r, -1, 1e-15);
  EXPECT_EQ(exact.p, 0);
  const Regression constant = regress(Values{1, 2, 4}, Values{5, 5, 5});
  EXPECT_EQ(constant.slope, 0);
  EXPECT_EQ(constant.intercept, 5);
  EXPECT_EQ(constant.r, 0);
  EXPECT_EQ(constant.p, 1);
}

TEST(PartialRegression, SolvesTheNormalEquations) {
  const Values x{0.3, -1, 2, 0.7, 1.1}, z{1, 2, -1, 0.4, 5}, y{2, 0.1, 3, -1, 4};
  // (1 x z)^T (1 x z) b = (1 x z)^T y by Cramer's rule.
  const std::array<Values, 3> columns{Values{1, 1, 1, 1, 1}, x, z};
  const auto dot = [](const Values& a, const Values& b) {
    return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
  };
  const auto determinant = [](const std::array<std::array<double, 3>, 3>& m) {
    return m[0][0] * (m[1][1] * m[2][2] - m[1][2] * m[2][1]) -
           m[0][1] * (m[1][0] * m[2][2] - m[1][2] * m[2][0]) +
           m[0][2] * (m[1][0] * m[2][1] - m[1][1] * m[2][0]);
  };
  std::array<std::array<double, 3>, 3> normal{};
  for (std::size_t i = 0; i < 3; ++i) {
    for (std::size_t j = 0; j < 3; ++j) normal[i][j] = dot(columns[i], columns[j]);
  }
  std::array<double, 3> b{};
  for (std::size_t k = 0; k < 3; ++k) {
    auto replaced = normal;
    for (std::size_t i = 0; i < 3; ++i) replaced[i][k] = dot(columns[i], y);
    b[k] = determinant(replaced) / determinant(normal);
  }
  double residual = 0;
  for (std::size_t i = 0; i < 5; ++i) residual += std::pow(y[i] - b[0] - b[1] * x[i] - b[2] * z[i], 2);
  // The variance of b[1] is residual / (n - 3) times its diagonal element of the inverse.
  const double inverse = (normal[0][0] * normal[2][2] - normal[0][2] * normal[2][0]) / determinant(normal);
  const double error = std::sqrt(residual / 2 * inverse);
  const Regression found = partial_regression(x, y, z);
  EXPECT_NEAR(found.slope, b[1], 1e-12);
  EXPECT_NEAR(found.intercept, b[0], 1e-12);
  EXPECT_NEAR(found.slope_error, error, 1e-12);
  EXPECT_NEAR(found.slope_high - found.slope, kT2 * error, 1e-9);
  // The partial correlation follows from the t value.
  const double t = found.slope / error;
  EXPECT_NEAR(found.r, t / std::sqrt(t * t + 2), 1e-12);
  EXPECT_EQ(found.n, 5u);
  EXPECT_THROW((void)partial_regression(x, y, Values{3, 3, 3, 3, 3}), DataError);
  EXPECT_THROW((void)partial_regression(x, y, Values{0.6, -2, 4, 1.4, 2.2}), DataError);
  EXPECT_THROW((void)partial_regression(Values{1, 2, 3}, Values{1, 2, 4}, Values{1, 0, 1}), DataError);
}

TEST(Regress, FarFromTheOrigin) {
  // One-pass sums of squares would lose every digit here.
  const Regression found = regress(Values{1e9, 1e9 + 1, 1e9 + 2}, Values{4e9, 4e9 + 3, 4e9 + 6});
  EXPECT_NEAR(found.slope, 3, 1e-12);
}

/// Ranks by counting what is smaller.
double naive_spearman(const Values& x, const Values& y) {
  const auto ranks = [](const Values& v) {
    Values result;
    for (const double a : v) {
      double rank = 0;
      for (const double b : v) rank += b < a ? 1 : b == a ? 0.5 : 0;
      result.push_back(rank);
    }
    return result;
  };
  const Values a = ranks(x), b = ranks(y);
  const auto n = static_cast<double>(a.size());
  double sa = 0, sb = 0, saa = 0, sbb = 0, sab = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    sa += a[i];
    sb += b[i];
    saa += a[i] * a[i];
    sbb += b[i] * b[i];
    sab += a[i] * b[i];
  }
  return (n * sab - sa * sb) / std::sqrt((n * saa - sa * sa) * (n * sbb - sb * sb));
}

TEST(Spearman, Ranks) {
  EXPECT_NEAR(spearman(Values{1, 2, 30, 400}, Values{-1, 0, 1e-300, 7}), 1, 1e-15);
  EXPECT_NEAR(spearman(Values{1, 2, 3}, Values{9, 8, -7}), -1, 1e-15);
  // 1 - 6 sum d^2 / (n (n^2 - 1)) without ties: d = -1, 1, -1, 1, 0.
  EXPECT_NEAR(spearman(Values{1, 2, 3, 4, 5}, Values{20, 10, 40, 30, 50}), 1 - 6 * 4 / 120.0, 1e-15);
}

TEST(Spearman, TiesAsByCounting) {
  std::mt19937 random(3);
  for (const std::size_t n : {2u, 3u, 5u, 31u, 33u, 100u, 785u}) {
    Values x{0, 1}, y{1, 0};  // so that neither is constant
    while (x.size() < n) {
      x.push_back(static_cast<double>(random() % 7));
      y.push_back(x.back() + static_cast<double>(random() % 9));
    }
    EXPECT_NEAR(spearman(x, y), naive_spearman(x, y), 1e-12) << n;
  }
}

TEST(Quantile, Interpolates) {
  const Values values{4, 1, 3, 2};
  EXPECT_EQ(quantile(values, 0), 1);
  EXPECT_EQ(quantile(values, 1), 4);
  EXPECT_EQ(quantile(values, 0.5), 2.5);
  EXPECT_NEAR(quantile(values, 0.05), 1.15, 1e-15);
  EXPECT_EQ(quantile(Values{7}, 0.3), 7);
  EXPECT_EQ(quantile(Values{2, 2, 2}, 0.9), 2);
}

TEST(MeanBand, StudentsT) {
  const Band three = mean_band(Values{1, 2, 6});
  EXPECT_EQ(three.mean, 3);
  EXPECT_EQ(three.n, 3u);
  EXPECT_NEAR(three.high - 3, kT2 * std::sqrt(14.0 / 2 / 3), 1e-12);
  EXPECT_NEAR(3 - three.low, kT2 * std::sqrt(14.0 / 2 / 3), 1e-12);
  const Band two = mean_band(Values{1, 3});
  EXPECT_NEAR(two.high - 2, kT1, 1e-11);
  const Band one = mean_band(Values{5});
  EXPECT_EQ(one.low, 5);
  EXPECT_EQ(one.high, 5);
  EXPECT_EQ(one.n, 1u);
}

TEST(Statistics, RefuseWhatTheyCannotUse) {
  const Values one{1}, two{1, 2}, three{1, 2, 3}, constant{2, 2, 2}, empty;
  EXPECT_THROW((void)regress(two, two), DataError);
  EXPECT_THROW((void)regress(constant, three), DataError);
  EXPECT_THROW((void)regress(three, two), DataError);
  EXPECT_THROW((void)spearman(one, one), DataError);
  EXPECT_THROW((void)spearman(constant, three), DataError);
  EXPECT_THROW((void)spearman(three, constant), DataError);
  EXPECT_THROW((void)quantile(empty, 0.5), DataError);
  EXPECT_THROW((void)mean_band(empty), DataError);
  EXPECT_THROW((void)quantile(three, 1.5), ConfigError);
  EXPECT_THROW((void)quantile(three, kNan), ConfigError);
  for (const double bad : {kNan, kInfinity, -kInfinity}) {
    const Values with_bad{1, bad, 3};
    EXPECT_THROW((void)regress(three, with_bad), DataError);
    EXPECT_THROW((void)regress(with_bad, three), DataError);
    EXPECT_THROW((void)spearman(with_bad, three), DataError);
    EXPECT_THROW((void)quantile(with_bad, 0.5), DataError);
    EXPECT_THROW((void)mean_band(with_bad), DataError);
  }
}

}  // namespace
}  // namespace ensyn
