#include "host/prediction.h"

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

/// Mean log probability of each class over the draws, normalised again.
void average_logarithms(std::span<const double> draws, int samples, std::span<double> out) {
  for (std::size_t k = 0; k < out.size(); ++k) {
    double sum = 0;
    for (std::size_t i = k; i < draws.size(); i += out.size()) sum += draws[i];
    out[k] = sum / samples;
  }
  const double total = log_sum_exp(out, 0, 1);
  for (double& l : out) l -= total;
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

EvaluationSums::EvaluationSums(const EvaluationConfig& config)
    : samples_(config.samples),
      averaging_(config.averaging),
      mean_(config.calibration_bins),
      sample_(config.calibration_bins),
      average_(config.calibration_bins) {}

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

void EvaluationSums::add(const EvaluationSums& other) {
  mean_.add(other.mean_);
  sample_.add(other.sample_);
  average_.add(other.average_);
  mutual_information_ += other.mutual_information_;
  examples_ += other.examples_;
}

template <class T>
void EvaluationSums::add_minibatch(std::span<const T> log_probabilities, std::span<const std::uint8_t> labels,
                                   std::size_t classes) {
  const std::size_t per_example = classes * static_cast<std::size_t>(samples_ + 1);
  for (std::size_t b = 0; b < labels.size(); ++b) {
    const auto of_example = log_probabilities.subspan(b * per_example, per_example);
    example_.assign(of_example.begin(), of_example.end());
    const std::span<const double> all = example_;
    add(all.first(classes), all.subspan(classes), labels[b]);
  }
}
template void EvaluationSums::add_minibatch(std::span<const float>, std::span<const std::uint8_t>,
                                            std::size_t);
template void EvaluationSums::add_minibatch(std::span<const double>, std::span<const std::uint8_t>,
                                            std::size_t);

Evaluation EvaluationSums::evaluation() const {
  return {.mean = mean_.quality(),
          .sample = sample_.quality(),
          .average = average_.quality(),
          .mutual_information = mutual_information_ / examples_,
          .samples = samples_};
}

}  // namespace ensyn
