#include "ensyn/statistics.h"

#include <algorithm>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <numeric>
#include <string>
#include <vector>

#include "ensyn/error.h"
#include "host/base/message.h"

namespace ensyn {
namespace {

void check(std::string_view what, std::span<const double> values, std::size_t least) {
  if (values.size() < least) {
    throw DataError(std::string(what) + ": " + std::to_string(values.size()) + " values are too few, " +
                    std::to_string(least) + " are needed");
  }
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (std::isfinite(values[i])) continue;
    throw DataError(std::string(what) + ": value " + std::to_string(i) + " is " + shown(values[i]) +
                    ", not a finite number: leave it out");
  }
}

void check_pair(std::string_view what, std::span<const double> x, std::span<const double> y,
                std::size_t least) {
  if (x.size() != y.size()) {
    throw DataError(std::string(what) + ": " + std::to_string(x.size()) + " values of x and " +
                    std::to_string(y.size()) + " of y: give one of each for every point");
  }
  check(std::string(what) + ", x", x, least);
  check(std::string(what) + ", y", y, least);
}

double mean_of(std::span<const double> values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

/// Means of x and y, and sums of squares and products of what deviates from them.
struct Moments {
  double x = 0, y = 0, xx = 0, xy = 0, yy = 0;
};

Moments moments_of(std::span<const double> x, std::span<const double> y) {
  Moments m{.x = mean_of(x), .y = mean_of(y)};
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double dx = x[i] - m.x, dy = y[i] - m.y;
    m.xx += dx * dx;
    m.xy += dx * dy;
    m.yy += dy * dy;
  }
  return m;
}

bool is_constant(std::span<const double> values) {
  return std::ranges::all_of(values, [&](double v) { return v == values.front(); });
}

void check_varies(std::string_view what, std::span<const double> values) {
  if (!is_constant(values)) return;
  throw DataError(std::string(what) + ": all " + std::to_string(values.size()) + " values are " +
                  shown(values.front()) + ", so nothing can be said of how it varies");
}

double correlation(const Moments& m) {
  return std::clamp(m.xy / std::sqrt(m.xx) / std::sqrt(m.yy), -1.0, 1.0);
}

using StudentsT = boost::math::students_t_distribution<double>;

/// Half the width of a 95 % interval, in standard errors.
double half_width(double degrees_of_freedom) {
  return boost::math::quantile(boost::math::complement(StudentsT(degrees_of_freedom), 0.025));
}

double two_sided_p(double estimate, double error, double degrees_of_freedom) {
  if (error == 0) return estimate == 0 ? 1 : 0;
  const double t = std::fabs(estimate / error);
  return std::isfinite(t) ? 2 * boost::math::cdf(boost::math::complement(StudentsT(degrees_of_freedom), t))
                          : 0;
}

std::vector<double> ranks_of(std::span<const double> values) {
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::sort(order, [&](std::size_t a, std::size_t b) { return values[a] < values[b]; });
  std::vector<double> ranks(values.size());
  for (std::size_t first = 0, last = 0; first < order.size(); first = last) {
    while (last < order.size() && values[order[last]] == values[order[first]]) ++last;
    const double rank = 0.5 * static_cast<double>(first + last - 1);
    for (std::size_t i = first; i < last; ++i) ranks[order[i]] = rank;
  }
  return ranks;
}

/// The line through points of which x is not constant, with so many degrees of freedom left.
Regression least_squares(std::span<const double> x, std::span<const double> y, double freedom) {
  const Moments m = moments_of(x, y);
  Regression result;
  result.n = x.size();
  result.slope = m.xy / m.xx;
  result.intercept = m.y - result.slope * m.x;
  double residual = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double miss = (y[i] - m.y) - result.slope * (x[i] - m.x);
    residual += miss * miss;
  }
  result.slope_error = std::sqrt(residual / freedom / m.xx);
  const double width = half_width(freedom) * result.slope_error;
  result.slope_low = result.slope - width;
  result.slope_high = result.slope + width;
  if (!is_constant(y)) {
    result.r = correlation(m);
    result.p = two_sided_p(result.slope, result.slope_error, freedom);
  }
  return result;
}

}  // namespace

Regression regress(std::span<const double> x, std::span<const double> y) {
  check_pair("regression", x, y, 3);
  check_varies("regression, x", x);
  return least_squares(x, y, static_cast<double>(x.size()) - 2);
}

Regression partial_regression(std::span<const double> x, std::span<const double> y,
                              std::span<const double> given) {
  check_pair("partial regression", x, y, 4);
  check_pair("partial regression", given, y, 4);
  check_varies("partial regression, x", x);
  check_varies("partial regression, given", given);
  // Frisch and Waugh: what `given` does not explain of y, on what it does not explain of x.
  const Regression x_given = regress(given, x), y_given = regress(given, y);
  std::vector<double> x_rest(x.size()), y_rest(y.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    x_rest[i] = x[i] - x_given.intercept - x_given.slope * given[i];
    y_rest[i] = y[i] - y_given.intercept - y_given.slope * given[i];
  }
  if (1 - x_given.r * x_given.r < 1e-12) {
    throw DataError(
        "partial regression: x is a linear function of what is given, so their parts cannot be told apart");
  }
  Regression result = least_squares(x_rest, y_rest, static_cast<double>(x.size()) - 3);
  result.intercept = y_given.intercept - result.slope * x_given.intercept;
  return result;
}

double spearman(std::span<const double> x, std::span<const double> y) {
  check_pair("rank correlation", x, y, 2);
  check_varies("rank correlation, x", x);
  check_varies("rank correlation, y", y);
  return correlation(moments_of(ranks_of(x), ranks_of(y)));
}

double quantile(std::span<const double> values, double q) {
  if (!(q >= 0 && q <= 1)) throw ConfigError("quantile " + shown(q) + " is not in [0, 1]");
  check("quantile", values, 1);
  std::vector<double> ordered(values.begin(), values.end());
  const double position = q * static_cast<double>(values.size() - 1);
  const auto below = static_cast<std::size_t>(position);
  const auto at = ordered.begin() + static_cast<std::ptrdiff_t>(below);
  std::ranges::nth_element(ordered, at);
  const double fraction = position - static_cast<double>(below);
  if (fraction == 0) return *at;
  return std::lerp(*at, *std::min_element(at + 1, ordered.end()), fraction);
}

Band mean_band(std::span<const double> values) {
  check("mean", values, 1);
  const double mean = mean_of(values);
  if (values.size() == 1) return {mean, mean, mean, 1};
  double squares = 0;
  for (const double v : values) squares += (v - mean) * (v - mean);
  const auto n = static_cast<double>(values.size());
  const double width = half_width(n - 1) * std::sqrt(squares / (n - 1) / n);
  return {mean, mean - width, mean + width, values.size()};
}

}  // namespace ensyn
