/// \file
/// What the kernels should give, in double and plain loops on top of the oracle, together with how far from
/// it the arithmetic of float or double may take them.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "kernels/support.h"

namespace ensyn::kernels::test {

/// A reference value and how far from it a result may be.
struct Number {
  double value = 0, error = 0;
};

/// What roundings may add up to, in units of the type's epsilon, which is two roundings. Never widen one
/// without a line that says why.
namespace allowance {
/// A sum of K terms: each partial sum, at most the sum of their magnitudes S, is rounded once, and K
/// roundings of random sign add up to sqrt(K) of them: sqrt(K) S / 2. Four times that, for lanes and luck.
inline constexpr double kSum = 2;
/// w = mu + sigma xi: softplus is good to 2 roundings (formulas_test), product and sum add one each.
inline constexpr double kWeight = 4;
/// A log-normal weight: some 16 operations, and an exponential of an argument x, whose rounding is an error
/// of x relative to the result: 4 for each unit of it. A binomial one: as many operations.
inline constexpr double kLaw = 16, kExponent = 4;
/// A binomial count's probabilities.
inline constexpr double kCount = 100;
/// byte * scale + shift, rounded once, of a scale and a shift that were rounded.
inline constexpr double kByte = 2;
/// A term of the costs: some five operations on rounded constants; a power goes by exp(p log sigma), which
/// multiplies the relative error of the logarithm by p log sigma.
inline constexpr double kCost = 6;
/// Adam's moments: three operations on constants that are rounded themselves.
inline constexpr double kMoment = 4;
/// Adam's step relative to itself: root, quotient and product with rounded rates.
inline constexpr double kStep = 6;
/// Softmax: exponentials of rounded differences (an absolute error of z), their sum, quotient and logarithm.
inline constexpr double kSoftmax = 8;
}  // namespace allowance

template <class T>
inline constexpr double kEpsilon = static_cast<double>(std::numeric_limits<T>::epsilon());

/// The noise as the contract of T has it.
template <class T>
inline constexpr oracle::Uniform kUniform =
    std::numeric_limits<T>::digits == 24 ? oracle::Uniform::single : oracle::Uniform::exact;

/// A normal; the error is that of the CPU's noise (tests/oracle/noise_test.cpp): a few units in the last
/// place of numbers up to 6.7, and for float the rounding of the angle's word to 24 bits.
template <class T>
[[nodiscard]] Number normal(const oracle::Draw& draw, int row, int column, int columns) {
  const double xi = oracle::normal_at(draw, row, column, columns, kUniform<T>);
  const bool single = std::numeric_limits<T>::digits == 24;
  return {xi, single ? 1.5e-6 + 5e-7 * std::abs(xi) : 2e-15 + 1e-15 * std::abs(xi)};
}

/// A sum of products.
template <class T>
class Sum {
 public:
  void add(Number a, Number b) {
    ++count_;
    value_ += a.value * b.value;
    size_ += std::abs(a.value * b.value);
    error_ += std::abs(a.value) * b.error + std::abs(b.value) * a.error + a.error * b.error;
  }
  void add(double a, double b) { add(Number{a, 0}, Number{b, 0}); }
  [[nodiscard]] Number result() const {
    return {value_, error_ + allowance::kSum * kEpsilon<T> * std::sqrt(count_) * size_};
  }

 private:
  double value_ = 0, size_ = 0, error_ = 0;
  int count_ = 0;
};

/// The noise that `draw` stands for, of one member's layer in minibatch number `minibatch` of a launch.
[[nodiscard]] oracle::Draw oracle_draw(const Member& member, int tensor, const Draw& draw, int minibatch = 0);

/// One weight and its derivatives in mu and sigma.
struct DrawnWeight {
  Number value, mu_slope{1, 0}, sigma_slope;
};
template <class T>
[[nodiscard]] DrawnWeight drawn_weight(const Member& member, const LayerParameters<T>& layer, int network,
                                       const Draw& draw, int minibatch, int row, int column);

/// The weights of one layer, row by row, as `draw` gives them.
template <class T>
[[nodiscard]] std::vector<Number> weights(const Member& member, const LayerParameters<T>& layer, int network,
                                          const Draw& draw, int minibatch = 0);

/// An input with its error.
template <class T>
[[nodiscard]] Number input_number(const TestInputs<T>& inputs, int network, std::uint64_t step, int b,
                                  int k) {
  const double x = inputs.at(network, step, b, k);
  return {x, inputs.has_bytes() ? allowance::kByte * kEpsilon<T> * (std::abs(x) + 0.25) : 0};
}

/// dL/dw of one layer, row by row: the sum over the minibatch of delta[b][r] x[b][k].
template <class T>
[[nodiscard]] std::vector<Number> weight_gradient(const Fill& delta, const TestInputs<T>& inputs, int network,
                                                  std::uint64_t step, int rows, int columns, int batch);

/// A parameter and its moments.
struct Adam {
  Number value, moment1, moment2;
};
/// One step of the textbook's Adam at the zero-based step `step`.
template <class T>
[[nodiscard]] Adam adam(const oracle::Settings& settings, std::uint64_t step, double value, double moment1,
                        double moment2, Number gradient);

/// B/N dR/dsigma.
template <class T>
[[nodiscard]] Number cost_gradient(const oracle::Settings& settings, double sigma);

/// dL/dmu from dL/dw: magnitude cost and prior added.
template <class T>
[[nodiscard]] Number mu_gradient(const oracle::Settings& settings, double mu, Number g);

/// Element by element, written so that NaN fails; a reference of zeros fails too.
[[nodiscard]] ::testing::AssertionResult close(const std::vector<double>& got,
                                               const std::vector<Number>& want);

void append(std::vector<Number>& to, const std::vector<Number>& more);

}  // namespace ensyn::kernels::test
