#include "host/driver/report/axes.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "host/driver/files/text.h"
#include "host/driver/report/text_extent.h"

namespace ensyn::driver::report {
namespace {

/// An axis holds sizes up to this one, and on a logarithmic one down to its inverse, so that its ends and
/// tics do not become infinite or zero.
constexpr double kLargest = 1e280;

/// Collects what an axis has to hold; in decades where it is logarithmic.
class Extent {
 public:
  explicit Extent(bool logarithmic) : logarithmic_(logarithmic) {}

  void include(const std::vector<double>& values) {
    for (const double value : values) {
      if (!(std::abs(value) <= kLargest) || (logarithmic_ && value < 1 / kLargest)) continue;
      const double position = logarithmic_ ? std::log10(value) : value;
      low_ = std::min(low_, position);
      high_ = std::max(high_, position);
    }
  }

  /// A little more than what was included, or what the axis asks for; always wide enough to be drawn.
  [[nodiscard]] Range range(const Axis& axis) const {
    double low = low_, high = high_;
    if (low > high) low = 0, high = 1;
    const double margin = 0.04 * (high - low);
    low -= margin, high += margin;
    const double lacking = least_width(low, high) - (high - low);
    if (lacking > 0) low -= lacking / 2, high += lacking / 2;
    Range range{axis.from.value_or(place(low)), axis.to.value_or(place(high))};
    if (!(range.to > range.from)) {
      // The values lie beyond the one end that the axis asks for.
      const double from = logarithmic_ ? std::log10(range.from) : range.from;
      range.to = place(from + least_width(from, from));
    }
    return range;
  }

 private:
  /// Where all values agree but for their rounding, an axis still shows where they are.
  [[nodiscard]] double least_width(double low, double high) const {
    // Of so many decades, one of the digits that have a label is always shown (1 and 2 are the farthest
    // apart).
    constexpr double kDecades = 0.31, kPart = 0.02;
    if (logarithmic_) return kDecades;
    const double size = std::max(std::abs(low), std::abs(high));
    return size < 1 / kLargest ? 1 : kPart * size;
  }
  [[nodiscard]] double place(double position) const {
    return logarithmic_ ? std::pow(10.0, position) : position;
  }

