/// \file
/// Figure 5 and appendices 5 and 6: sigma^2 of each synapse against curvature, learning rate and input rate.
#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "ensyn/signatures.h"
#include "host/driver/files/text.h"
#include "host/driver/report/section.h"
#include "host/driver/report/signatures.h"
#include "host/driver/report/synapses.h"
#include "host/driver/settings/advice.h"

namespace ensyn::driver::report {
namespace {

/// What a figure's rows show: as the paper has it, and at the equilibrium, where the curvature that counts is
/// that of the loss averaged over the noise.
constexpr std::array<std::size_t, 3> kPublished = {0, 1, 2}, kEquilibrium = {kHessian, 1, 2};

/// Of the rows.
constexpr std::array kLetters = {"a", "b", "c"};

/// A line of a log-log slope through the middle of a cloud, over the range of its x.
struct Middle {
  double x = 0, y = 0;  ///< means of the natural logarithms
  double first = 0, last = 0;

  explicit Middle(const Cloud& cloud) {
    const auto count = static_cast<double>(cloud.x.size());
    for (std::size_t i = 0; i < cloud.x.size(); ++i) {
      x += std::log(cloud.x[i]) / count;
      y += std::log(cloud.variance[i]) / count;
    }
    const auto [low, high] = std::ranges::minmax(cloud.x);
    first = low;
    last = high;
  }

