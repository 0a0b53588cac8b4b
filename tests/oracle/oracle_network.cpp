// Forward, backward and costs.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "oracle/oracle.h"

namespace oracle {

double softplus(double phi) {
  return phi > 0 ? phi + std::log1p(std::exp(-phi)) : std::log1p(std::exp(phi));
}

double inverse_softplus(double sigma) {
  return sigma + std::log(-std::expm1(-sigma));
}

double sigmoid(double phi) {
  return phi > 0 ? 1 / (1 + std::exp(-phi)) : std::exp(phi) / (1 + std::exp(phi));
}

Parameters zeros(const Settings& settings) {
  Parameters result;
  for (int layer = 0; layer < settings.layers(); ++layer) {
    const auto l = static_cast<std::size_t>(layer);
    result.mu.emplace_back(settings.sizes[l + 1], settings.sizes[l] + 1);
  }
  if (settings.scope == Scope::weight) {
    result.phi = result.mu;
  } else {
    const int last = settings.layers() - 1;
    result.shared_phi.resize(group_of(settings, last, settings.sizes.back() - 1) + 1);
  }
  return result;
}

std::size_t group_of(const Settings& settings, int layer, int row) {
  int group = 0;
  if (settings.scope == Scope::layer) {
    group = layer;
  }
  if (settings.scope == Scope::neuron) {
    for (int below = 0; below < layer; ++below) {
      group += settings.sizes[static_cast<std::size_t>(below) + 1];
    }
    group += row;
  }
  return static_cast<std::size_t>(group);
}

Parameters initial_parameters(const Settings& settings) {
  Parameters result = zeros(settings);
  for (double& phi : result.shared_phi) {
    phi = inverse_softplus(settings.sigma_init);
  }
  for (std::size_t layer = 0; layer < result.mu.size(); ++layer) {
    Matrix& mu = result.mu[layer];
    const Draw draw{settings.seed, settings.stream, 0, layer, kInitialMu};
    for (int row = 0; row < mu.rows; ++row) {
      for (int column = 0; column < mu.columns; ++column) {
        const auto word = static_cast<std::int32_t>(word_at(draw, row, column, mu.columns));
        mu.at(row, column) = settings.mu_range * (word * std::exp2(-31.0) + std::exp2(-32.0));
      }
    }
  }
  for (Matrix& phi : result.phi) {
    phi.values.assign(phi.values.size(), inverse_softplus(settings.sigma_init));
  }
  return result;
}

double sigma_at(const Settings& settings, const Parameters& parameters, int layer, int row, int column) {
  return softplus(settings.scope == Scope::weight
                      ? parameters.phi[static_cast<std::size_t>(layer)].at(row, column)
                      : parameters.shared_phi[group_of(settings, layer, row)]);
}

Layers draw_noise(const Settings& settings, std::uint64_t step, Purpose purpose) {
  Layers noise;
  const auto draw = settings.law == Law::binomial ? uniforms : normals;
  for (std::size_t layer = 0; layer + 1 < settings.sizes.size(); ++layer) {
    noise.push_back(draw({settings.seed, settings.stream, step, layer, purpose}, settings.sizes[layer + 1],
                         settings.sizes[layer] + 1, settings.uniform));
  }
  return noise;
}

namespace {

Weight weight_at(const Settings& settings, const Parameters& parameters, const Layers& noise, int layer,
                 int row, int column) {
  const auto l = static_cast<std::size_t>(layer);
  return draw_weight(settings.law, settings.vesicles, parameters.mu[l].at(row, column),
                     sigma_at(settings, parameters, layer, row, column), noise[l].at(row, column));
}

}  // namespace

Layers sample_weights(const Settings& settings, const Parameters& parameters, const Layers& noise) {
  Layers weights = parameters.mu;
  if (noise.empty()) {
    return weights;
  }
  for (int layer = 0; layer < settings.layers(); ++layer) {
    const auto l = static_cast<std::size_t>(layer);
    for (int row = 0; row < weights[l].rows; ++row) {
      for (int column = 0; column < weights[l].columns; ++column) {
        weights[l].at(row, column) = weight_at(settings, parameters, noise, layer, row, column).value;
      }
    }
  }
  return weights;
}

Forward forward(const Layers& weights, const std::vector<double>& input) {
  Forward result;
  result.before.push_back(input);
  result.after.push_back(input);
  for (std::size_t layer = 0; layer < weights.size(); ++layer) {
    const Matrix& w = weights[layer];
    const std::vector<double>& x = result.after.back();
    std::vector<double> before(static_cast<std::size_t>(w.rows));
    std::vector<double> after(static_cast<std::size_t>(w.rows));
    for (int row = 0; row < w.rows; ++row) {
      const auto r = static_cast<std::size_t>(row);
      before[r] = w.at(row, w.columns - 1);
      for (int column = 0; column + 1 < w.columns; ++column) {
        before[r] += w.at(row, column) * x[static_cast<std::size_t>(column)];
      }
      const bool is_hidden = layer + 1 < weights.size();
      after[r] = is_hidden && !(before[r] > 0) ? 0 : before[r];
    }
    result.before.push_back(before);
    result.after.push_back(after);
  }
  return result;
}

std::vector<double> log_softmax(const std::vector<double>& logits) {
  const double largest = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const double logit : logits) {
    sum += std::exp(logit - largest);
  }
  std::vector<double> result;
  for (const double logit : logits) {
    result.push_back(logit - largest - std::log(sum));
  }
  return result;
}

