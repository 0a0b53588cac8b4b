#include "host/driver/report/axes.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "host/driver/files/text.h"

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

std::string decade_tics(int first, int last, int wanted) {
  const int step = std::max(1, (last - first + wanted - 1) / wanted);
  std::string text;
  for (int decade = first; decade <= last; ++decade) {
    // Labels are on multiples of the step, so that 1 has one if any has.
    const bool labelled = decade % step == 0;
    text += formatted("%s\"%s\" 1e%d%s", text.empty() ? "" : ", ",
                      labelled ? formatted("10^{%d}", decade).c_str() : "", decade, labelled ? "" : " 1");
  }
  return text;
}

/// For less than two decades: labels within them too.
std::string fine_tics(const Range& range, bool narrow) {
  const double decades = std::log10(range.to / range.from) * (narrow ? 1.5 : 1);
  const std::vector<int> labelled = decades > 1.2   ? std::vector{1, 3}
                                    : decades > 0.7 ? std::vector{1, 2, 5}
                                                    : std::vector{1, 2, 3, 4, 5, 6, 8};
  std::string text;
  for (int decade = static_cast<int>(std::floor(std::log10(range.from))); std::pow(10.0, decade) < range.to;
       ++decade) {
    for (int digit = 1; digit < 10; ++digit) {
      const double place = digit * std::pow(10.0, decade);
      if (place < range.from || place > range.to) continue;
      const bool label = std::ranges::find(labelled, digit) != labelled.end();
      const std::string shown =
          decade < -3 || decade > 4 ? formatted("%d·10^{%d}", digit, decade) : formatted("%.6g", place);
      text += formatted("%s\"%s\" %.6g%s", text.empty() ? "" : ", ", label ? shown.c_str() : "", place,
                        label ? "" : " 1");
    }
  }
  return text;
}

std::string linear_tics(const Range& range, double wanted) {
  const double rough = (range.to - range.from) / wanted;
  const double decade = std::pow(10.0, std::floor(std::log10(rough)));
  const double ratio = rough / decade;
  const double step = decade * (ratio < 1.5 ? 1 : ratio < 3.5 ? 2 : ratio < 7.5 ? 5 : 10);
  std::string text;
  const auto first = static_cast<long long>(std::ceil(range.from / step - 1e-9));
  for (long long tic = first; static_cast<double>(tic) * step <= range.to + 1e-9 * step; ++tic) {
    const double place = static_cast<double>(tic) * step;
    text += formatted("%s\"%.6g\" %.10g", text.empty() ? "" : ", ", place, place);
  }
  return text;
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

std::string tics(const Range& range, bool logarithmic, bool narrow) {
  if (!logarithmic) return "(" + linear_tics(range, narrow ? 2.5 : 5) + ")";
  const int first = static_cast<int>(std::ceil(std::log10(range.from) - 1e-9));
  const int last = static_cast<int>(std::floor(std::log10(range.to) + 1e-9));
  return "(" + (last - first >= 2 ? decade_tics(first, last, narrow ? 3 : 5) : fine_tics(range, narrow)) +
         ")";
}

}  // namespace ensyn::driver::report
