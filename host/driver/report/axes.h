/// \file
/// Ranges and tics of a figure's axes.
#pragma once

#include <cstddef>
#include <string>

#include "host/driver/report/figure.h"

namespace ensyn::driver::report {

struct Range {
  double from = 0, to = 1;
};

struct Ranges {
  Range x, y;
};

/// What panel number `index` shows: its row's values where rows are shared, its own otherwise.
[[nodiscard]] Ranges ranges_of(const Figure& figure, std::size_t index);

/// gnuplot's list of tics, `("10^{-2}" 0.01, ...)`. \param narrow fewer of them on a linear axis
[[nodiscard]] std::string tics(const Range& range, bool logarithmic, bool narrow);

}  // namespace ensyn::driver::report
