#include <cmath>
#include <optional>

#include "ensyn/theory.h"
#include "host/driver/report/section.h"
#include "host/driver/report/signatures.h"

namespace ensyn::driver::report {
namespace {

// How far an independent run of the paper's protocol may be off: what differs between seeds and settings.
constexpr double kSigmaFirstLayer = 0.12, kSigmaOtherLayers = 0.05;  ///< relative, of the median
/// Of slopes and rank correlations against curvature. From rho = 4/3 on gradients are dominated by rare
/// spikes: the slope varies more, and of the rank correlation only a bound holds.
constexpr double kSmallRho = 0.06, kLargeRhoSlope = 0.17, kLargeRhoSpearman = -0.6;

/// The row of the published numbers of a layer, where they are of the same cost: s = 0.001.
std::optional<std::size_t> published_row(const Reference& reference, const SignatureRun& run,
                                         std::size_t layer) {
  if (!reference.signatures || run.layers != 3 || !run.prefix.empty()) return std::nullopt;
  if (std::abs(run.c / theory::cost_weight(run.rho, 1e-3) - 1) > 0.01) return std::nullopt;
  const Table& table = *reference.signatures;
  for (std::size_t row = 0; row < table.rows.size(); ++row) {
    const bool same = std::abs(value(table, row, "rho") - run.rho) < 1e-3 &&
                      value(table, row, "layer") == static_cast<double>(layer);
    if (same) return row;
  }
  return std::nullopt;
}

double published(const Reference& reference, const std::optional<std::size_t>& row, const std::string& name) {
  return row && reference.signatures->has(name) ? value(*reference.signatures, *row, name) : kNone;
}

std::string protocol_of(const SignatureRun& run) {
  return run.prefix.empty() ? "published" : "equilibrium";
}

std::string yes_no(bool known, bool met) {
  return !known ? "" : met ? "yes" : "no";
}

NumberTable level_table(const std::vector<SignatureRun>& runs, const Reference& reference) {
  NumberTable table{
      "fig5_levels",
      "Median sigma, with the range of 90 % of the synapses, and median curvature (mean squared "
      "gradient per example)",
      {"protocol", "rho", "c", "layer", "synapses", "sigma", "5 %", "95 %", "published", "difference %",
       "within", "curvature", "published curvature", "run"},
      {},
      ". A published median sigma counts as met within 12 % (layer 1) or 5 %"};
  for (const SignatureRun& run : runs) {
    for (std::size_t layer = 1; layer <= run.layers; ++layer) {
      const auto known = published_row(reference, run, layer);
      const auto own = [&](const char* name) { return value(run.table, layer - 1, name); };
      const double sigma = published(reference, known, "sigma_median");
      const double difference = own("sigma_median") / sigma - 1;
      const double tolerance = layer == 1 ? kSigmaFirstLayer : kSigmaOtherLayers;
      table.rows.push_back({protocol_of(run), rho_text(run.rho), significant(run.c, 3), std::to_string(layer),
                            fixed(own("n"), 0), significant(own("sigma_median")),
                            significant(own("sigma_p05")), significant(own("sigma_p95")), significant(sigma),
                            fixed(100 * difference, 1),
                            yes_no(known.has_value(), std::abs(difference) <= tolerance),
                            significant(own("curvature_median"), 3),
                            significant(published(reference, known, "curvature_median"), 3), run.run.name});
    }
  }
  return table;
}

/// Whether what was found agrees with what was published: the sign, and against curvature the size.
bool agrees(double rho, const std::string& quantity, double slope, double known_slope, double spearman,
            double known_spearman) {
  if (!(slope * known_slope > 0) || !(spearman * known_spearman > 0)) return false;
  if (quantity != "curvature") return true;
  if (rho < 1) {
    return std::abs(slope - known_slope) <= kSmallRho && std::abs(spearman - known_spearman) <= kSmallRho;
  }
  return std::abs(slope - known_slope) <= kLargeRhoSlope && spearman <= kLargeRhoSpearman;
}

std::vector<std::string> slope_row(const SignatureRun& run, std::size_t layer, const std::string& quantity,
                                   const Reference& reference) {
  const auto known = published_row(reference, run, layer);
  const auto own = [&](const std::string& name) { return value(run.table, layer - 1, name); };
  const auto related = [&](const std::string& name) { return relation_value(run, layer, name); };
  const double slope = related("slope_" + quantity), spearman = related("spearman_" + quantity);
  const double known_slope = published(reference, known, "slope_" + quantity);
  const double known_spearman = published(reference, known, "spearman_" + quantity);
  return {protocol_of(run),
          rho_text(run.rho),
          significant(run.c, 3),
          std::to_string(layer),
          quantity,
          fixed(spearman, 3),
          fixed(known_spearman, 3),
          fixed(slope, 3),
          fixed(related("slope_" + quantity + "_low"), 3),
          fixed(related("slope_" + quantity + "_high"), 3),
          fixed(known_slope, 3),
          yes_no(std::isfinite(known_slope) && std::isfinite(slope),
                 agrees(run.rho, quantity, slope, known_slope, spearman, known_spearman)),
          fixed(own("equilibrium_slope_" + quantity), 3),
          fixed(own("unconverged_slope_" + quantity), 3),
          run.run.name};
}

NumberTable slope_table(const std::vector<SignatureRun>& runs, const Reference& reference) {
  NumberTable table{
      "fig5_slopes",
      "Rank correlation and log-log slope of sigma^2, with 95 % interval, beside the theory's slopes at the "
      "stationary point and while sigma still rises; none where sigmas hardly differ",
      {"protocol", "rho", "c", "layer", "against", "Spearman", "published", "slope", "low", "high",
       "published slope", "within", "theory, stationary", "theory, rising", "run"},
      {},
      ". Published numbers count as met when the signs agree and, against curvature, slope and correlation "
      "are within 0.06 (rho below 1), or the slope within 0.17 and the correlation below -0.6"};
  for (const SignatureRun& run : runs) {
    for (std::size_t layer = 1; layer <= run.layers; ++layer) {
      for (const Quantity& quantity : kQuantities) {
        table.rows.push_back(slope_row(run, layer, quantity.name, reference));
      }
    }
  }
  return table;
}

}  // namespace

std::vector<NumberTable> signature_tables(const std::vector<SignatureRun>& runs, const Reference& reference,
                                          bool beside_published) {
  std::vector<NumberTable> tables = {level_table(runs, reference), slope_table(runs, reference)};
  if (!beside_published) {
    for (NumberTable& table : tables) drop_published(table);
  }
  return tables;
}

}  // namespace ensyn::driver::report