int argmax(const std::vector<double>& values) {
  return static_cast<int>(std::max_element(values.begin(), values.end()) - values.begin());
}

std::vector<double> example(const Data& data, std::uint32_t index) {
  std::vector<double> result;
  for (int column = 0; column < data.features.columns; ++column) {
    result.push_back(data.features.at(static_cast<int>(index), column));
  }
  return result;
}

std::vector<double> target(const Data& data, std::uint32_t index) {
  std::vector<double> result;
  for (int column = 0; column < data.targets.columns; ++column) {
    result.push_back(data.targets.at(static_cast<int>(index), column));
  }
  return result;
}

double gaussian_nll(const Settings& settings, const std::vector<double>& output,
                    const std::vector<double>& y) {
  const double variance = std::pow(settings.observation_sd, 2);
  double result = 0;
  for (std::size_t k = 0; k < y.size(); ++k) {
    result += std::pow(y[k] - output[k], 2) / (2 * variance) + 0.5 * std::log(2 * std::acos(-1.0) * variance);
  }
  return result;
}

double reliability(const Settings& settings, double sigma) {
  if (settings.variational) {
    return -std::log(sigma) + sigma * sigma / (2 * settings.prior_sigma * settings.prior_sigma);
  }
  double result = 0;
  for (const Term& term : settings.terms) {
    result += term.c * std::pow(sigma, -term.rho);
  }
  return result;
}

double reliability_derivative(const Settings& settings, double sigma) {
  if (settings.variational) {
    return -1 / sigma + sigma / (settings.prior_sigma * settings.prior_sigma);
  }
  double result = 0;
  for (const Term& term : settings.terms) {
    result -= term.c * term.rho * std::pow(sigma, -term.rho - 1);
  }
  return result;
}

