/// \file
/// Figures 2 and 3: what reliability costs in accuracy.
#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <map>
#include <set>
#include <utility>

#include "host/driver/files/text.h"
#include "host/driver/report/axes.h"
#include "host/driver/report/curves.h"
#include "host/driver/report/section.h"
#include "host/driver/report/tradeoff.h"

namespace ensyn::driver::report {
namespace {

/// 784-100-100-10 without biases.
constexpr double kPaperWeights = 89400;
constexpr const char* kReliabilitySum = "reliability_sum_sigma_pow_minus_rho_over_rho";

Style style_of(const std::string& noise) {
  static const std::map<std::string, Style> kStyles = {
      {"heterogeneous", {Mark::line_points, Colour::green, Symbol::circle}},
      {"homogeneous", {Mark::line_points, Colour::grey, Symbol::square}},
      {"per_layer", {Mark::line_points, Colour::orange, Symbol::triangle}},
      {"per_neuron", {Mark::line_points, Colour::blue, Symbol::inverted_triangle}},
  };
  const auto style = kStyles.find(noise);
  return style == kStyles.end() ? Style{Mark::line_points, Colour::purple, Symbol::diamond} : style->second;
}

std::string label_of(const Curve& curve) {
  std::string noise = curve.noise;
  std::ranges::replace(noise, '_', ' ');
  return noise + (curve.variant.empty() ? "" : " (" + curve.variant + ")");
}

/// One look for each curve: its noise's, and where settings or runs differ another symbol and colour for each
/// further one.
Style style_of(const Curve& curve, const std::vector<Curve>& all) {
  constexpr std::array kColours = {Colour::vermilion, Colour::sky_blue, Colour::purple, Colour::orange,
                                   Colour::blue,      Colour::yellow,   Colour::black};
  constexpr std::array kSymbols = {Symbol::diamond, Symbol::triangle, Symbol::square,
                                   Symbol::inverted_triangle, Symbol::circle};
  std::set<std::string> labels;  // of the curves that do not have their noise's look
  std::map<std::string, std::string> first;
  for (const Curve& one : all) {
    if (first.try_emplace(one.noise, label_of(one)).first->second != label_of(one))
      labels.insert(label_of(one));
  }
  Style style = style_of(curve.noise);
  const auto found = labels.find(label_of(curve));
  if (found == labels.end()) return style;
  const auto index = static_cast<std::size_t>(std::distance(labels.begin(), found));
  style.colour = kColours[index % kColours.size()];
  style.symbol = kSymbols[index % kSymbols.size()];
  return style;
}

using Value = Estimate CurvePoint::*;

/// A curve of `y` against `x`, and its band over seeds where there is one.
void add_curve(std::vector<Series>& series, const Curve& curve, const Style& style,
               const std::vector<double>& x, Value y) {
  Series line{label_of(curve), style, x, {}};
  Series band{label_of(curve) + ", 95 % interval", {Mark::band, line.style.colour, {}}, x, {}};
  for (const CurvePoint& point : curve.points) {
    // No accuracy is beyond 0 or 100 %, whatever the interval about a mean says.
    const bool percent = y == &CurvePoint::accuracy;
    const auto& [mean, low, high] = point.*y;
    line.y.push_back(mean);
    band.low.push_back(percent ? std::max(low, 0.0) : low);
    band.high.push_back(percent ? std::min(high, 100.0) : high);
  }
  series.insert(series.begin(), std::move(band));
  series.push_back(std::move(line));
}

Series published_points(const std::string& noise, std::vector<double> x, std::vector<double> y) {
  Style style = style_of(noise);
  style.mark = Mark::open_points;
  return {noise + ", published", style, std::move(x), std::move(y)};
}

std::vector<double> exponents(const std::vector<Curve>& curves) {
  std::set<double> rho;
  for (const Curve& curve : curves) rho.insert(curve.rho);
  return {rho.begin(), rho.end()};
}

/// Fills a row of panels, one per exponent, from each curve and from what was published.
class Row {
 public:
  Row(const std::vector<Curve>& curves, const Reference& reference)
      : curves_(curves), reference_(reference) {}

