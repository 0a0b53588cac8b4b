/// \file
/// Figure 6: regressions on measured synapses.
#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "host/driver/report/section.h"

namespace ensyn::driver::report {
namespace {

std::string spaced(std::string name) {
  std::ranges::replace(name, '_', ' ');
  return name;
}

std::string shown_subset(const std::string& subset) {
  return subset == "ltp"   ? "potentiation"
         : subset == "ltd" ? "depression"
         : subset == "all" ? "synapses"
                           : subset;
}

Panel panel_of(const Table& fits, const Table& points, const std::string& name, const std::string& title) {
  Panel panel{title, {}, {}, {}};
  panel.letter = name;
  for (std::size_t row = 0; row < points.rows.size(); ++row) {
    if (points.text(row, "panel") != name) continue;
    const std::string& subset = points.text(row, "subset");
    auto series =
        std::ranges::find_if(panel.series, [&](const Series& one) { return one.label.text == subset; });
    if (series == panel.series.end()) {
      const Style style = panel.series.empty() ? Style{Mark::points, Colour::blue, Symbol::circle}
                                               : Style{Mark::points, Colour::orange, Symbol::triangle};
      panel.series.push_back({subset, style, {}, {}});
      series = panel.series.end() - 1;
    }
    series->x.push_back(value(points, row, "x"));
    series->y.push_back(value(points, row, "y"));
  }
  double low = std::numeric_limits<double>::infinity(), high = -low;
  for (const Series& series : panel.series) {
    for (const double place : series.x) {
      if (std::isfinite(place)) low = std::min(low, place), high = std::max(high, place);
    }
  }
  // The first fit of a panel is that of the points drawn.
  for (std::size_t row = 0; row < fits.rows.size(); ++row) {
    if (fits.text(row, "panel") != name) continue;
    panel.x.label = spaced(fits.text(row, "x_name"));
    panel.y.label = spaced(fits.text(row, "y_name"));
    const double slope = value(fits, row, "slope"), intercept = value(fits, row, "intercept");
    panel.title += "\nslope " + fixed(slope, 2) + " (" + fixed(value(fits, row, "slope_low"), 2) + " to " +
                   fixed(value(fits, row, "slope_high"), 2) + "), r " + fixed(value(fits, row, "r"), 2);
    panel.series.push_back({"least squares", {Mark::line, Colour::black, {}}, {low, high}, {}});
    panel.series.back().y = {intercept + slope * low, intercept + slope * high};
    break;
  }
  for (Series& series : panel.series) {
    series.label = shown_subset(series.label.text);
  }
  return panel;
}

bool holds(const Table& points, const std::string& panel) {
  for (std::size_t row = 0; row < points.rows.size(); ++row) {
    if (points.text(row, "panel") == panel) return true;
  }
  return false;
}

NumberTable fits_table(const Table& fits) {
  NumberTable table{"fig6_fits", "Regressions, slopes with 95 % interval", {}, {}};
  table.columns = {"panel", "y", "x", "subset", "n", "slope", "low", "high", "r", "p", "Spearman"};
  for (std::size_t row = 0; row < fits.rows.size(); ++row) {
    const auto number = [&](const char* column, int decimals) {
      return fixed(value(fits, row, column), decimals);
    };
    table.rows.push_back({fits.text(row, "panel"), fits.text(row, "y_name"), fits.text(row, "x_name"),
                          fits.text(row, "subset"), fits.text(row, "n"), number("slope", 4),
                          number("slope_low", 4), number("slope_high", 4), number("r", 4),
                          significant(value(fits, row, "p"), 3), number("spearman", 4)});
  }
  return table;
}

}  // namespace

Section experiments_section(const std::vector<Run>& runs) {
  Section section{"Measured synapses (figure 6)", {}, {}, {}, {}};
  const std::vector<Run> found = with_file(runs, "experiments.csv");
  if (found.empty()) {
    section.missing = {{"fig6", "no folder holds an experiments.csv: ensyn experiments makes one"}};
    return section;
  }
  const Run& run = found.front();
  if (found.size() > 1) {
    section.paragraphs.push_back("Of several runs of ensyn experiments this is the first, " + run.name + ".");
  }
  const Table fits = read_table(run.folder / "experiments.csv",
                                {"panel", "x_name", "y_name", "subset", "n", "slope", "slope_low",
                                 "slope_high", "intercept", "r", "p", "spearman"},
                                section.left_out);
  const Table points =
      read_table(run.folder / "experiments_points.csv", {"panel", "subset", "x", "y"}, section.left_out);
  Figure figure{
      "fig6",
      "Figure 6: plasticity and variability of measured synapses",
      "(a) Relative change of a synapse's weight against its release probability before the change; the "
      "line is the fit of potentiation and depression together where both are given. (b) Variability of "
      "postsynaptic potentials against the presynaptic rate, natural logarithms.",
      0,
      {},
      false};
  if (holds(points, "a")) figure.panels.push_back(panel_of(fits, points, "a", "change of the weight"));
  if (holds(points, "b")) figure.panels.push_back(panel_of(fits, points, "b", "variability"));
  figure.columns = figure.panels.size();
  if (!figure.panels.empty()) section.figures.push_back(std::move(figure));
  section.tables = {fits_table(fits)};
  return section;
}

}  // namespace ensyn::driver::report
