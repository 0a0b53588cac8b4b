/// \file
/// Appendix 4: what noisy networks predict in one dimension, and how sure they are.
#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include "host/driver/report/section.h"

namespace ensyn::driver::report {
namespace {

struct Prediction {
  std::vector<double> x, mean, low, high, target;
};

/// By objective, c and rho, so that panels come row by row.
using Predictions = std::map<std::tuple<std::string, double, double>, Prediction>;

Predictions read_predictions(const Table& table) {
  Predictions result;
  for (std::size_t row = 0; row < table.rows.size(); ++row) {
    const bool energy = table.text(row, "objective") == "energy";
    const auto key =
        std::tuple(table.text(row, "objective"), energy ? setting_value(table, row, "c", true) : 0.0,
                   energy ? setting_value(table, row, "rho") : 0.0);
    Prediction& prediction = result[key];
    const double mean = value(table, row, "mean"), sd = value(table, row, "sd");
    prediction.x.push_back(value(table, row, "x"));
    prediction.mean.push_back(mean);
    prediction.low.push_back(mean - 2 * sd);
    prediction.high.push_back(mean + 2 * sd);
    prediction.target.push_back(value(table, row, "target"));
  }
  return result;
}

Panel panel_of(std::string title, const Prediction& prediction, const Table& data) {
  Panel panel{std::move(title), {"x", false}, {"y", false}, {}};
  Series points{"training data", {Mark::points, Colour::black, Symbol::circle}, {}, {}};
  for (std::size_t row = 0; row < data.rows.size(); ++row) {
    points.x.push_back(value(data, row, "x"));
    points.y.push_back(value(data, row, "y"));
  }
  panel.series = {{"prediction, 2 SD",
                   {Mark::band, Colour::green, {}},
                   prediction.x,
                   {},
                   prediction.low,
                   prediction.high},
                  {"f(x)", {Mark::dashed, Colour::vermilion, {}}, prediction.x, prediction.target},
                  {"prediction, mean", {Mark::line, Colour::green, {}}, prediction.x, prediction.mean},
                  std::move(points)};
  return panel;
}

}  // namespace

Section regression_section(const std::vector<Run>& runs) {
  Section section{"Regression in one dimension (appendix 4)", {}, {}, {}, {}};
  const std::vector<Run> found = with_file(runs, "regression.csv");
  if (found.empty()) {
    section.missing = {{"app4", "no folder holds a regression.csv: ensyn regression makes one"}};
    return section;
  }
  const Run& run = found.front();
  if (found.size() > 1) {
    section.paragraphs.push_back("Of several regression runs this is the first, " + run.name + ".");
  }
  const Predictions predictions =
      read_predictions(read_table(run.folder / "regression.csv",
                                  {"objective", "rho", "c", "x", "mean", "sd", "target"}, section.left_out));
  const Table data = read_table(run.folder / "regression_data.csv", {"x", "y"}, section.left_out);
  Figure variational{"app4_a",
                     "Appendix 4a: regression by variational Bayes",
                     "Shaded: two standard deviations of the predictions over draws of the weights.",
                     1,
                     {}};
  Figure energy{"app4_b",
                "Appendix 4b: regression by energy-efficient networks",
                "As 4a; columns are exponents rho, rows weights c of the reliability cost.",
                0,
                {}};
  double first_c = 0;
  for (const auto& [key, prediction] : predictions) {
    const auto& [objective, c, rho] = key;
    if (objective != "energy") {
      variational.panels.push_back(panel_of("variational Bayes", prediction, data));
      continue;
    }
    if (energy.panels.empty()) first_c = c;
    if (c == first_c) ++energy.columns;
    energy.panels.push_back(
        panel_of("ρ = " + rho_text(rho) + ", c = " + significant(c, 3), prediction, data));
  }
  for (Figure* figure : {&variational, &energy}) {
    if (!figure->panels.empty()) section.figures.push_back(std::move(*figure));
  }
  return section;
}

}  // namespace ensyn::driver::report
