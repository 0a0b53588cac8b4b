#include "host/driver/signatures/signature_table.h"

#include <cmath>
#include <limits>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include "ensyn/theory.h"
#include "host/driver/files/npy.h"
#include "host/driver/files/text.h"
#include "host/driver/settings/advice.h"

namespace ensyn::driver {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

/// The slope that a theory predicts; none for what it says nothing of.
double slope_of(const theory::Slopes& slopes, Quantity quantity) {
  switch (quantity) {
    case Quantity::curvature:
    case Quantity::hessian:
      return slopes.curvature;
    case Quantity::learning_rate:
    case Quantity::learning_rate_rms:
      return slopes.learning_rate;
    case Quantity::input_rate:
      return slopes.input_rate;
    case Quantity::input_square:
      return slopes.input_square;
  }
  return kNone;
}

/// The exponent, where there is one: theory has no single slope for a sum of costs. The posterior is the
/// limit rho -> 0.
std::optional<double> single_rho(const NetworkConfig& network) {
  if (network.objective == Objective::energy && network.costs.size() == 1) return network.costs[0].rho;
  return std::nullopt;
}

void add_quantity(std::vector<std::string>& row, const LayerSignatures& layer, Quantity quantity,
                  const std::optional<double>& rho) {
  const std::optional<Relation> found = relation(layer, quantity);
  const auto add = [&](double value) { row.push_back(exact(value)); };
  add(found ? found->spearman : kNone);
  add(found ? found->log_log.slope : kNone);
  add(found ? found->log_log.slope_low : kNone);
  add(found ? found->log_log.slope_high : kNone);
  add(found ? found->log_log.r : kNone);
  row.push_back(found ? std::to_string(found->log_log.n) : "0");
  add(rho ? slope_of(theory::equilibrium_slopes(*rho), quantity) : kNone);
  add(rho ? slope_of(theory::unconverged_slopes(*rho), quantity) : kNone);
}

struct NamedMatrix {
  const char* name;
  const std::vector<double>* values;
};

/// `0.123 [0.1, 0.2]` of three columns; a dash without a value.
std::string interval(const Table& table, std::size_t row, const std::string& column) {
  const auto value = table.number(row, column);
  if (!value) return "-";
  return formatted("%.3f [%.3f, %.3f]", *value, table.number(row, column + "_low").value_or(kNone),
                   table.number(row, column + "_high").value_or(kNone));
}

std::string number(const Table& table, std::size_t row, const std::string& column, const char* format) {
  const auto value = table.number(row, column);
  return value ? formatted(format, *value) : "-";  // NOLINT(clang-diagnostic-format-nonliteral)
}

}  // namespace

Table empty_signature_table() {
  Table table{
      "signatures.csv",
      {"protocol", "rho", "c", "layer", "n", "sigma_median", "sigma_p05", "sigma_p95", "curvature_median"},
      {}};
  for (const Quantity quantity : kQuantities) {
    const std::string of(name(quantity));
    for (const char* what : {"spearman_", "slope_"}) table.columns.push_back(what + of);
    for (const char* end : {"_low", "_high"}) table.columns.push_back("slope_" + of + end);
    for (const char* what : {"r_", "n_", "equilibrium_slope_", "unconverged_slope_"}) {
      table.columns.push_back(what + of);
    }
  }
  for (const char* end : {"", "_p05", "_p95"}) {
    table.columns.push_back("fixed_point_ratio" + std::string(end));
  }
  return table;
}

void add_rows(Table& table, const std::string& protocol, const Signatures& signatures,
              const NetworkConfig& network) {
  const std::optional<double> rho = single_rho(network);
  for (std::size_t l = 0; l < signatures.layers.size(); ++l) {
    const LayerSignatures& layer = signatures.layers[l];
    std::vector<std::string> row{protocol, exact(rho.value_or(kNone)),
                                 exact(rho ? network.costs[0].c : kNone), std::to_string(l + 1),
                                 std::to_string(layer.sigma.size())};
    for (const double q : {0.5, 0.05, 0.95}) row.push_back(exact(quantile(layer.sigma, q)));
    row.push_back(exact(quantile(layer.curvature, 0.5)));
    for (const Quantity quantity : kQuantities) add_quantity(row, layer, quantity, rho);
    const std::vector<double> ratios = fixed_point_ratios(layer, signatures.training_examples, network);
    for (const double q : {0.5, 0.05, 0.95})
      row.push_back(exact(ratios.empty() ? kNone : quantile(ratios, q)));
    table.rows.emplace_back(std::move(row));
  }
}

void write_arrays(const std::filesystem::path& folder, const std::string& prefix,
                  const Signatures& signatures) {
  for (std::size_t l = 0; l < signatures.layers.size(); ++l) {
    const LayerSignatures& layer = signatures.layers[l];
    const auto outputs = static_cast<std::size_t>(layer.outputs),
               inputs = static_cast<std::size_t>(layer.inputs);
    const std::string start = prefix + "layer" + std::to_string(l + 1) + ".";
    for (const auto& [name, values] : {NamedMatrix{"sigma", &layer.sigma},
                                       {"mu", &layer.mu},
                                       {"curvature", &layer.curvature},
                                       {"hessian", &layer.hessian},
                                       {"mean_absolute_gradient", &layer.mean_absolute_gradient}}) {
      write_npy(folder / (start + name + ".npy"), *values, {outputs, inputs});
    }
    write_npy(folder / (start + "input_rate.npy"), layer.input_rate, {inputs});
    write_npy(folder / (start + "input_square.npy"), layer.input_square, {inputs});
  }
}

std::string signature_text(const Table& table) {
  std::string text;
  for (std::size_t row = 0; row < table.rows.size(); ++row) {
    text += formatted("%s, layer %s: %s synapses, sigma %s (5 to 95 %%: %s to %s), fixed point ratio %s\n",
                      table.text(row, "protocol").c_str(), table.text(row, "layer").c_str(),
                      table.text(row, "n").c_str(), number(table, row, "sigma_median", "%.4g").c_str(),
                      number(table, row, "sigma_p05", "%.4g").c_str(),
                      number(table, row, "sigma_p95", "%.4g").c_str(),
                      number(table, row, "fixed_point_ratio", "%.3g").c_str());
    const auto p05 = table.number(row, "sigma_p05"), p95 = table.number(row, "sigma_p95");
    if (p05 && p95 && !sigmas_differ(*p05, *p95)) {
      text += formatted("  no correlation and no slope: these sigmas agree to within %.0f %%; %s\n",
                        100 * (kLeastSigmaRatio - 1), kMoveSigma);
      continue;
    }
    text += formatted("  %-18s  %8s  %-24s  %11s  %11s\n", "sigma^2 against", "Spearman",
                      "log-log slope, 95 %", "equilibrium", "unconverged");
    for (const Quantity quantity : kQuantities) {
      const std::string of(name(quantity));
      text += formatted("  %-18s  %8s  %-24s  %11s  %11s\n", of.c_str(),
                        number(table, row, "spearman_" + of, "%.3f").c_str(),
                        interval(table, row, "slope_" + of).c_str(),
                        number(table, row, "equilibrium_slope_" + of, "%.3f").c_str(),
                        number(table, row, "unconverged_slope_" + of, "%.3f").c_str());
    }
  }
  return text;
}

}  // namespace ensyn::driver
