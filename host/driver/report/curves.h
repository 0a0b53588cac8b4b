/// \file
/// The networks of sweep.csv as curves over c, one per exponent and kind of noise, with bands over seeds.
#pragma once

#include <limits>
#include <string>
#include <vector>

#include "host/driver/report/runs.h"

namespace ensyn::driver::report {

/// A mean over seeds with its 95 % interval, which is not finite for a single seed.
struct Estimate {
  double mean = kNone;
  double low = kNone;
  double high = kNone;
};

/// The networks of one c.
struct CurvePoint {
  double c = 0;
  std::size_t seeds = 0;     ///< that did not diverge
  std::size_t diverged = 0;  ///< seeds that did
  Estimate accuracy;         ///< percent, one draw of the weights
  Estimate sigma;            ///< root mean square over weights
  Estimate cost;  ///< mean over weights of sigma^-rho / rho; not finite where their number is unknown
};

struct Curve {
  double rho = 0;
  std::string noise;
  std::string variant;  ///< what else tells it from others of the sweep, such as `lr 0.001`; usually empty
  std::vector<CurvePoint> points;  ///< ascending in c

  /// (1 / rho) sigma^-rho at the root mean square of sigma: the cost as the paper plots it.
  [[nodiscard]] double published_cost(const CurvePoint& point) const;
};

/// In ascending rho, heterogeneous noise first. Networks are replicates where all settings but the seeds
/// agree, whichever runs they are of. \throws DataError on a damaged sweep.csv
[[nodiscard]] std::vector<Curve> read_curves(const std::vector<Run>& runs, Notes& left_out);

/// log10 of the c at which the curve first falls through `accuracy` percent, interpolated linearly in log10
/// c; NaN where it never does.
[[nodiscard]] double crossing(const Curve& curve, double accuracy);

/// log10 of sigma where accuracy first falls through that, made a sigma; NaN where it never does.
[[nodiscard]] double sigma_at(const Curve& curve, double accuracy);

}  // namespace ensyn::driver::report
