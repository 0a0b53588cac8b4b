#include "host/driver/report/figure.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <span>
#include <string>

namespace ensyn::driver::report {
namespace {

std::string value_at(std::span<const double> values, std::size_t index) {
  return index < values.size() && std::isfinite(values[index]) ? exact(values[index]) : "";
}

}  // namespace

Label markup(const char* text) {
  Label label(text);
  label.is_markup = true;
  return label;
}

std::size_t points_per_cloud(std::size_t clouds) {
  // gnuplot's SVG takes about 100 bytes a point.
  constexpr std::size_t kPoints = 10000, kMost = 2000;
  return std::min(kMost, kPoints / std::max<std::size_t>(1, clouds));
}

std::vector<std::size_t> spread_indices(std::size_t size, std::size_t count) {
  // Selection sampling (Knuth, The Art of Computer Programming, 3.4.2, algorithm S): each subset is as likely
  // as any other, and the generator, whose numbers the standard lays down, starts the same every time.
  std::mt19937_64 generator;  // NOLINT(cert-msc32-c,cert-msc51-cpp)
  std::vector<std::size_t> chosen;
  for (std::size_t i = 0; i < size && chosen.size() < count; ++i) {
    if (generator() % (size - i) < count - chosen.size()) chosen.push_back(i);
  }
  return chosen;
}

Table to_table(const Figure& figure) {
  Table table{{}, {"panel", "series", "x", "y", "low", "high"}, {}};
  std::string letter;
  for (const Panel& panel : figure.panels) {
    if (!panel.letter.empty()) letter = "(" + panel.letter + ")";
    std::string title = letter + (letter.empty() || panel.title.empty() ? "" : " ") + panel.title;
    std::ranges::replace(title, '\n', ' ');
    for (const Series& series : panel.series) {
      for (std::size_t i = 0; i < series.x.size(); ++i) {
        table.rows.push_back({title, series.label.text, value_at(series.x, i), value_at(series.y, i),
                              value_at(series.low, i), value_at(series.high, i)});
      }
    }
  }
  return table;
}

}  // namespace ensyn::driver::report
