/// \file
/// Figure 1: the quantal model of release, and what each mechanism of reliability costs.
#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "host/driver/files/text.h"
#include "host/driver/report/section.h"

namespace ensyn::driver::report {
namespace {

constexpr std::array kMechanismColours = {Colour::blue,   Colour::vermilion, Colour::green,
                                          Colour::orange, Colour::purple,    Colour::sky_blue};
constexpr std::array kMechanismSymbols = {Symbol::circle,   Symbol::square,
                                          Symbol::triangle, Symbol::inverted_triangle,
                                          Symbol::diamond,  Symbol::circle};

/// The series with this label, made when it is new.
Series& series_of(Panel& panel, const std::string& label, Mark mark, std::size_t colour) {
  const auto found =
      std::ranges::find_if(panel.series, [&](const Series& one) { return one.label.text == label; });
  if (found != panel.series.end()) return *found;
  const std::size_t index = colour % kMechanismColours.size();
  panel.series.push_back({label, {mark, kMechanismColours[index], kMechanismSymbols[index]}, {}, {}});
  return panel.series.back();
}

Figure histograms(const Table& table) {
  Figure figure{
      "fig1b",
      "Figure 1b: postsynaptic potentials at a fixed mean",
      "Probability of each size of a postsynaptic potential (PSP) under the quantal model: lines; open "
      "markers are drawn. A higher release probability p or more vesicles n narrow the distribution, the "
      "size q of a quantum making up for it.",
      2,
      {},
      false};
  const std::array<std::pair<const char*, const char*>, 2> panels = {std::pair{"release", "more release"},
                                                                     std::pair{"vesicles", "more vesicles"}};
  std::map<std::string, std::size_t> synapses;  // one colour each, in both panels
  for (const auto& [name, title] : panels) {
    Panel panel{title, {"PSP, in units of the mean", false}, {"probability", false, 0.0}, {}};
    for (std::size_t row = 0; row < table.rows.size(); ++row) {
      if (table.text(row, "panel") != name) continue;
      const std::string synapse = formatted("n = %g, p = %g", value(table, row, "n"), value(table, row, "p"));
      const std::size_t colour = synapses.try_emplace(synapse, synapses.size()).first->second;
      for (const auto& [column, label, mark] :
           {std::tuple{"probability", synapse, Mark::line_points},
            std::tuple{"drawn", synapse + ", drawn", Mark::open_points}}) {
        Series& series = series_of(panel, label, mark, colour);
        series.x.push_back(value(table, row, "psp"));
        series.y.push_back(value(table, row, column));
        series.in_legend = mark == Mark::line_points;
      }
    }
    figure.panels.push_back(std::move(panel));
  }
  return figure;
}

Figure costs(const Table& table) {
  Figure figure{
      "fig1c",
      "Figure 1c: cost of reliability by each mechanism",
      "Energy of a synapse of a fixed mean against its standard deviation, relative to that at the largest "
      "one shown. The slope on these axes is minus rho.",
      1,
      {}};
  Panel panel{"", {"σ", true}, {"relative cost", true}, {}};
  std::size_t colour = 0;
  for (std::size_t row = 0; row < table.rows.size(); ++row) {
    const std::string label = table.text(row, "mechanism") +
                              formatted(", ρ = %s", rho_text(value(table, row, "rho_fitted")).c_str());
    if (row > 0 && table.text(row, "mechanism") != table.text(row - 1, "mechanism")) ++colour;
    Series& series = series_of(panel, label, Mark::line, colour);
    series.x.push_back(value(table, row, "sigma"));
    series.y.push_back(value(table, row, "cost"));
  }
  for (Series& series : panel.series) {
    const auto last = std::find_if(series.y.rbegin(), series.y.rend(), [](double cost) { return cost > 0; });
    if (last == series.y.rend()) continue;
    const double unit = *last;
    for (double& cost : series.y) cost /= unit;
  }
  figure.panels.push_back(std::move(panel));
  return figure;
}

}  // namespace

Section mechanisms_section(const std::vector<Run>& runs) {
  Section section{"Mechanisms of reliability (figure 1)", {}, {}, {}, {}};
  const std::vector<Run> found = with_file(runs, "biophysics.csv");
  if (found.empty()) {
    section.missing = {{"fig1", "no folder holds a biophysics.csv: ensyn biophysics makes one"}};
    return section;
  }
  const Run& run = found.front();
  if (found.size() > 1) {
    section.paragraphs.push_back("Of several biophysics runs this is the first, " + run.name + ".");
  }
  const Table psps = read_table(run.folder / "biophysics_histograms.csv",
                                {"panel", "n", "p", "psp", "probability", "drawn"}, section.left_out);
  const Table curves = read_table(run.folder / "biophysics.csv",
                                  {"mechanism", "rho", "rho_fitted", "sigma", "cost"}, section.left_out);
  section.figures = {histograms(psps), costs(curves)};
  return section;
}

}  // namespace ensyn::driver::report