namespace {

/// The cost of one mu: lambda |mu|, and the Gaussian prior of the variational objective.
double mean_cost(const Settings& settings, double mu) {
  const double prior =
      settings.variational ? mu * mu / (2 * settings.prior_sigma * settings.prior_sigma) : 0.0;
  return settings.lambda * std::abs(mu) + prior;
}

double mean_cost_derivative(const Settings& settings, double mu) {
  const double sign = mu > 0 ? 1 : mu < 0 ? -1 : 0;
  const double prior = settings.variational ? mu / (settings.prior_sigma * settings.prior_sigma) : 0.0;
  return settings.lambda * sign + prior;
}

/// E|w| / b of one weight, w ~ N(mu, sigma^2): the cost of a Laplace prior of scale b.
double laplace_cost(const Settings& settings, double mu, double sigma) {
  if (!(settings.laplace_scale > 0)) {
    return 0;
  }
  const double t = mu / (std::sqrt(2.0) * sigma);
  const double mean = sigma * std::sqrt(2 / std::acos(-1.0)) * std::exp(-t * t) + mu * std::erf(t);
  return mean / settings.laplace_scale;
}

/// Its derivatives in mu and sigma.
std::array<double, 2> laplace_slopes(const Settings& settings, double mu, double sigma) {
  if (!(settings.laplace_scale > 0)) {
    return {0, 0};
  }
  const double t = mu / (std::sqrt(2.0) * sigma);
  return {std::erf(t) / settings.laplace_scale,
          std::sqrt(2 / std::acos(-1.0)) * std::exp(-t * t) / settings.laplace_scale};
}

/// B / N: the costs are relative to the NLL of the whole training set.
double cost_scale(const Settings& settings) {
  return static_cast<double>(settings.batch) / static_cast<double>(settings.examples);
}

/// Number of weights in each group.
std::vector<double> group_sizes(const Settings& settings) {
  std::vector<double> sizes = zeros(settings).shared_phi;
  for (int layer = 0; layer < settings.layers(); ++layer) {
    const auto l = static_cast<std::size_t>(layer);
    for (int row = 0; row < settings.sizes[l + 1]; ++row) {
      sizes[group_of(settings, layer, row)] += settings.sizes[l] + 1;
    }
  }
  return sizes;
}

void look_at_prediction(const Settings& settings, const std::vector<double>& output, const Data& data,
                        std::uint32_t index, StepReport& report) {
  if (settings.gaussian) {
    report.nll += gaussian_nll(settings, output, target(data, index));
    return;
  }
  const std::vector<double>& logits = output;
  const int label = data.labels[index];
  report.nll -= log_softmax(logits)[static_cast<std::size_t>(label)];
  const int best = argmax(logits);
  report.correct += best == label ? 1 : 0;
  // Where a tie is exact, or an input 0, weights were 0, and rounding had no part in it.
  for (std::size_t k = 0; k < logits.size(); ++k) {
    if (logits[k] != logits[static_cast<std::size_t>(best)]) {
      report.tie = std::min(report.tie, logits[static_cast<std::size_t>(best)] - logits[k]);
    }
  }
}

void look_at(const Settings& settings, const Forward& activations, const Data& data, std::uint32_t index,
             StepReport& report) {
  look_at_prediction(settings, activations.after.back(), data, index, report);
  for (std::size_t layer = 1; layer < activations.before.size(); ++layer) {
    const bool is_hidden = layer + 1 < activations.before.size();
    for (const double value : activations.before[layer]) {
      report.kink = is_hidden && value != 0 ? std::min(report.kink, std::abs(value)) : report.kink;
      report.scale = std::max(report.scale, std::abs(value));
    }
  }
}

/// dNLL / d(output): softmax minus one-hot, or error over variance.
std::vector<double> output_gradient(const Settings& settings, const std::vector<double>& output,
                                    const Data& data, std::uint32_t index) {
  std::vector<double> delta(output.size());
  if (settings.gaussian) {
    const std::vector<double> y = target(data, index);
    for (std::size_t k = 0; k < delta.size(); ++k) {
      delta[k] = (output[k] - y[k]) / std::pow(settings.observation_sd, 2);
    }
    return delta;
  }
  const std::vector<double> log_p = log_softmax(output);
  for (std::size_t k = 0; k < delta.size(); ++k) {
    delta[k] = std::exp(log_p[k]);
  }
  delta[static_cast<std::size_t>(data.labels[index])] -= 1;
  return delta;
}

/// Adds the gradient of one example's NLL in the weights to `sum`.
void add_weight_gradient(const Settings& settings, const Layers& weights, const Forward& activations,
                         const Data& data, std::uint32_t index, Layers& sum) {
  // delta = dNLL / d(input of the layer's activation).
  std::vector<double> delta = output_gradient(settings, activations.after.back(), data, index);
  for (std::size_t layer = weights.size(); layer-- > 0;) {
    const Matrix& w = weights[layer];
    const std::vector<double>& x = activations.after[layer];
    std::vector<double> next(x.size());
    for (int row = 0; row < w.rows; ++row) {
      const double d = delta[static_cast<std::size_t>(row)];
      for (int column = 0; column + 1 < w.columns; ++column) {
        const auto c = static_cast<std::size_t>(column);
        sum[layer].at(row, column) += d * x[c];
        next[c] += d * w.at(row, column);
      }
      sum[layer].at(row, w.columns - 1) += d;
    }
    for (std::size_t c = 0; c < next.size(); ++c) {
      next[c] = activations.before[layer][c] > 0 ? next[c] : 0;
    }
    delta = next;
  }
}

}  // namespace

