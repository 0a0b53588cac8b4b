#include "ensyn/signatures.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "ensyn/error.h"
#include "ensyn/theory.h"

namespace ensyn {
namespace {

std::vector<double> over_root(const std::vector<double>& squares, double numerator) {
  std::vector<double> result(squares.size());
  std::ranges::transform(squares, result.begin(), [&](double x) { return numerator / std::sqrt(x); });
  return result;
}

/// Each row the same.
std::vector<double> repeated(const std::vector<double>& row, int rows) {
  std::vector<double> result;
  result.reserve(row.size() * static_cast<std::size_t>(rows));
  for (int r = 0; r < rows; ++r) result.insert(result.end(), row.begin(), row.end());
  return result;
}

bool varies(const std::vector<double>& values) {
  return std::ranges::any_of(values, [&](double v) { return v != values.front(); });
}

/// What the prior adds to the curvature of weight i.
double prior_curvature(const NetworkConfig& network, const LayerSignatures& layer, std::size_t i) {
  switch (network.prior) {
    case Prior::flat:
      break;
    case Prior::gaussian:
      return 1 / (network.prior_sigma * network.prior_sigma);
    case Prior::laplace:
      return theory::laplace_curvature(layer.mu[i], layer.sigma[i], network.prior_scale);
  }
  return 0;
}

bool has_cost(const NetworkConfig& network) {
  return network.objective == Objective::variational ||
         std::ranges::any_of(network.costs, [](const CostTerm& term) { return term.c > 0; });
}

}  // namespace

void SignatureConfig::validate() const {
  if (epochs < 1) {
    throw ConfigError("epochs of the measurement are " + std::to_string(epochs) + ": at least 1 is needed");
  }
}

std::string_view name(Quantity value) noexcept {
  switch (value) {
    case Quantity::curvature:
      return "curvature";
    case Quantity::hessian:
      return "hessian";
    case Quantity::learning_rate:
      return "learning_rate";
    case Quantity::learning_rate_rms:
      return "learning_rate_rms";
    case Quantity::input_rate:
      return "input_rate";
    case Quantity::input_square:
      return "input_square";
  }
  return "";
}

std::vector<double> values_of(const LayerSignatures& layer, Quantity quantity, double learning_rate_base) {
  switch (quantity) {
    case Quantity::curvature:
      return layer.curvature;
    case Quantity::hessian:
      return layer.hessian;
    case Quantity::learning_rate: {
      std::vector<double> rates = layer.mean_absolute_gradient;
      for (double& x : rates) x = learning_rate_base / x;
      return rates;
    }
    case Quantity::learning_rate_rms:
      return over_root(layer.curvature, learning_rate_base);
    case Quantity::input_rate:
      return repeated(layer.input_rate, layer.outputs);
    case Quantity::input_square:
      return repeated(layer.input_square, layer.outputs);
  }
  return {};
}

bool sigmas_differ(std::span<const double> sigma) {
  return sigmas_differ(quantile(sigma, 0.05), quantile(sigma, 0.95));
}

std::optional<Relation> relation(const LayerSignatures& layer, Quantity quantity) {
  if (layer.sigma.empty() || !sigmas_differ(layer.sigma)) return std::nullopt;
  const std::vector<double> all = values_of(layer, quantity);
  std::vector<double> x, y;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (!std::isfinite(all[i]) || all[i] <= 0) continue;
    x.push_back(std::log(all[i]));
    y.push_back(2 * std::log(layer.sigma[i]));
  }
  if (x.size() < 3 || !varies(x) || !varies(y)) return std::nullopt;
  return Relation{spearman(x, y), regress(x, y)};
}

std::vector<double> fixed_point_ratios(const LayerSignatures& layer, std::uint64_t training_examples,
                                       const NetworkConfig& network) {
  if (network.noise != NoiseKind::heterogeneous || network.law != NoiseLaw::gaussian || !has_cost(network)) {
    return {};
  }
  const auto n = static_cast<double>(training_examples);
  std::vector<double> ratios(layer.sigma.size());
  for (std::size_t i = 0; i < ratios.size(); ++i) {
    const double sigma = layer.sigma[i], curvature = n * layer.hessian[i];
    ratios[i] = network.objective == Objective::variational
                    ? sigma * sigma * (curvature + prior_curvature(network, layer, i))
                    : theory::stationary_ratio(network.costs, sigma, curvature);
  }
  return ratios;
}

}  // namespace ensyn
