/// \file
/// Figure 7: the noise of energy-efficient synapses beside the Bayesian posterior's.
#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>
#include <set>
#include <tuple>
#include <utility>

#include "ensyn/statistics.h"
#include "ensyn/theory.h"
#include "host/driver/files/text.h"
#include "host/driver/report/section.h"

namespace ensyn::driver::report {
namespace {

constexpr std::array kRhos = {1.0 / 2, 2.0 / 3, 4.0 / 3, 2.0};
constexpr std::array kLayerColours = {Colour::blue, Colour::vermilion, Colour::green, Colour::purple};
constexpr std::array kMarks = {Mark::line, Mark::dashed, Mark::dotted, Mark::line};

Series theory_line(std::string label, Style style, double rho, double c, double low, double high) {
  constexpr int kPoints = 31;
  Series line{std::move(label), style, {}, {}};
  for (int i = 0; i < kPoints; ++i) {
    const double posterior = low * std::pow(high / low, static_cast<double>(i) / (kPoints - 1));
    const CostTerm term{rho, c};
    line.x.push_back(posterior);
    line.y.push_back(theory::stationary_sigma({&term, 1}, 1 / (posterior * posterior)));
  }
  return line;
}

/// 7b and 7c, for which nothing need be trained.
Figure theory_figure() {
  constexpr double kLow = 1e-4, kHigh = 1;
  Figure figure{
      "fig7_theory",
      "Figure 7b and c: sigma at the stationary point against the posterior's",
      "Lines of sigma^(rho+2) = c rho sigma_post^2, a broad prior taken for granted. (b) One exponent each, "
      "c = 10^(-2 rho) / rho, so that all cross where both sigmas are s = 0.01. (c) rho = 1/2 and three "
      "weights of the cost.",
      2,
      {}};
  const Axis x{"σ of the posterior", true}, y{"σ, energy-efficient", true};
  Panel exponents{"", x, y, {}}, weights{"ρ = 1/2", x, y, {}};
  exponents.letter = "b", weights.letter = "c";
  for (std::size_t i = 0; i < kRhos.size(); ++i) {
    const Style style{kMarks[i], kLayerColours[i], {}};
    exponents.series.push_back(theory_line("ρ = " + rho_text(kRhos[i]), style, kRhos[i],
                                           theory::cost_weight(kRhos[i], 0.01), kLow, kHigh));
  }
  const std::array<std::pair<double, Style>, 3> costs = {
      std::pair{0.112, Style{Mark::line, Colour::sky_blue, {}}},
      std::pair{0.2, Style{Mark::dashed, Colour::orange, {}}},
      std::pair{0.356, Style{Mark::dotted, Colour::black, {}}}};
  for (const auto& [c, style] : costs) {
    weights.series.push_back(theory_line("c = " + significant(c, 3), style, 0.5, c, kLow, kHigh));
  }
  figure.panels = {std::move(exponents), std::move(weights)};
  return figure;
}

/// The synapses of one exponent and weight of the cost, of all replicates.
struct Pairs {
  double rho = 0, c = 0;
  std::string runs;  ///< names, where there are others of that rho and c
  std::vector<double> layer, energy, posterior;