double prior_cost(const Settings& settings, double mu, double sigma) {
  const double gaussian = settings.variational
                              ? (mu * mu + sigma * sigma) / (2 * settings.prior_sigma * settings.prior_sigma)
                              : 0.0;
  return gaussian + laplace_cost(settings, mu, sigma);
}

double objective(const Settings& settings, const Parameters& parameters, const Layers& noise,
                 const Data& data, const std::vector<std::uint32_t>& minibatch) {
  const Layers weights = sample_weights(settings, parameters, noise);
  StepReport report;
  for (const std::uint32_t index : minibatch) {
    look_at(settings, forward(weights, example(data, index)), data, index, report);
  }
  double costs = 0;
  for (int layer = 0; layer < settings.layers(); ++layer) {
    const Matrix& mu = parameters.mu[static_cast<std::size_t>(layer)];
    for (int row = 0; row < mu.rows; ++row) {
      for (int column = 0; column < mu.columns; ++column) {
        const double sigma = sigma_at(settings, parameters, layer, row, column);
        costs += mean_cost(settings, mu.at(row, column)) + reliability(settings, sigma) +
                 laplace_cost(settings, mu.at(row, column), sigma);
      }
    }
  }
  return report.nll + cost_scale(settings) * costs;
}

Parameters gradient(const Settings& settings, const Parameters& parameters, const Layers& noise,
                    const Data& data, const std::vector<std::uint32_t>& minibatch, StepReport* report) {
  const Layers weights = sample_weights(settings, parameters, noise);
  StepReport seen;
  Layers weight_gradient = zeros(settings).mu;
  for (const std::uint32_t index : minibatch) {
    const Forward activations = forward(weights, example(data, index));
    look_at(settings, activations, data, index, seen);
    add_weight_gradient(settings, weights, activations, data, index, weight_gradient);
  }
  Parameters result = zeros(settings);
  const double scale = cost_scale(settings);
  const std::vector<double> counts =
      settings.scope == Scope::weight ? std::vector<double>{} : group_sizes(settings);
  for (int layer = 0; layer < settings.layers(); ++layer) {
    const auto l = static_cast<std::size_t>(layer);
    for (int row = 0; row < weights[l].rows; ++row) {
      for (int column = 0; column < weights[l].columns; ++column) {
        const double dw = weight_gradient[l].at(row, column);
        const Weight w = weight_at(settings, parameters, noise, layer, row, column);
        seen.count_margin = std::min(seen.count_margin, w.margin);
        const double mu = parameters.mu[l].at(row, column);
        const double sigma = sigma_at(settings, parameters, layer, row, column);
        const auto [prior_mu, prior_sigma] = laplace_slopes(settings, mu, sigma);
        result.mu[l].at(row, column) =
            dw * w.mu_slope + scale * (mean_cost_derivative(settings, mu) + prior_mu);
        const double dsigma =
            dw * w.sigma_slope + scale * (reliability_derivative(settings, sigma) + prior_sigma);
        if (settings.scope == Scope::weight) {
          result.phi[l].at(row, column) = dsigma * sigmoid(parameters.phi[l].at(row, column));
        } else {
          const std::size_t group = group_of(settings, layer, row);
          result.shared_phi[group] += dsigma * sigmoid(parameters.shared_phi[group]) / counts[group];
        }
      }
    }
  }
  if (report != nullptr) {
    *report = seen;
  }
  return result;
}

}  // namespace oracle
