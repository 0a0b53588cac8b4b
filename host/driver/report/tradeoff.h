/// \file
/// The numbers beside figures 2 and 3.
#pragma once

#include <string>
#include <vector>

#include "host/driver/report/curves.h"
#include "host/driver/report/html.h"

namespace ensyn::driver::report {

inline constexpr double kChance = 15;  ///< percent: below, a network has learned nothing, of ten classes

/// The noise of a curve, and what else tells it from others.
[[nodiscard]] std::string name_of(const Curve& curve);

/// The published networks of one exponent and kind of noise, ascending in c.
struct Published {
  std::vector<double> c, accuracy, sigma, cost;  ///< percent; cost: mean over the weights of sigma^-rho / rho
};

/// Empty where the user has no such points.
[[nodiscard]] Published published(const Reference& reference, double rho, const std::string& noise);

/// Where accuracy falls with c, and our networks beside the published ones.
/// \param beside_published whether the columns of the published networks are there
[[nodiscard]] std::vector<NumberTable> tradeoff_tables(const std::vector<Curve>& curves,
                                                       const Reference& reference, bool beside_published);

/// Where accuracy falls, and which kind of noise is ahead, in sentences.
[[nodiscard]] std::vector<std::string> tradeoff_findings(const std::vector<Curve>& curves);

}  // namespace ensyn::driver::report