  [[nodiscard]] std::string title() const {
    return "ρ = " + rho_text(rho) + ", c = " + significant(c, 3) + (runs.empty() ? "" : "\n" + legible(runs));
  }
};

/// The settings that bayes.csv tells of each synapse.
const std::set<std::string> kToldByBayesRow = {"rho", "c", "scale"};

/// Adds the synapses of a run. Those of which a sigma is no number above 0 are left out, and counted.
void add_pairs(const Run& run, std::map<std::tuple<double, double, std::string>, Pairs>& groups,
               Notes& left_out) {
  const Table table = read_table(run.folder / "bayes.csv",
                                 {"rho", "c", "layer", "sigma_energy", "sigma_posterior"}, left_out);
  const std::string protocol = run.protocol(kToldByBayesRow);
  std::size_t undrawable = 0;
  for (std::size_t row = 0; row < table.rows.size(); ++row) {
    const double rho = setting_value(table, row, "rho"), c = setting_value(table, row, "c", true);
    const double layer = setting_value(table, row, "layer");
    const double energy = value(table, row, "sigma_energy"), posterior = value(table, row, "sigma_posterior");
    // The square of a smaller one, or of its inverse, is no finite number above 0.
    constexpr double kLeast = 1e-150, kMost = 1e150;
    if (!(energy > kLeast && energy < kMost && posterior > kLeast && posterior < kMost)) {
      ++undrawable;
      continue;
    }
    Pairs& pairs = groups[{rho, c, protocol}];
    pairs.rho = rho, pairs.c = c;
    pairs.layer.push_back(layer);
    pairs.energy.push_back(energy);
    pairs.posterior.push_back(posterior);
  }
  if (undrawable > 0) {
    left_out.push_back(table.source + ": " + std::to_string(undrawable) +
                       " synapses, of which a sigma is empty or no number above 0 that can be squared");
  }
}

std::vector<Pairs> read_pairs(const std::vector<Run>& runs, Notes& left_out) {
  std::map<std::tuple<double, double, std::string>, Pairs> groups;
  for (const Run& run : runs) add_pairs(run, groups, left_out);
  std::map<std::pair<double, double>, std::size_t> protocols;
  for (const auto& [key, pairs] : groups) ++protocols[{pairs.rho, pairs.c}];
  const std::map<std::string, std::string> names = names_of_protocols(runs, kToldByBayesRow);
  std::vector<Pairs> result;
  result.reserve(groups.size());
  for (auto& [key, pairs] : groups) {
    if (protocols[{pairs.rho, pairs.c}] > 1) pairs.runs = names.at(std::get<2>(key));
    result.push_back(std::move(pairs));
  }
  return result;
}

Figure scatter_figure(const std::vector<Pairs>& all) {
  Figure figure{
      "fig7_synapses",
      "Sigma of energy-efficient synapses against sigma of the posterior, synapse by synapse",
      "Each point is a synapse that was trained twice, for energy efficiency and by variational Bayes. "
      "The dashed line is the theory's, with nothing fitted.",
      std::min<std::size_t>(all.size(), 4),
      {},
      false};
  const std::size_t count = points_per_cloud(all.size());
  for (const Pairs& pairs : all) {
    Panel panel{pairs.title(), {"σ of the posterior", true}, {"σ, energy-efficient", true}, {}};
    std::map<double, Series> layers;
    for (const std::size_t i : spread_indices(pairs.energy.size(), count)) {
      const double layer = pairs.layer[i];
      Series& series = layers[layer];
      series.label = "layer " + significant(layer);
      series.style = {
          Mark::dots,
          kLayerColours[static_cast<std::size_t>(std::min(layer, 1e6) - 1) % kLayerColours.size()],
          {}};
      series.x.push_back(pairs.posterior[i]);
      series.y.push_back(pairs.energy[i]);
    }
    for (auto& [layer, series] : layers) panel.series.push_back(std::move(series));
    const auto [low, high] = std::ranges::minmax(pairs.posterior);
    Series line = theory_line("theory", {Mark::dashed, Colour::black, {}}, pairs.rho, pairs.c, low, high);
    line.sets_range = false;
    panel.series.push_back(std::move(line));
    figure.panels.push_back(std::move(panel));
  }
  return figure;
}

Series ellipse(std::string label, Style style, double width, double height) {
  constexpr int kPoints = 72;
  Series series{std::move(label), style, {}, {}};
  for (int i = 0; i <= kPoints; ++i) {
    const double angle = 2 * std::numbers::pi * i / kPoints;
    series.x.push_back(width * std::cos(angle));
    series.y.push_back(height * std::sin(angle));
  }
  return series;
}

/// Two synapses of one layer, whose posterior sigma is at the 10 % and the 90 % quantile.
std::pair<std::size_t, std::size_t> two_synapses(const Pairs& pairs) {
  std::vector<std::size_t> order;
  const double layer = std::ranges::find(pairs.layer, 2.0) != pairs.layer.end() ? 2.0 : pairs.layer.front();
  for (std::size_t i = 0; i < pairs.layer.size(); ++i) {
    if (pairs.layer[i] == layer) order.push_back(i);
  }
  std::ranges::stable_sort(order, {}, [&](std::size_t i) { return pairs.posterior[i]; });
  return {order[order.size() / 10], order[order.size() * 9 / 10]};
}

Figure ellipse_figure(const std::vector<Pairs>& all) {
  Figure figure{
      "fig7a",
      "Figure 7a: two synapses under the posterior and under energy efficiency",
      "Contours of one standard deviation around the means of two weights, those at the 10 % and the 90 % "
      "quantile of the posterior's sigma in their layer.",
      std::min<std::size_t>(all.size(), 4),
      {},
      false};
  for (const Pairs& pairs : all) {
    const auto [one, other] = two_synapses(pairs);
    Panel panel{pairs.title(), {markup("w_1 - μ_1"), false}, {markup("w_2 - μ_2"), false}, {}};
    panel.square = true;
    if (figure.panels.empty()) panel.letter = "a";
    panel.series = {
        ellipse("posterior", {Mark::dashed, Colour::black, {}}, pairs.posterior[one], pairs.posterior[other]),
        ellipse("energy-efficient", {Mark::line, Colour::green, {}}, pairs.energy[one], pairs.energy[other])};
    const double reach = 1.1 * std::max({pairs.posterior[one], pairs.posterior[other], pairs.energy[one],
                                         pairs.energy[other]});
    panel.x.from = panel.y.from = -reach;
    panel.x.to = panel.y.to = reach;
    figure.panels.push_back(std::move(panel));
  }
  return figure;
}

/// What of bayes_summary.csv belongs beside the figures.
NumberTable summary_table(const std::vector<Run>& runs, Notes& left_out) {
  const std::vector<std::string> columns = {"rho",          "c",
                                            "layer",        "n",
                                            "slope",        "slope_low",
                                            "slope_high",   "spearman",
                                            "theory_slope", "posterior_slope",
                                            "elbo",         "bound",
                                            "gap",          "elbo_variational"};
  NumberTable table{
      "fig7_summary",
      "Energy efficiency beside variational Bayes: slope of ln sigma^2 on the posterior's, with 95 % "
      "interval, and the theory's; slope of 1/H on the posterior's variance (1 in theory); evidence "
      "lower bound (ELBO) and the bound by reliability cost, nats",
      columns,
      {}};
  table.columns.emplace_back("run");
  for (const Run& run : runs) {
    if (!run.holds("bayes_summary.csv")) continue;
    const Table summary = read_table(run.folder / "bayes_summary.csv", columns, left_out);
    for (std::size_t row = 0; row < summary.rows.size(); ++row) {
      std::vector<std::string> fields = {rho_text(value(summary, row, "rho"))};
      for (std::size_t i = 1; i < columns.size(); ++i) {
        fields.push_back(significant(value(summary, row, columns[i]), 5));
      }
      fields.push_back(run.name);
      table.rows.push_back(std::move(fields));
    }
  }
  return table;
}

}  // namespace

Section posterior_section(const std::vector<Run>& runs) {
  Section section{"Noise and the Bayesian posterior (figure 7)", {}, {}, {}, {}};
  const std::vector<Run> found = without_copies(with_file(runs, "bayes.csv"), section.left_out);
  if (found.empty()) {
    section.missing = {{"fig7a", "no folder holds a bayes.csv: ensyn bayes makes one"}};
    if (with_file(runs, "signatures.csv").empty()) return section;
  } else {
    const std::vector<Pairs> pairs = read_pairs(found, section.left_out);
    if (pairs.empty()) {
      section.missing = {{"fig7a", "bayes.csv holds no synapse that can be drawn"}};
    } else {
      section.figures = {ellipse_figure(pairs), scatter_figure(pairs)};
    }
    const NumberTable summary = summary_table(found, section.left_out);
    if (!summary.rows.empty()) section.tables.push_back(summary);
  }
  section.figures.push_back(theory_figure());
  section.only_theory = found.empty();
  return section;
}

}  // namespace ensyn::driver::report
