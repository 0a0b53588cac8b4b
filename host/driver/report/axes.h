/// \file
/// Ranges and tics of a figure's axes.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

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

struct Tic {
  double place = 0;
  std::string label;   ///< gnuplot's enhanced text; empty for a tic without one
  bool minor = false;  ///< shorter than others
};

/// How long an axis is, in pixels, and whether its labels stand beside each other.
struct AxisRoom {
  double length = 0;
  bool across = false;
};

/// As many tics as there is room for labels, within reason.
[[nodiscard]] std::vector<Tic> tics(const Range& range, bool logarithmic, const AxisRoom& room);

/// Pixels of the widest label.
[[nodiscard]] double widest(const std::vector<Tic>& tics);

}  // namespace ensyn::driver::report
