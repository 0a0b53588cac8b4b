// Predictions and their quality, and the energy of a network.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "oracle/oracle.h"

namespace oracle {

namespace {

using Rows = std::vector<std::vector<double>>;

double entropy(const std::vector<double>& log_probability) {
  double result = 0;
  for (const double value : log_probability) {
    result -= std::exp(value) * value;
  }
  return result;
}

double calibration_error(const Rows& log_probabilities, const std::vector<int>& labels, int bins) {
  const auto bin_count = static_cast<std::size_t>(bins);
  std::vector<double> confidence(bin_count);
  std::vector<double> right(bin_count);
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const int best = argmax(log_probabilities[i]);
    const double top = std::exp(log_probabilities[i][static_cast<std::size_t>(best)]);
    const std::size_t bin = std::min(bin_count - 1, static_cast<std::size_t>(top * bins));
    confidence[bin] += top;
    right[bin] += best == labels[i] ? 1 : 0;
  }
  // In each bin |accuracy - confidence| * (its share of the examples).
  double result = 0;
  for (std::size_t bin = 0; bin < bin_count; ++bin) {
    result += std::abs(right[bin] - confidence[bin]);
  }
  return result / static_cast<double>(labels.size());
}

/// Log probabilities (or outputs of a gaussian likelihood) of every example; each minibatch of `batch` has
/// its own draw of the weights, unless `sample` is negative and the weights are their means.
Rows predict(const Settings& settings, const Parameters& parameters, const Data& data, int batch,
             int sample) {
  const int count = data.features.rows;
  const int batches = (count + batch - 1) / batch;
  Rows result;
  for (int index = 0; index < batches; ++index) {
    const auto step = static_cast<std::uint64_t>(std::max(sample, 0)) * static_cast<std::uint64_t>(batches) +
                      static_cast<std::uint64_t>(index);
    const Layers noise = sample < 0 ? Layers{} : draw_noise(settings, step, kEvaluation);
    const Layers weights = sample_weights(settings, parameters, noise);
    for (int i = index * batch; i < std::min(count, (index + 1) * batch); ++i) {
      const std::vector<double> output =
          forward(weights, example(data, static_cast<std::uint32_t>(i))).after.back();
      result.push_back(settings.gaussian ? output : log_softmax(output));
    }
  }
  return result;
}

std::vector<double> log_mean_probability(const Rows& samples) {
  std::vector<double> result(samples.front().size());
  for (std::size_t k = 0; k < result.size(); ++k) {
    // Relative to the largest, since probabilities of confident networks underflow.
    double largest = samples.front()[k];
    for (const std::vector<double>& sample : samples) {
      largest = std::max(largest, sample[k]);
    }
    for (const std::vector<double>& sample : samples) {
      result[k] += std::exp(sample[k] - largest) / static_cast<double>(samples.size());
    }
    result[k] = largest + std::log(result[k]);
  }
  return result;
}

std::vector<double> mean_log_probability(const Rows& samples) {
  std::vector<double> result(samples.front().size());
  for (std::size_t k = 0; k < result.size(); ++k) {
    for (const std::vector<double>& sample : samples) {
      result[k] += sample[k] / static_cast<double>(samples.size());
    }
  }
  return log_softmax(result);
}

}  // namespace

Quality quality(const Rows& log_probabilities, const std::vector<int>& labels, int bins) {
  Quality result;
  const auto count = static_cast<double>(labels.size());
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const std::vector<double>& row = log_probabilities[i];
    result.accuracy += argmax(row) == labels[i] ? 1 / count : 0;
    result.nll -= row[static_cast<std::size_t>(labels[i])] / count;
    result.entropy += entropy(row) / count;
    for (std::size_t k = 0; k < row.size(); ++k) {
      const double target = static_cast<int>(k) == labels[i] ? 1 : 0;
      result.brier += (std::exp(row[k]) - target) * (std::exp(row[k]) - target) / count;
    }
  }
  result.ece = calibration_error(log_probabilities, labels, bins);
  return result;
}

