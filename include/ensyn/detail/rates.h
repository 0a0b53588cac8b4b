/// \file
/// Constants of one training step that the formulas take. Not part of the stable API.
#pragma once

namespace ensyn::detail {

/// What the cost adds to the gradient in sigma, for cost = sum_k c_k sigma^-rho_k: weight = -c rho, power =
/// -(rho + 1); for -log sigma: weight = -1, power = -1. Both scaled by B/N beforehand.
template <class T>
struct CostTermGradient {
  T weight, power;
  int halves;  ///< -2 power where that is an integer in [1, kMostHalves], else 0: a shorter and more accurate
               ///< way
};
inline constexpr int kMostHalves = 8;

/// Adam's constants at one step t >= 1.
template <class T>
struct AdamRates {
  T beta1, one_minus_beta1, beta2, one_minus_beta2;
  T step_size;        ///< learning rate / (1 - beta1^t)
  T root_correction;  ///< 1 / sqrt(1 - beta2^t)
  T epsilon;
};

}  // namespace ensyn::detail
