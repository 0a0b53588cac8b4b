/// \file
/// Quality measures of predictive distributions, accumulated minibatch by minibatch. Backends supply outputs:
/// log probabilities of classes, or the means of a gaussian likelihood. What is measured on them is the same
/// everywhere.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "ensyn/config.h"
#include "ensyn/dataset.h"
#include "ensyn/evaluation.h"
#include "host/model/likelihood.h"

namespace ensyn {

/// What is asked of a backend's predictions.
struct Task {
  const Architecture& architecture;
  const Dataset& data;
  const EvaluationConfig& config;

  [[nodiscard]] bool gaussian() const { return architecture.likelihood == Likelihood::gaussian; }
  [[nodiscard]] std::size_t outputs() const { return static_cast<std::size_t>(architecture.outputs()); }
};

/// Sums over examples behind one PredictionQuality of classes.
class QualitySums {
 public:
  explicit QualitySums(int calibration_bins);

  /// Adds one example. `log_probabilities` are natural logarithms, one per class. The most probable class is
  /// the first of equals.
  void add(std::span<const double> log_probabilities, int label);
  void add(const QualitySums& other);
  [[nodiscard]] PredictionQuality quality() const;

 private:
  struct Bin {
    double count = 0, confidence = 0, correct = 0;
  };
  double examples_ = 0, correct_ = 0, nll_ = 0, brier_ = 0, entropy_ = 0;
  std::vector<Bin> bins_;
};

/// Sums behind one PredictionQuality of real targets.
struct ErrorSums {
  double examples = 0, nll = 0, squares = 0;
  int outputs = 1;

  void add(double example_nll, double example_squares);
  void add(const ErrorSums& other);
  [[nodiscard]] PredictionQuality quality() const;
};

/// Sums behind one Evaluation.
class EvaluationSums {
 public:
  explicit EvaluationSums(const Task& task);

  /// One example: its prediction at the mean weights, and under each of the K draws (draw-major, K x
  /// outputs).
  void add(std::span<const double> mean, std::span<const double> draws, int label);
  void add(std::span<const double> mean, std::span<const double> draws, std::span<const float> targets);
  void add(const EvaluationSums& other);
  /// The minibatch that begins at example `first` of `data`: for each example the outputs at the mean weights
  /// and then under each draw, K + 1 times as many as there are outputs, example after example. T is float or
  /// double.
  template <class T>
  void add_minibatch(std::span<const T> outputs, const Dataset& data, std::size_t first);
  [[nodiscard]] Evaluation evaluation() const;

 private:
  bool is_gaussian_;
  std::size_t outputs_;
  GaussianConstants<double> constants_;
  int samples_;
  Averaging averaging_;
  QualitySums mean_, sample_, average_;
  ErrorSums mean_error_, sample_error_, average_error_;
  double examples_ = 0, mutual_information_ = 0;
  std::vector<double> averaged_, log_densities_, example_;
};

extern template void EvaluationSums::add_minibatch(std::span<const float>, const Dataset&, std::size_t);
extern template void EvaluationSums::add_minibatch(std::span<const double>, const Dataset&, std::size_t);

/// Bytes that evaluating takes, about: each thread at work has weights, and for the examples of a minibatch
/// activations and the outputs under every draw; each minibatch has its sums.
[[nodiscard]] double evaluation_bytes(const PopulationConfig& population, const EvaluationConfig& config,
                                      std::size_t examples, int threads);

/// Room for the predictions of all examples.
[[nodiscard]] Prediction empty_prediction(const Task& task);
/// Fills in the minibatch that begins at example `first`, from outputs as EvaluationSums takes them.
template <class T>
void add_predictions(const Task& task, std::span<const T> outputs, std::size_t first, Prediction& to);

extern template void add_predictions(const Task&, std::span<const float>, std::size_t, Prediction&);
extern template void add_predictions(const Task&, std::span<const double>, std::size_t, Prediction&);

}  // namespace ensyn