namespace {

std::vector<Rows> all_draws(const Settings& settings, const Parameters& parameters, const Data& data,
                            const EvaluationSettings& how) {
  std::vector<Rows> draws;
  for (int sample = 0; sample < how.samples; ++sample) {
    draws.push_back(predict(settings, parameters, data, how.batch, sample));
  }
  return draws;
}

/// Of predictions that are mixtures of Gaussians: draws[k][i] are the means of the k-th for example i.
Quality gaussian_quality(const Settings& settings, const std::vector<Rows>& draws, const Data& data) {
  Quality result;
  const auto count = static_cast<double>(data.targets.rows);
  double squares = 0;
  for (int i = 0; i < data.targets.rows; ++i) {
    const std::vector<double> y = target(data, static_cast<std::uint32_t>(i));
    double smallest = std::numeric_limits<double>::infinity();
    for (const Rows& draw : draws) {
      smallest = std::min(smallest, gaussian_nll(settings, draw[static_cast<std::size_t>(i)], y));
    }
    double density = 0;  // relative to the largest of the draws
    std::vector<double> mean(y.size());
    for (const Rows& draw : draws) {
      const std::vector<double>& f = draw[static_cast<std::size_t>(i)];
      density += std::exp(smallest - gaussian_nll(settings, f, y)) / static_cast<double>(draws.size());
      for (std::size_t k = 0; k < y.size(); ++k) mean[k] += f[k] / static_cast<double>(draws.size());
    }
    result.nll += (smallest - std::log(density)) / count;
    for (std::size_t k = 0; k < y.size(); ++k) squares += (y[k] - mean[k]) * (y[k] - mean[k]);
  }
  result.rmse = std::sqrt(squares / (count * data.targets.columns));
  return result;
}

/// Every example's mean output over the draws.
Rows mean_outputs(const std::vector<Rows>& draws) {
  Rows result = draws.front();
  for (std::size_t i = 0; i < result.size(); ++i) {
    for (std::size_t k = 0; k < result[i].size(); ++k) {
      result[i][k] = 0;
      for (const Rows& draw : draws) result[i][k] += draw[i][k] / static_cast<double>(draws.size());
    }
  }
  return result;
}

Evaluation evaluate_gaussian(const Settings& settings, const Parameters& parameters, const Data& data,
                             const EvaluationSettings& how) {
  const std::vector<Rows> draws = all_draws(settings, parameters, data, how);
  const std::vector<Rows> averaged =
      how.average_log_probabilities ? std::vector<Rows>(1, mean_outputs(draws)) : draws;
  Evaluation result;
  result.mean = gaussian_quality(settings, {predict(settings, parameters, data, how.batch, -1)}, data);
  result.sample = gaussian_quality(settings, {draws.front()}, data);
  result.average = gaussian_quality(settings, averaged, data);
  return result;
}

}  // namespace

Moments moments(const Settings& settings, const Parameters& parameters, const Data& data,
                const EvaluationSettings& how) {
  const std::vector<Rows> draws = all_draws(settings, parameters, data, how);
  const Rows at_mean = predict(settings, parameters, data, how.batch, -1);
  const auto value = [&](double output) { return settings.gaussian ? output : std::exp(output); };
  const auto count = static_cast<double>(draws.size());
  Moments result;
  for (std::size_t i = 0; i < at_mean.size(); ++i) {
    for (std::size_t k = 0; k < at_mean[i].size(); ++k) {
      double mean = 0;
      double variance = 0;
      for (const Rows& draw : draws) mean += value(draw[i][k]) / count;
      for (const Rows& draw : draws) variance += std::pow(value(draw[i][k]) - mean, 2) / (count - 1);
      result.mean.push_back(mean);
      result.sd.push_back(count > 1 ? std::sqrt(variance) : 0);
      result.at_mean_weights.push_back(value(at_mean[i][k]));
    }
  }
  return result;
}

Evaluation evaluate(const Settings& settings, const Parameters& parameters, const Data& data,
                    const EvaluationSettings& how) {
  if (settings.gaussian) {
    return evaluate_gaussian(settings, parameters, data, how);
  }
  const std::vector<Rows> draws = all_draws(settings, parameters, data, how);
  Evaluation result;
  Rows average;
  for (std::size_t i = 0; i < data.labels.size(); ++i) {
    Rows of_example;
    double mean_entropy = 0;
    for (const Rows& draw : draws) {
      of_example.push_back(draw[i]);
      mean_entropy += entropy(draw[i]) / static_cast<double>(draws.size());
    }
    average.push_back(how.average_log_probabilities ? mean_log_probability(of_example)
                                                    : log_mean_probability(of_example));
    result.mutual_information +=
        (entropy(log_mean_probability(of_example)) - mean_entropy) / static_cast<double>(data.labels.size());
  }
  result.mean = quality(predict(settings, parameters, data, how.batch, -1), data.labels, how.bins);
  result.sample = quality(draws.front(), data.labels, how.bins);
  result.average = quality(average, data.labels, how.bins);
  return result;
}

Energy energy(const Settings& settings, const Parameters& parameters) {
  Energy result;
  double weights = 0;
  for (int layer = 0; layer < settings.layers(); ++layer) {
    const Matrix& mu = parameters.mu[static_cast<std::size_t>(layer)];
    for (int row = 0; row < mu.rows; ++row) {
      for (int column = 0; column < mu.columns; ++column) {
        const double sigma = sigma_at(settings, parameters, layer, row, column);
        result.reliability_cost += reliability(settings, sigma);
        result.prior_cost += prior_cost(settings, mu.at(row, column), sigma);
        result.magnitude_cost += settings.lambda * std::abs(mu.at(row, column));
        const bool is_bias = column + 1 == mu.columns;
        if (is_bias) {
          continue;
        }
        ++weights;
        result.sigma_rms += sigma * sigma;
        const bool is_logarithmic = settings.variational || settings.terms.empty();
        const double rho = is_logarithmic ? 0 : settings.terms.front().rho;
        result.reliability_sum += is_logarithmic ? -std::log(sigma) : std::pow(sigma, -rho) / rho;
      }
    }
  }
  result.sigma_rms = std::sqrt(result.sigma_rms / weights);
  return result;
}

}  // namespace oracle