  [[nodiscard]] Series line(std::string label, Style style, double slope) const {
    Series series{std::move(label), style, {first, last}, {}};
    for (const double place : series.x) series.y.push_back(std::exp(y + slope * (std::log(place) - x)));
    series.sets_range = false;
    return series;
  }
};

Series dots(const Cloud& cloud, std::string label, Colour colour, std::size_t count) {
  Series series{std::move(label), {Mark::dots, colour, Symbol::circle}, {}, {}};
  for (const std::size_t i : spread_indices(cloud.x.size(), count)) {
    series.x.push_back(cloud.x[i]);
    series.y.push_back(cloud.variance[i]);
  }
  return series;
}

std::string panel_title(const SignatureRun& run, std::size_t layer, const Quantity& quantity) {
  const std::string title = "ρ = " + rho_text(run.rho) + "\n", of = quantity.name;
  const double slope = relation_value(run, layer, "slope_" + of);
  if (!std::isfinite(slope)) return title + (sigmas_differ(run, layer) ? "no slope" : "sigmas hardly differ");
  return title + "slope " + fixed(slope, 2) + ", Spearman " +
         fixed(relation_value(run, layer, "spearman_" + of), 2);
}

Panel panel_of(const SignatureRun& run, std::size_t layer, std::size_t quantity, std::size_t count) {
  const Quantity& what = kQuantities[quantity];
  Panel panel{panel_title(run, layer, what), {markup(what.label), true}, {markup("σ^2"), true}, {}};
  const Cloud cloud = read_cloud(run, layer, quantity);
  if (cloud.x.empty()) return panel;
  panel.series.push_back(dots(cloud, "synapses", Colour::sky_blue, count));
  if (!sigmas_differ(run, layer)) return panel;
  const Middle middle(cloud);
  const auto add = [&](const char* label, Style style, const char* kind) {
    const double slope = value(run.table, layer - 1, kind + std::string(what.name));
    if (std::isfinite(slope)) panel.series.push_back(middle.line(label, style, slope));
  };
  add("theory, at the stationary point", {Mark::dashed, Colour::vermilion, {}}, "equilibrium_slope_");
  add("theory, sigma still rising", {Mark::dotted, Colour::blue, {}}, "unconverged_slope_");
  add("least squares", {Mark::line, Colour::black, {}}, "slope_");
  return panel;
}

/// Which runs have no slopes in the figure, and why; empty where all have.
std::string alike_note(const std::vector<const SignatureRun*>& runs, std::size_t layer) {
  std::string rhos;
  for (const SignatureRun* run : runs) {
    if (!sigmas_differ(*run, layer)) rhos += (rhos.empty() ? "" : ", ") + rho_text(run->rho);
  }
  if (rhos.empty()) return "";
  return " Without slope and correlation: rho = " + rhos + ", whose sigmas agree to within " +
         fixed(100 * (kLeastSigmaRatio - 1), 0) +
         " %, since they have hardly moved from where they started or "
         "have all moved alike; " +
         kMoveSigma + ".";
}

/// Rows are the quantities, columns the runs.
Figure figure_of(const std::vector<const SignatureRun*>& runs, std::size_t layer,
                 const std::array<std::size_t, 3>& quantities, std::string name, std::string title) {
  Figure figure{std::move(name), std::move(title), "", runs.size(), {}};
  const std::size_t count = points_per_cloud(runs.size() * quantities.size());
  figure.caption =
      "Each point is a synapse, at most " + std::to_string(count) +
      " of a layer, chosen without regard to their values; slopes and rank correlations are of all. "
      "The theory's lines have its slope and pass through the middle of the cloud. Curvature is the "
      "mean squared gradient per example, learning rate 1e-4 over the mean absolute gradient.";
  figure.caption += alike_note(runs, layer);
  for (std::size_t row = 0; row < quantities.size(); ++row) {
    for (const SignatureRun* run : runs) {
      figure.panels.push_back(panel_of(*run, layer, quantities[row], count));
      if (run == runs.front()) figure.panels.back().letter = kLetters[row];
    }
  }
  return figure;
}

/// Several c of one exponent in each panel.
Figure figure_of_costs(const std::vector<std::vector<const SignatureRun*>>& columns, std::size_t layer) {
  constexpr std::array kColours = {Colour::sky_blue, Colour::orange, Colour::purple, Colour::green};
  constexpr std::array kNames = {"smallest c", "second c", "third c", "fourth c"};
  Figure figure{"app6_c",
                "Appendix 6, figure 2: synapses at several weights of the reliability cost",
                "As figure 5, layer " + std::to_string(layer) + "; colours are values of c, told below.",
                columns.size(),
                {}};
  std::size_t clouds = 0;
  for (const auto& runs : columns) clouds += std::min(runs.size(), kColours.size()) * kPublished.size();
  for (std::size_t row = 0; row < kPublished.size(); ++row) {
    const std::size_t quantity = kPublished[row];
    for (const auto& runs : columns) {
      Panel panel{"ρ = " + rho_text(runs.front()->rho),
                  {markup(kQuantities[quantity].label), true},
                  {markup("σ^2"), true},
                  {}};
      if (&runs == &columns.front()) panel.letter = kLetters[row];
      for (std::size_t i = 0; i < std::min(runs.size(), kColours.size()); ++i) {
        const Cloud cloud = read_cloud(*runs[i], layer, quantity);
        panel.series.push_back(dots(cloud, kNames[i], kColours[i], points_per_cloud(clouds)));
      }
      figure.panels.push_back(std::move(panel));
    }
  }
  for (const auto& runs : columns) {
    figure.caption += " rho = " + rho_text(runs.front()->rho) + ": c =";
    for (const SignatureRun* run : runs) figure.caption += " " + significant(run->c, 3);
    figure.caption += ".";
  }
  return figure;
}

/// The runs of one depth, by exponent; of each exponent those of ascending c.
std::vector<std::vector<const SignatureRun*>> by_exponent(const std::vector<SignatureRun>& runs,
                                                          std::size_t layers, const std::string& prefix) {
  std::map<double, std::vector<const SignatureRun*>> groups;
  for (const SignatureRun& run : runs) {
    auto& group = groups[run.rho];
    // Of several with one c, which differ in their seed, the first is drawn; the tables have all.
    if (run.layers == layers && run.prefix == prefix && (group.empty() || group.back()->c != run.c))
      group.push_back(&run);
  }
  std::vector<std::vector<const SignatureRun*>> result;
  for (auto& [rho, group] : groups) {
    if (!group.empty()) result.push_back(std::move(group));
  }
  return result;
}

/// Which runs the figures show of those that differ in neither exponent, cost nor depth; empty where there
/// are none.
std::string choice_note(const std::vector<SignatureRun>& runs) {
  std::map<std::tuple<std::string, std::size_t, double, double>, std::vector<const SignatureRun*>> groups;
  for (const SignatureRun& run : runs) groups[{run.prefix, run.layers, run.rho, run.c}].push_back(&run);
  std::set<std::string> shown;
  for (const auto& [key, group] : groups) {
    if (group.size() > 1) shown.insert(group.front()->run.name);
  }
  std::string names;
  for (const std::string& name : shown) names += (names.empty() ? "" : ", ") + name;
  if (names.empty()) return "";
  return "Of several runs with one rho, c and depth the figures show the first, and the tables all: " +
         names + ".";
}

std::string title_of(std::size_t layer, std::size_t layers) {
  const std::string number = "layer " + std::to_string(layer);
  if (layers == 1) return "Appendix 5: synapses of a network without hidden layer";
  if (layer == 1) return "Appendix 6, figure 1: synapses of " + number + ", inputs to hidden";
  if (layer == layers) return "Appendix 6, figure 1: synapses of " + number + ", hidden to outputs";
  return "Figure 5: synapses of " + number + ", hidden to hidden";
}

std::string name_of(std::size_t layer, std::size_t layers) {
  if (layers == 1) return "app5";
  const std::string inner = layer == 1 || layer == layers ? "app6_layer" : "fig5_layer";
  // The paper's depth keeps the short names.
  return inner + std::to_string(layer) + (layers == 3 ? "" : "of" + std::to_string(layers));
}

void add_equilibrium(Section& section, const std::vector<std::vector<const SignatureRun*>>& columns,
                     std::size_t layers) {
  if (columns.empty()) return;
  std::vector<const SignatureRun*> middle;
  middle.reserve(columns.size());
  for (const auto& group : columns) middle.push_back(group[group.size() / 2]);
  for (std::size_t layer = 1; layer <= layers; ++layer) {
    section.figures.push_back(figure_of(middle, layer, kEquilibrium, "equilibrium_" + name_of(layer, layers),
                                        "At the equilibrium of sigma, layer " + std::to_string(layer)));
    section.figures.back().caption += " E[H] is the diagonal of the loss's Hessian averaged over the noise.";
  }
}

void add_figures(Section& section, const std::vector<SignatureRun>& runs, std::size_t layers) {
  const auto columns = by_exponent(runs, layers, "");
  std::vector<const SignatureRun*> middle;
  bool several = false;
  for (const auto& group : columns) {
    middle.push_back(group[group.size() / 2]);
    several = several || group.size() > 1;
  }
  std::vector<std::size_t> order;
  for (std::size_t layer = 2; layer < layers; ++layer) order.push_back(layer);
  order.push_back(1);
  if (layers > 1) order.push_back(layers);
  for (const std::size_t layer : order) {
    section.figures.push_back(
        figure_of(middle, layer, kPublished, name_of(layer, layers), title_of(layer, layers)));
  }
  add_equilibrium(section, by_exponent(runs, layers, "equilibrium."), layers);
  if (layers != 3 || !several) return;
  auto compared = columns;
  std::erase_if(compared, [](const auto& group) { return group.size() < 2; });
  section.figures.push_back(figure_of_costs(compared, 2));
}

}  // namespace

Section signatures_section(const std::vector<Run>& runs, const Reference& reference) {
  Section section{"Signatures of Bayesian inference (figure 5, appendices 5 and 6)", {}, {}, {}, {}};
  const std::string how = ": ensyn signatures makes one";
  const std::vector<SignatureRun> found = read_signature_runs(
      without_copies(with_file(runs, "signatures.csv"), section.left_out), section.left_out);
  if (found.empty()) {
    section.missing = {{"fig5, app5, app6", "no folder holds a signatures.csv of one rho" + how}};
    return section;
  }
  std::set<std::size_t> depths;
  for (const SignatureRun& run : found) depths.insert(run.layers);
  for (const std::size_t layers : depths) add_figures(section, found, layers);
  if (!depths.contains(3)) section.missing.push_back({"fig5, app6", "no run has two hidden layers" + how});
  if (!depths.contains(1)) section.missing.push_back({"app5", "no run has --hidden none" + how});
  const std::string note = departure_note(with_file(runs, "signatures.csv"));
  if (!note.empty()) section.paragraphs.push_back(note);
  const std::string choice = choice_note(found);
  if (!choice.empty()) section.paragraphs.push_back(choice);
  const bool beside_published =
      std::ranges::all_of(found, [](const SignatureRun& run) { return is_on_mnist(run.run); });
  section.tables = signature_tables(found, beside_published ? reference : Reference(), beside_published);
  section.findings = signature_findings(found);
  return section;
}

}  // namespace ensyn::driver::report
