#include "host/driver/bayes/bayes_tables.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "host/driver/bayes/bayes_bound.h"

namespace ensyn::driver {
namespace {

constexpr std::size_t kMostSynapses = 10000;
/// What sigma^2 of the energy-efficient network is set against. Not `kQuantities`, which is the library's.
constexpr Quantity kCompared[] = {Quantity::hessian, Quantity::learning_rate, Quantity::input_rate,
                                  Quantity::input_square};

using Numbers = std::vector<double>;

/// One layer of an energy-efficient network and of the variational one.
struct Pair {
  const LayerSignatures& energy;
  const LayerSignatures& posterior;
  double examples;  ///< N

  /// Per summed data set.
  [[nodiscard]] double hessian(std::size_t i) const { return examples * posterior.hessian[i]; }
  [[nodiscard]] double hessian_energy(std::size_t i) const { return examples * energy.hessian[i]; }
};

Pair pair_of(std::span<const BayesNetwork> networks, const BayesNetwork& network, std::size_t layer) {
  const Signatures& posterior = networks.front().signatures;
  return {network.signatures.layers[layer], posterior.layers[layer],
          static_cast<double>(posterior.training_examples)};
}

struct Fit {
  Regression regression;
  double spearman;
};

/// Of the logarithms of squares and their like, where both are above 0 and finite; nothing where too few are,
/// or all are one.
std::optional<Fit> fit_logs(const Numbers& x, const Numbers& y) {
  Numbers log_x, log_y;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double a = std::log(x[i]), b = std::log(y[i]);
    if (!std::isfinite(a) || !std::isfinite(b)) continue;
    log_x.push_back(a);
    log_y.push_back(b);
  }
  const auto is_constant = [](const Numbers& values) {
    return std::ranges::all_of(values, [&](double value) { return value == values.front(); });
  };
  if (log_x.size() < 3 || is_constant(log_x) || is_constant(log_y)) return std::nullopt;
  return Fit{regress(log_x, log_y), spearman(log_x, log_y)};
}

/// A row under construction, field by field with its column's name.
class Row {
 public:
  void add(const std::string& column, std::string text) {
    columns.push_back(column);
    fields.push_back(std::move(text));
  }
  void add(const std::string& column, double value) { add(column, exact(value)); }
  void add_slope(const std::string& column, const Regression* regression) {
    add(column, regression != nullptr ? exact(regression->slope) : "");
    add(column + "_low", regression != nullptr ? exact(regression->slope_low) : "");
    add(column + "_high", regression != nullptr ? exact(regression->slope_high) : "");
  }

