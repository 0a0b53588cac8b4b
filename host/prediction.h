/// \file
/// Quality measures of predictive distributions, accumulated minibatch by minibatch. Backends supply log
/// probabilities; what is measured on them is the same everywhere.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "ensyn/config.h"
#include "ensyn/evaluation.h"

namespace ensyn {

/// Sums over examples behind one PredictionQuality.
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

/// Sums behind one Evaluation.
class EvaluationSums {
 public:
  explicit EvaluationSums(const EvaluationConfig& config);

  /// One example: its prediction at the mean weights, and under each of the K draws (draw-major, K x
  /// classes).
  void add(std::span<const double> mean, std::span<const double> draws, int label);
  void add(const EvaluationSums& other);
  /// One minibatch: for each example the log probabilities at the mean weights and then under each draw, K +
  /// 1 times `classes`, example after example. T is float or double.
  template <class T>
  void add_minibatch(std::span<const T> log_probabilities, std::span<const std::uint8_t> labels,
                     std::size_t classes);
  [[nodiscard]] Evaluation evaluation() const;

 private:
  int samples_;
  Averaging averaging_;
  QualitySums mean_, sample_, average_;
  double examples_ = 0, mutual_information_ = 0;
  std::vector<double> averaged_, example_;
};

extern template void EvaluationSums::add_minibatch(std::span<const float>, std::span<const std::uint8_t>,
                                                   std::size_t);
extern template void EvaluationSums::add_minibatch(std::span<const double>, std::span<const std::uint8_t>,
                                                   std::size_t);

}  // namespace ensyn
