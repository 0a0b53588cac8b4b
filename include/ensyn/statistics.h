/// \file
/// Statistics of tables of results: least squares, rank correlation, quantiles, intervals of means. Pure
/// functions; all throw DataError on too few values, on arrays of unequal length and on NaN or infinity.
#pragma once

#include <cstddef>
#include <span>

#include "ensyn/export.h"

namespace ensyn {

/// y = intercept + slope * x by ordinary least squares.
struct Regression {
  double slope = 0;
  double intercept = 0;
  double slope_error = 0;  ///< standard error of the slope
  double slope_low = 0;    ///< 95 % interval of the slope by Student's t with n - 2 degrees of freedom
  double slope_high = 0;
  double r = 0;  ///< Pearson's correlation of x and y; 0 where y is constant
  double p = 1;  ///< two-sided probability of such a slope, or a steeper one, if the true one were 0
  std::size_t n = 0;
};

/// \throws DataError also for n < 3, and where x is constant
[[nodiscard]] ENSYN_API Regression regress(std::span<const double> x, std::span<const double> y);

/// The part of x in y = intercept + slope * x + a * given: slope with its interval (n - 3 degrees of
/// freedom), and r the partial correlation of x and y. \throws DataError also for n < 4, and where x or
/// `given` is constant or one is a linear function of the other
[[nodiscard]] ENSYN_API Regression partial_regression(std::span<const double> x, std::span<const double> y,
                                                      std::span<const double> given);

/// Spearman's rank correlation; equal values share the mean of their ranks. \throws DataError also for n < 2,
/// and where x or y is constant
[[nodiscard]] ENSYN_API double spearman(std::span<const double> x, std::span<const double> y);

/// The q-quantile, q in [0, 1], interpolated linearly between the ordered values: position q (n - 1).
/// \throws ConfigError where q is not in [0, 1]
[[nodiscard]] ENSYN_API double quantile(std::span<const double> values, double q);

/// A mean with its 95 % interval by Student's t.
struct Band {
  double mean = 0;
  double low = 0;  ///< both ends are the mean where n = 1, which says nothing of the spread
  double high = 0;
  std::size_t n = 0;
};
[[nodiscard]] ENSYN_API Band mean_band(std::span<const double> values);

}  // namespace ensyn