  std::vector<std::string> columns, fields;
};

double theory_slope(const theory::Slopes& slopes, Quantity quantity) {
  switch (quantity) {
    case Quantity::learning_rate:
      return slopes.learning_rate;
    case Quantity::input_rate:
      return slopes.input_rate;
    case Quantity::input_square:
      return slopes.input_square;
    default:
      return slopes.curvature;
  }
}

void add_relations(Row& row, const Pair& pair, double rho) {
  Numbers energy, posterior, inverse_hessian;
  for (std::size_t i = 0; i < pair.energy.sigma.size(); ++i) {
    energy.push_back(pair.energy.sigma[i] * pair.energy.sigma[i]);
    posterior.push_back(pair.posterior.sigma[i] * pair.posterior.sigma[i]);
    inverse_hessian.push_back(1 / pair.hessian(i));
  }
  const theory::Slopes slopes = theory::equilibrium_slopes(rho);
  std::optional<Fit> main, check;
  if (sigmas_differ(pair.posterior.sigma)) {
    check = fit_logs(posterior, inverse_hessian);
    if (sigmas_differ(pair.energy.sigma)) main = fit_logs(posterior, energy);
  }
  row.add_slope("slope", main ? &main->regression : nullptr);
  row.add("spearman", main ? exact(main->spearman) : "");
  row.add("theory_slope", slopes.posterior);
  row.add_slope("posterior_slope", check ? &check->regression : nullptr);
  for (const Quantity quantity : kCompared) {
    const std::string column = std::string(name(quantity)) + "_slope";
    const auto found = relation(pair.energy, quantity);
    row.add_slope(column, found ? &found->log_log : nullptr);
    row.add("theory_" + column, theory_slope(slopes, quantity));
  }
}

void add_gaps(Row& row, const LayerSignatures& layer, double rho, double s) {
  Numbers gaps;
  double magnitude = 0, expected = 0;
  for (std::size_t i = 0; i < layer.sigma.size(); ++i) {
    gaps.push_back(theory::bound_gap(layer.sigma[i], rho, s));
    magnitude += std::fabs(layer.mu[i]);
    expected += theory::expected_magnitude(layer.mu[i], layer.sigma[i]);
  }
  row.add("gap_mean", std::accumulate(gaps.begin(), gaps.end(), 0.0) / static_cast<double>(gaps.size()));
  row.add("gap_median", quantile(gaps, 0.5));
  row.add("gap_max", *std::ranges::max_element(gaps));
  row.add("magnitude", magnitude);
  row.add("expected_magnitude", expected);
}

void add_evidence(Row& row, const Evidence& evidence, const Evidence& variational) {
  row.add("nll", evidence.nll);
  row.add("log_prior", evidence.log_prior);
  row.add("entropy", evidence.entropy);
  row.add("elbo", evidence.elbo());
  row.add("bound", evidence.bound());
  row.add("gap", evidence.elbo() - evidence.bound());
  row.add("bound_magnitude", evidence.bound_at_mu());
  row.add("elbo_variational", variational.elbo());
}

}  // namespace

Table synapse_table(std::span<const BayesNetwork> networks) {
  Table table{"",
              {"rho", "c", "layer", "row", "column", "mu_energy", "sigma_energy", "mu_posterior",
               "sigma_posterior", "hessian", "hessian_energy"},
              {}};
  for (const BayesNetwork& network : networks.subspan(1)) {
    for (std::size_t l = 0; l < network.signatures.layers.size(); ++l) {
      const Pair pair = pair_of(networks, network, l);
      const std::size_t all = pair.energy.sigma.size(), count = std::min(all, kMostSynapses);
      const auto columns = static_cast<std::size_t>(pair.energy.inputs);
      for (std::size_t k = 0; k < count; ++k) {
        const std::size_t i = k * all / count;
        table.rows.push_back({exact(network.rho), exact(network.c), std::to_string(l + 1),
                              std::to_string(i / columns), std::to_string(i % columns),
                              exact(pair.energy.mu[i]), exact(pair.energy.sigma[i]),
                              exact(pair.posterior.mu[i]), exact(pair.posterior.sigma[i]),
                              exact(pair.hessian(i)), exact(pair.hessian_energy(i))});
      }
    }
  }
  return table;
}

Table bayes_summary_table(const BayesSettings& settings, std::span<const BayesNetwork> networks) {
  Table table;
  const Evidence variational = evidence_of(settings, networks.front());
  for (const BayesNetwork& network : networks.subspan(1)) {
    const Evidence evidence = evidence_of(settings, network);
    const double s = theory::scale(network.rho, network.c);
    for (std::size_t l = 0; l < network.signatures.layers.size(); ++l) {
      const Pair pair = pair_of(networks, network, l);
      Row row;
      row.add("rho", network.rho);
      row.add("c", network.c);
      row.add("scale", s);
      row.add("layer", std::to_string(l + 1));
      row.add("n", std::to_string(pair.energy.sigma.size()));
      add_relations(row, pair, network.rho);
      add_gaps(row, pair.energy, network.rho, s);
      add_evidence(row, evidence, variational);
      table.columns = row.columns;
      table.rows.emplace_back(row.fields);
    }
  }
  return table;
}

}  // namespace ensyn::driver