  /// \param x of a curve's point \param published_x, published_y of the published networks
  template <class X, class PublishedX, class PublishedY>
  void add(Figure& figure, const char* letter, const Axis& x_axis, const Axis& y_axis, const X& x, Value y,
           const PublishedX& published_x, const PublishedY& published_y) const {
    for (const double rho : exponents(curves_)) {
      Panel panel{"ρ = " + rho_text(rho), x_axis, y_axis, {}};
      if (rho == exponents(curves_).front()) panel.letter = letter;
      std::set<std::string> kinds;
      for (const Curve& curve : curves_) {
        if (curve.rho != rho) continue;
        std::vector<double> places;
        for (const CurvePoint& point : curve.points) places.push_back(x(curve, point));
        add_curve(panel.series, curve, style_of(curve, curves_), places, y);
        kinds.insert(curve.noise);
      }
      for (const std::string& noise : kinds) {
        const Published found = published(reference_, rho, noise);
        panel.series.push_back(published_points(noise, published_x(rho, found), published_y(rho, found)));
      }
      figure.panels.push_back(std::move(panel));
    }
  }

 private:
  const std::vector<Curve>& curves_;
  const Reference& reference_;
};

std::vector<double> costs_at(double rho, const std::vector<double>& sigma) {
  std::vector<double> cost;
  cost.reserve(sigma.size());
  for (const double value : sigma) cost.push_back(std::pow(value, -rho) / rho);
  return cost;
}

const Axis kAccuracy{"test accuracy (%)", false, 0.0, 102.0};
const auto kPublishedC = [](double, const Published& found) { return found.c; };
const auto kPublishedSigma = [](double, const Published& found) { return found.sigma; };
const auto kPublishedAccuracy = [](double, const Published& found) { return found.accuracy; };
const auto kPublishedMeanCost = [](double, const Published& found) { return found.cost; };
const auto kPublishedCost = [](double rho, const Published& found) { return costs_at(rho, found.sigma); };
const auto kC = [](const Curve&, const CurvePoint& point) { return point.c > 0 ? point.c : kNone; };
const auto kSigma = [](const Curve&, const CurvePoint& point) { return point.sigma.mean; };

Figure figure2(const std::vector<Curve>& curves, const Reference& reference) {
  Figure figure{
      "fig2",
      "Figure 2: accuracy and noise against the weight of the reliability cost",
      "Above, test accuracy with one draw of the weights per minibatch; below, the root mean square of "
      "sigma over the weights; columns are the exponents rho of the cost c * sum sigma^-rho. Shaded: 95 % "
      "interval of the mean over seeds, where there "
      "is more than one.",
      exponents(curves).size(),
      {}};
  if (reference.tradeoff) figure.caption += " Open markers are the published networks.";
  const Row row(curves, reference);
  const Axis c{"cost weight c", true};
  row.add(figure, "a", c, kAccuracy, kC, &CurvePoint::accuracy, kPublishedC, kPublishedAccuracy);
  row.add(figure, "b", c, {"RMS σ", true}, kC, &CurvePoint::sigma, kPublishedC, kPublishedSigma);
  return figure;
}

/// The lines (1/rho) sigma^-rho over the panels of a row.
void add_cost_lines(Figure& figure, std::size_t first, const std::vector<double>& rho) {
  for (std::size_t column = 0; column < rho.size(); ++column) {
    Panel& panel = figure.panels[first + column];
    const Ranges ranges = ranges_of(figure, first + column);
    const std::vector<double> ends = {ranges.x.from, ranges.x.to};
    Series line{markup("σ^{-ρ}/ρ"), {Mark::dashed, Colour::black, {}}, ends, costs_at(rho[column], ends)};
    line.sets_range = false;
    panel.series.insert(panel.series.begin(), std::move(line));
  }
}

/// The paper's axis, or as far down as the curves go below it.
Axis cost_axis(const char* label, const std::vector<Curve>& curves) {
  constexpr double kLow = 0.3, kHigh = 300;
  Axis axis{label, true, kLow, kHigh};
  for (const Curve& curve : curves) {
    for (const CurvePoint& point : curve.points) {
      if (curve.published_cost(point) < kLow) axis.from.reset();
    }
  }
  return axis;
}

bool has_true_cost(const std::vector<Curve>& curves) {
  return std::ranges::any_of(curves, [](const Curve& curve) {
    return std::ranges::any_of(curve.points, [](const CurvePoint& p) { return std::isfinite(p.cost.mean); });
  });
}

Figure figure3(const std::vector<Curve>& curves, const Reference& reference) {
  const std::vector<double> rho = exponents(curves);
  Figure figure{
      "fig3",
      "Figure 3: accuracy, noise and the energy spent on reliability",
      "First row: accuracy against the root mean square of sigma. Second: reliability cost per synapse "
      "(s = 1), the mean over the weights of sigma^-rho / rho, against the same; the dashed line is the "
      "cost of a synapse with just that sigma. Third: accuracy against "
      "that cost at the root mean square of sigma, as published. Fourth: accuracy against the true mean "
      "cost, which is higher where sigmas differ.",
      rho.size(),
      {}};
  const Row row(curves, reference);
  const Axis sigma{"RMS σ", true};
  const Axis cost{"cost per synapse", true};
  row.add(figure, "a", sigma, kAccuracy, kSigma, &CurvePoint::accuracy, kPublishedSigma, kPublishedAccuracy);
  if (has_true_cost(curves)) {
    row.add(figure, "b", sigma, cost, kSigma, &CurvePoint::cost, kPublishedSigma, kPublishedMeanCost);
    add_cost_lines(figure, rho.size(), rho);
  }
  const auto at_rms = [](const Curve& curve, const CurvePoint& point) { return curve.published_cost(point); };
  row.add(figure, has_true_cost(curves) ? "c" : "b", cost_axis("cost per synapse at RMS σ", curves),
          kAccuracy, at_rms, &CurvePoint::accuracy, kPublishedCost, kPublishedAccuracy);
  if (has_true_cost(curves)) {
    const auto true_cost = [](const Curve&, const CurvePoint& point) { return point.cost.mean; };
    row.add(figure, "d", cost_axis("mean cost per synapse", curves), kAccuracy, true_cost,
            &CurvePoint::accuracy, kPublishedMeanCost, kPublishedAccuracy);
  }
  return figure;
}

}  // namespace

Published published(const Reference& reference, double rho, const std::string& noise) {
  Published result;
  if (!reference.tradeoff) return result;
  const Table& table = *reference.tradeoff;
  for (std::size_t row = 0; row < table.rows.size(); ++row) {
    if (table.text(row, "noise") != noise || std::abs(value(table, row, "rho") - rho) > 1e-6) continue;
    result.c.push_back(value(table, row, "c"));
    result.accuracy.push_back(value(table, row, "accuracy_single_sample_percent"));
    result.sigma.push_back(value(table, row, "sigma_rms"));
    result.cost.push_back(value(table, row, kReliabilitySum) / kPaperWeights);
  }
  return result;
}

Section tradeoff_section(const std::vector<Run>& runs, const Reference& given) {
  Section section{"Accuracy against reliability (figures 2 and 3)", {}, {}, {}, {}};
  const std::vector<Run> sweeps = with_file(runs, "sweep.csv");
  if (sweeps.empty()) {
    section.missing = {{"fig2", "no folder holds a sweep.csv: ensyn sweep makes one"},
                       {"fig3", "no folder holds a sweep.csv: ensyn sweep makes one"}};
    return section;
  }
  const std::vector<Curve> curves = read_curves(sweeps, section.left_out);
  if (curves.empty()) {
    section.missing = {{"fig2", "sweep.csv holds no network yet"},
                       {"fig3", "sweep.csv holds no network yet"}};
    return section;
  }
  const bool beside_published = std::ranges::all_of(sweeps, is_on_mnist);
  const Reference reference = beside_published ? given : Reference();
  section.findings = tradeoff_findings(curves);
  const std::string note = departure_note(sweeps);
  if (!note.empty()) section.paragraphs.push_back(note);
  section.figures = {figure2(curves, reference), figure3(curves, reference)};
  if (!has_true_cost(curves)) {
    section.missing.push_back(
        {"fig3, panels with the true cost",
         "the number of weights is not known: the data set is none of ensyn's own and no "
         "network is homogeneous"});
  }
  section.tables = tradeoff_tables(curves, reference, beside_published);
  return section;
}

}  // namespace ensyn::driver::report
