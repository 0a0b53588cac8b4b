#include "host/model/prediction.h"

#include <algorithm>
#include <cmath>

namespace ensyn {
namespace {

double entropy(std::span<const double> log_probabilities) {
  double sum = 0;
  for (const double l : log_probabilities) {
    const double p = std::exp(l);
    if (p > 0) sum -= p * l;
  }
  return sum;
}

double log_sum_exp(std::span<const double> values, std::size_t first, std::size_t stride) {
  double largest = values[first];
  for (std::size_t i = first; i < values.size(); i += stride) largest = std::fmax(largest, values[i]);
  double sum = 0;
  for (std::size_t i = first; i < values.size(); i += stride) sum += std::exp(values[i] - largest);
  return largest + std::log(sum);
}

/// log of the mean probability of each class over the draws.
void average_probabilities(std::span<const double> draws, int samples, std::span<double> out) {
  for (std::size_t k = 0; k < out.size(); ++k) {
    out[k] = log_sum_exp(draws, k, out.size()) - std::log(static_cast<double>(samples));
  }
}

/// Mean output over the draws.
void average_draws(std::span<const double> draws, int samples, std::span<double> out) {
  for (std::size_t k = 0; k < out.size(); ++k) {
    double sum = 0;
    for (std::size_t i = k; i < draws.size(); i += out.size()) sum += draws[i];
    out[k] = sum / samples;
  }
}

/// Mean log probability of each class over the draws, normalised again.
void average_logarithms(std::span<const double> draws, int samples, std::span<double> out) {
  average_draws(draws, samples, out);
  const double total = log_sum_exp(out, 0, 1);
  for (double& l : out) l -= total;
}

double squared_distance(std::span<const double> prediction, std::span<const float> targets) {
  double sum = 0;
  for (std::size_t k = 0; k < targets.size(); ++k) {
    const double difference = prediction[k] - static_cast<double>(targets[k]);
    sum += difference * difference;
  }
  return sum;
}

}  // namespace

QualitySums::QualitySums(int calibration_bins) : bins_(static_cast<std::size_t>(calibration_bins)) {}

void QualitySums::add(std::span<const double> log_probabilities, int label) {
  const auto best = static_cast<int>(std::max_element(log_probabilities.begin(), log_probabilities.end()) -
                                     log_probabilities.begin());
  const bool right = best == label;
  examples_ += 1;
  correct_ += right ? 1 : 0;
  nll_ -= log_probabilities[static_cast<std::size_t>(label)];
  entropy_ += entropy(log_probabilities);
  for (std::size_t k = 0; k < log_probabilities.size(); ++k) {
    const double miss = std::exp(log_probabilities[k]) - (static_cast<int>(k) == label ? 1.0 : 0.0);
    brier_ += miss * miss;
  }
  const double confidence = std::exp(log_probabilities[static_cast<std::size_t>(best)]);
  const auto bins = static_cast<double>(bins_.size());
  const double position = std::clamp(std::floor(confidence * bins), 0.0, bins - 1);
  Bin& bin = bins_[static_cast<std::size_t>(position)];
  bin.count += 1;
  bin.confidence += confidence;
  bin.correct += right ? 1 : 0;
}

void QualitySums::add(const QualitySums& other) {
  examples_ += other.examples_;
  correct_ += other.correct_;
  nll_ += other.nll_;
  brier_ += other.brier_;
  entropy_ += other.entropy_;
  for (std::size_t i = 0; i < bins_.size(); ++i) {
    bins_[i].count += other.bins_[i].count;
    bins_[i].confidence += other.bins_[i].confidence;
    bins_[i].correct += other.bins_[i].correct;
  }
}

PredictionQuality QualitySums::quality() const {
  double calibration = 0;
  for (const Bin& bin : bins_) calibration += std::fabs(bin.confidence - bin.correct);
  return {.accuracy = correct_ / examples_,
          .nll = nll_ / examples_,
          .brier = brier_ / examples_,
          .ece = calibration / examples_,
          .predictive_entropy = entropy_ / examples_};
}

void ErrorSums::add(double example_nll, double example_squares) {
  examples += 1;
  nll += example_nll;
  squares += example_squares;
}

void ErrorSums::add(const ErrorSums& other) {
  examples += other.examples;
  nll += other.nll;
  squares += other.squares;
}

PredictionQuality ErrorSums::quality() const {
  PredictionQuality quality;
  quality.nll = nll / examples;
  quality.rmse = std::sqrt(squares / (examples * outputs));
  return quality;
}

EvaluationSums::EvaluationSums(const Task& task)
    : is_gaussian_(task.gaussian()),
      outputs_(task.outputs()),
      constants_(GaussianConstants<double>::of(task.architecture)),
      samples_(task.config.samples),
      averaging_(task.config.averaging),
      mean_(task.config.calibration_bins),
      sample_(task.config.calibration_bins),
      average_(task.config.calibration_bins) {
  mean_error_.outputs = sample_error_.outputs = average_error_.outputs = task.architecture.outputs();
}

void EvaluationSums::add(std::span<const double> mean, std::span<const double> draws, int label) {
  const std::size_t classes = mean.size();
  averaged_.resize(classes);
  mean_.add(mean, label);
  sample_.add(draws.first(classes), label);
  average_probabilities(draws, samples_, averaged_);
  double within = 0;
  for (int k = 0; k < samples_; ++k)
    within += entropy(draws.subspan(static_cast<std::size_t>(k) * classes, classes));
  mutual_information_ += entropy(averaged_) - within / samples_;
  if (averaging_ == Averaging::log_probabilities) average_logarithms(draws, samples_, averaged_);
  average_.add(averaged_, label);
  examples_ += 1;
}

void EvaluationSums::add(std::span<const double> mean, std::span<const double> draws,
                         std::span<const float> targets) {
  const auto nll_of = [&](double squares) {
    return 0.5 * constants_.inverse_variance * squares + constants_.constant;
  };
  const auto add_to = [&](ErrorSums& sums, std::span<const double> prediction) {
    const double squares = squared_distance(prediction, targets);
    sums.add(nll_of(squares), squares);
  };
  add_to(mean_error_, mean);
  add_to(sample_error_, draws.first(targets.size()));
  averaged_.resize(targets.size());
  average_draws(draws, samples_, averaged_);
  // The mean of Gaussians' log densities, normalised again, is the Gaussian at the mean of their means.
  const double squares = squared_distance(averaged_, targets);
  double nll = nll_of(squares);
  if (averaging_ == Averaging::probabilities) {
    log_densities_.clear();
    for (std::size_t i = 0; i < draws.size(); i += targets.size()) {
      log_densities_.push_back(-nll_of(squared_distance(draws.subspan(i, targets.size()), targets)));
    }
    nll = std::log(static_cast<double>(samples_)) - log_sum_exp(log_densities_, 0, 1);
  }
  average_error_.add(nll, squares);
  examples_ += 1;
}

void EvaluationSums::add(const EvaluationSums& other) {
  mean_.add(other.mean_);
  sample_.add(other.sample_);
  average_.add(other.average_);
  mean_error_.add(other.mean_error_);
  sample_error_.add(other.sample_error_);
  average_error_.add(other.average_error_);
  mutual_information_ += other.mutual_information_;
  examples_ += other.examples_;
}

template <class T>
void EvaluationSums::add_minibatch(std::span<const T> outputs, const Dataset& data, std::size_t first) {
  const std::size_t per_example = outputs_ * static_cast<std::size_t>(samples_ + 1);
  for (std::size_t b = 0; b < outputs.size() / per_example; ++b) {
    const auto of_example = outputs.subspan(b * per_example, per_example);
    example_.assign(of_example.begin(), of_example.end());
    const std::span<const double> all = example_;
    if (is_gaussian_) {
      add(all.first(outputs_), all.subspan(outputs_),
          data.targets().subspan((first + b) * outputs_, outputs_));
    } else {
      add(all.first(outputs_), all.subspan(outputs_), data.labels()[first + b]);
    }
  }
}
template void EvaluationSums::add_minibatch(std::span<const float>, const Dataset&, std::size_t);
template void EvaluationSums::add_minibatch(std::span<const double>, const Dataset&, std::size_t);

Evaluation EvaluationSums::evaluation() const {
  Evaluation result;
  result.samples = samples_;
  if (is_gaussian_) {
    result.mean = mean_error_.quality();
    result.sample = sample_error_.quality();
    result.average = average_error_.quality();
  } else {
    result.mean = mean_.quality();
    result.sample = sample_.quality();
    result.average = average_.quality();
    result.mutual_information = mutual_information_ / examples_;
  }
  return result;
}

double evaluation_bytes(const PopulationConfig& population, const EvaluationConfig& config,
                        std::size_t examples, int threads) {
  const double element = population.precision == Precision::double_precision ? 8 : 4;
  const Architecture& architecture = population.architecture;
  const auto parameters = static_cast<double>(architecture.parameters());
  double width = 0;
  for (const int size : architecture.sizes) width += size;
  const double outputs = architecture.outputs() * (config.samples + 1.0);
  const double batches = std::ceil(static_cast<double>(examples) / config.batch);
  const double sums = 3.0 * config.calibration_bins * 3 * sizeof(double);
  return element * (std::fmin(threads, batches) * (parameters + config.batch * (2 * width + outputs)) +
                    2 * parameters) +
         batches * sums;
}

Prediction empty_prediction(const Task& task) {
  Prediction result;
  result.outputs = task.architecture.outputs();
  result.samples = task.config.samples;
  for (auto* values : {&result.mean, &result.sd, &result.at_mean_weights}) {
    values->resize(task.data.size() * task.outputs());
  }
  return result;
}

template <class T>
void add_predictions(const Task& task, std::span<const T> outputs, std::size_t first, Prediction& to) {
  const std::size_t width = task.outputs(), draws = static_cast<std::size_t>(task.config.samples),
                    per_example = width * (draws + 1);
  const auto value = [&](std::size_t at) {
    const auto output = static_cast<double>(outputs[at]);
    return task.gaussian() ? output : std::exp(output);
  };
  for (std::size_t b = 0; b < outputs.size() / per_example; ++b) {
    for (std::size_t k = 0; k < width; ++k) {
      const std::size_t from = b * per_example + k, at = (first + b) * width + k;
      double sum = 0, squares = 0;
      for (std::size_t s = 1; s <= draws; ++s) sum += value(from + s * width);
      const double mean = sum / static_cast<double>(draws);
      for (std::size_t s = 1; s <= draws; ++s) {
        const double difference = value(from + s * width) - mean;
        squares += difference * difference;
      }
      to.mean[at] = mean;
      to.sd[at] = draws > 1 ? std::sqrt(squares / static_cast<double>(draws - 1)) : 0;
      to.at_mean_weights[at] = value(from);
    }
  }
}
template void add_predictions(const Task&, std::span<const float>, std::size_t, Prediction&);
template void add_predictions(const Task&, std::span<const double>, std::size_t, Prediction&);

}  // namespace ensyn
