// Predictions and their quality, and the energy of a network.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
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

/// Log probabilities of every example; each minibatch of `batch` has its own draw of the weights, unless
/// `sample` is negative and the weights are their means.
Rows predict(const Settings& settings, const Parameters& parameters, const Data& data, int batch,
             int sample) {
  const auto count = static_cast<int>(data.labels.size());
  const int batches = (count + batch - 1) / batch;
  Rows result;
  for (int index = 0; index < batches; ++index) {
    const auto step = static_cast<std::uint64_t>(std::max(sample, 0)) * static_cast<std::uint64_t>(batches) +
                      static_cast<std::uint64_t>(index);
    const Layers noise = sample < 0 ? Layers{} : draw_noise(settings, step, kEvaluation);
    const Layers weights = sample_weights(settings, parameters, noise);
    for (int i = index * batch; i < std::min(count, (index + 1) * batch); ++i) {
      result.push_back(
          log_softmax(forward(weights, example(data, static_cast<std::uint32_t>(i))).after.back()));
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

Evaluation evaluate(const Settings& settings, const Parameters& parameters, const Data& data,
                    const EvaluationSettings& how) {
  std::vector<Rows> draws;
  for (int sample = 0; sample < how.samples; ++sample) {
    draws.push_back(predict(settings, parameters, data, how.batch, sample));
  }
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
