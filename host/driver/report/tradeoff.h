/// \file
/// The numbers beside figures 2 and 3.
#pragma once

#include <string>
#include <vector>

#include "host/driver/report/curves.h"
#include "host/driver/report/html.h"

namespace ensyn::driver::report {

/// The published networks of one exponent and kind of noise, ascending in c.
struct Published {
  std::vector<double> c, accuracy, sigma, cost;  ///< percent; cost: mean over the weights of sigma^-rho / rho
};

/// Empty where the user has no such points.
[[nodiscard]] Published published(const Reference& reference, double rho, const std::string& noise);

/// Where accuracy falls with c, and our networks beside the published ones.
[[nodiscard]] std::vector<NumberTable> tradeoff_tables(const std::vector<Curve>& curves,
                                                       const Reference& reference);

}  // namespace ensyn::driver::report
