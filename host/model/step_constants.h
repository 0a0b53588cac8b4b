/// \file
/// Constants of a network's training steps in the form that the formulas take, the same for every backend.
#pragma once

#include <vector>

#include "ensyn/config.h"
#include "ensyn/detail/rates.h"

namespace ensyn {

/// What does not change from step to step. T is float or double.
template <class T>
struct StepConstants {
  std::vector<detail::CostTermGradient<T>> terms;  ///< of the reliability cost, those whose weight is not 0
  T magnitude = 0;                                 ///< lambda B/N
  T inverse_variance = 0;                          ///< of the Gaussian prior, times B/N
  T inverse_scale = 0;                             ///< of the Laplace prior, times B/N
};

/// \param fraction B/N, by which costs are scaled.
template <class T>
[[nodiscard]] StepConstants<T> step_constants(const NetworkConfig& config, double fraction);

extern template StepConstants<float> step_constants(const NetworkConfig&, double);
extern template StepConstants<double> step_constants(const NetworkConfig&, double);

}  // namespace ensyn