  bool logarithmic_;
  double low_ = std::numeric_limits<double>::infinity();
  double high_ = -std::numeric_limits<double>::infinity();
};

void include(const Panel& panel, Extent& x, Extent& y) {
  for (const Series& series : panel.series) {
    if (!series.sets_range) continue;
    x.include(series.x);
    y.include(series.y);
    y.include(series.low);
    y.include(series.high);
  }
}

/// Every decade, with labels on multiples of `step`, so that 1 has one if any has.
std::vector<Tic> decade_tics(const Range& range, int step) {
  const int first = static_cast<int>(std::ceil(std::log10(range.from) - 1e-9));
  const int last = static_cast<int>(std::floor(std::log10(range.to) + 1e-9));
  std::vector<Tic> result;
  for (int decade = first; decade <= last; ++decade) {
    const bool labelled = decade % step == 0;
    result.push_back({std::pow(10.0, decade), labelled ? formatted("10^{%d}", decade) : "", !labelled});
  }
  return result;
}

/// A number as readers know it: `0.02`, or `2·10^{-5}` where that would be long.
std::string shown(double value, int decade) {
  if (value == 0) return "0";
  return decade < -3 || decade > 4 ? formatted("%.6g·10^{%d}", value / std::pow(10.0, decade), decade)
                                   : formatted("%.6g", value);
}

/// One exponent for all labels of an axis.
int common_decade(const Range& range) {
  return static_cast<int>(std::floor(std::log10(std::max(std::abs(range.from), std::abs(range.to)))));
}

/// For less than two decades: every digit, some of them with labels.
std::vector<Tic> digit_tics(const Range& range, const std::vector<int>& labelled) {
  std::vector<Tic> result;
  for (int decade = static_cast<int>(std::floor(std::log10(range.from))); std::pow(10.0, decade) < range.to;
       ++decade) {
    for (int digit = 1; digit < 10; ++digit) {
      const double place = digit * std::pow(10.0, decade);
      if (place < range.from || place > range.to) continue;
      const bool label = std::ranges::find(labelled, digit) != labelled.end();
      result.push_back({place, label ? shown(place, decade) : "", !label});
    }
  }
  return result;
}

std::vector<Tic> linear_tics(const Range& range, double wanted) {
  const double rough = (range.to - range.from) / wanted;
  const double decade = std::pow(10.0, std::floor(std::log10(rough)));
  const double ratio = rough / decade;
  const double step = decade * (ratio < 1.5 ? 1 : ratio < 3.5 ? 2 : ratio < 7.5 ? 5 : 10);
  std::vector<Tic> result;
  const auto first = static_cast<long long>(std::ceil(range.from / step - 1e-9));
  for (long long tic = first; static_cast<double>(tic) * step <= range.to + 1e-9 * step; ++tic) {
    const double place = static_cast<double>(tic) * step;
    result.push_back({place, shown(place, common_decade(range)), false});
  }
  return result;
}

/// From many labels to few.
std::vector<std::vector<Tic>> candidates(const Range& range, bool logarithmic, const AxisRoom& room) {
  std::vector<std::vector<Tic>> result;
  if (!logarithmic) {
    const double most = std::clamp(room.length / (room.across ? 45 : 30), 3.0, 6.0);
    const int halves = static_cast<int>(2 * (most - 1.5));
    for (int i = 0; i <= halves; ++i) result.push_back(linear_tics(range, most - 0.5 * i));
    return result;
  }
  const double decades = std::log10(range.to / range.from);
  const std::vector<Tic> all = decade_tics(range, 1);
  if (all.size() >= 3) {
    const int least = static_cast<int>((all.size() + 6) / 7);
    for (int step = least; step <= static_cast<int>(all.size()); ++step)
      result.push_back(decade_tics(range, step));
    return result;
  }
  if (decades <= 0.7) result.push_back(digit_tics(range, {1, 2, 3, 4, 5, 6, 8}));
  result.push_back(digit_tics(range, {1, 2, 5}));
  if (decades > 0.7) result.push_back(digit_tics(range, {1, 3}));
  result.push_back(digit_tics(range, {1}));
  return result;
}

/// Whether labels keep apart from each other.
bool fit(const std::vector<Tic>& tics, const Range& range, bool logarithmic, const AxisRoom& room) {
  constexpr double kApart = 10;
  const auto position = [&](double place) {
    const double part = logarithmic ? std::log10(place / range.from) / std::log10(range.to / range.from)
                                    : (place - range.from) / (range.to - range.from);
    return part * room.length;
  };
  double end = -std::numeric_limits<double>::infinity();  // of the label before
  for (const Tic& tic : tics) {
    if (tic.label.empty()) continue;
    const double half = (room.across ? markup_width(tic.label) + kApart : kLineHeight) / 2;
    if (position(tic.place) - half < end) return false;
    end = position(tic.place) + half;
  }
  return true;
}

}  // namespace

Ranges ranges_of(const Figure& figure, std::size_t index) {
  const Panel& panel = figure.panels[index];
  Extent x(panel.x.logarithmic), y(panel.y.logarithmic);
  const std::size_t row = index / figure.columns;
  for (std::size_t other = 0; other < figure.panels.size(); ++other) {
    if (other == index || (figure.shared_rows && other / figure.columns == row)) {
      include(figure.panels[other], x, y);
    }
  }
  return {x.range(panel.x), y.range(panel.y)};
}

std::vector<Tic> tics(const Range& range, bool logarithmic, const AxisRoom& room) {
  const std::vector<std::vector<Tic>> all = candidates(range, logarithmic, room);
  const auto fitting =
      std::ranges::find_if(all, [&](const auto& one) { return fit(one, range, logarithmic, room); });
  return fitting == all.end() ? all.back() : *fitting;
}

double widest(const std::vector<Tic>& tics) {
  double width = 0;
  for (const Tic& tic : tics) width = std::max(width, markup_width(tic.label));
  return width;
}

}  // namespace ensyn::driver::report
