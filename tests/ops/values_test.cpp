// Single operations: their values against ensyn's host functions and plain loops, strides, and what is left
// alone.

#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <vector>

#include "ensyn/noise.h"
#include "ensyn/ops.h"
#include "ops/user.h"

namespace {

namespace ops = ensyn::ops;
using user::Array;
using user::numbers;

constexpr ensyn::NoiseKey kKey{0xABCDEF0123456789, 7, 41, 2, ensyn::Purpose::evaluation};

template <class T>
class OpsValues : public ::testing::Test {
 protected:
  static constexpr int kInputs = 10, kOutputs = 7, kColumns = kInputs + 1;
  static constexpr std::size_t kSize = static_cast<std::size_t>(kOutputs) * kColumns;

  const std::vector<T> mu_values = numbers<T>(kSize, 1), phi_values = numbers<T>(kSize, 2);
  const Array<T> mu{mu_values}, phi{phi_values};
  const user::Stream stream;

  [[nodiscard]] ops::Weights<T> weights(std::optional<ensyn::NoiseKey> key) const {
    return {.inputs = kInputs, .outputs = kOutputs, .mu = mu.data(), .phi = phi.data(), .key = key};
  }
  [[nodiscard]] std::vector<T> sampled(std::optional<ensyn::NoiseKey> key) const {
    const Array<T> output(kSize);
    ops::sample_weights(ops::SampleWeights<T>{.weights = weights(key), .output = output.data()},
                        stream.get());
    return output.read();
  }
};
TYPED_TEST_SUITE(OpsValues, user::Numbers);

/// Sums of a handful of products, in double or in another order.
template <class T>
constexpr double kTolerance = 100 * std::numeric_limits<T>::epsilon();

template <class T>
void expect_near(const std::vector<T>& values, const std::vector<double>& expected) {
  ASSERT_EQ(values.size(), expected.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    EXPECT_NEAR(static_cast<double>(values[i]), expected[i], kTolerance<T>) << "element " << i;
  }
}

/// x w^T + bias.
template <class T>
std::vector<double> product(const std::vector<T>& x, const std::vector<T>& w, std::size_t batch,
                            std::size_t inputs, std::size_t outputs) {
  std::vector<double> result;
  for (std::size_t b = 0; b < batch; ++b) {
    for (std::size_t r = 0; r < outputs; ++r) {
      double sum = static_cast<double>(w[r * (inputs + 1) + inputs]);
      for (std::size_t k = 0; k < inputs; ++k) {
        sum += static_cast<double>(x[b * inputs + k]) * static_cast<double>(w[r * (inputs + 1) + k]);
      }
      result.push_back(sum);
    }
  }
  return result;
}

TYPED_TEST(OpsValues, NoiseIsThatOfTheContractAndLeavesThePaddingAlone) {
  using T = TypeParam;
  constexpr int kRows = 5, kNoiseColumns = 7, kStride = 9;
  std::vector<T> expected(kRows * kNoiseColumns);
  ensyn::noise_normals(kKey, kRows, kNoiseColumns, std::span<T>(expected));
  const Array<T> output(kRows * kStride);
  ops::noise(ops::Noise<T>{.key = kKey,
                           .rows = kRows,
                           .columns = kNoiseColumns,
                           .output = output.data(),
                           .output_stride = kStride},
             this->stream.get());
  const std::vector<T> values = output.read();
  for (std::size_t row = 0; row < kRows; ++row) {
    for (std::size_t column = 0; column < kStride; ++column) {
      const T value = values[row * kStride + column];
      if (column < kNoiseColumns) {
        EXPECT_EQ(value, expected[row * kNoiseColumns + column]);
      } else {
        EXPECT_TRUE(std::isnan(value));
      }
    }
  }
}

TYPED_TEST(OpsValues, SampledWeightsAreMuAndNoise) {
  using T = TypeParam;
  EXPECT_EQ(this->sampled(std::nullopt), this->mu_values);
  std::vector<T> xi(this->kSize);
  ensyn::noise_normals(kKey, this->kOutputs, this->kColumns, std::span<T>(xi));
  std::vector<double> expected;
  for (std::size_t i = 0; i < this->kSize; ++i) {
    const double sigma = std::log1p(std::exp(static_cast<double>(this->phi_values[i])));
    expected.push_back(static_cast<double>(this->mu_values[i]) + sigma * static_cast<double>(xi[i]));
  }
  expect_near(this->sampled(kKey), expected);
}

TYPED_TEST(OpsValues, OnePhiServesAllWeights) {
  using T = TypeParam;
  const std::vector<T> same(this->kSize, this->phi_values[1]);
  const Array<T> matrix(same), one(std::vector<T>{this->phi_values[1]}), a(this->kSize), b(this->kSize);
  ops::Weights<T> weights = this->weights(kKey);
  weights.phi = matrix.data();
  ops::sample_weights(ops::SampleWeights<T>{.weights = weights, .output = a.data()}, this->stream.get());
  weights.phi = one.data();
  weights.noise = ensyn::NoiseKind::homogeneous;
  ops::sample_weights(ops::SampleWeights<T>{.weights = weights, .output = b.data()}, this->stream.get());
  EXPECT_EQ(a.read(), b.read());
}

TYPED_TEST(OpsValues, ForwardDrawsAnewForEachMinibatch) {
  using T = TypeParam;
  constexpr std::size_t kExamples = 8, kBatch = 3;
  const std::vector<T> x_values = numbers<T>(kExamples * this->kInputs, 3);
  const Array<T> x(x_values), output(kExamples * this->kOutputs);
  ops::forward(ops::Forward<T>{.weights = this->weights(kKey),
                               .x = x.data(),
                               .output = output.data(),
                               .batch = kBatch,
                               .examples = kExamples},
               this->stream.get());
  std::vector<double> expected;
  for (std::size_t first = 0; first < kExamples; first += kBatch) {
    ensyn::NoiseKey key = kKey;
    key.step += first / kBatch;
    const std::size_t count = std::min(kBatch, kExamples - first);
    const auto begin = x_values.begin() + static_cast<std::ptrdiff_t>(first * this->kInputs);
    const std::vector<T> part(begin, begin + static_cast<std::ptrdiff_t>(count * this->kInputs));
    const auto of_part = product(part, this->sampled(key), count, this->kInputs, this->kOutputs);
    expected.insert(expected.end(), of_part.begin(), of_part.end());
  }
  expect_near(output.read(), expected);
}

TYPED_TEST(OpsValues, ForwardWithoutAKeyTakesMu) {
  using T = TypeParam;
  constexpr std::size_t kBatch = 4;
  const std::vector<T> x_values = numbers<T>(kBatch * this->kInputs, 3);
  const Array<T> x(x_values), output(kBatch * this->kOutputs);
  ops::Weights<T> weights = this->weights(std::nullopt);
  weights.phi = nullptr;
  ops::forward(ops::Forward<T>{.weights = weights,
                               .x = x.data(),
                               .output = output.data(),
                               .batch = kBatch,
                               .activation = ensyn::Activation::relu},
               this->stream.get());
  std::vector<double> expected = product(x_values, this->mu_values, kBatch, this->kInputs, this->kOutputs);
  for (double& value : expected) value = std::fmax(value, 0.0);
  expect_near(output.read(), expected);
}

TYPED_TEST(OpsValues, BackwardUsesTheWeightsOfTheForwardPass) {
  using T = TypeParam;
  constexpr std::size_t kBatch = 6;
  const std::size_t inputs = this->kInputs, outputs = this->kOutputs;
  const std::vector<T> delta_values = numbers<T>(kBatch * outputs, 4), gate = numbers<T>(kBatch * inputs, 5);
  const Array<T> delta(delta_values), activation(gate), output(kBatch * inputs);
  ops::Backward<T> args{.weights = this->weights(kKey),
                        .delta = delta.data(),
                        .activation = activation.data(),
                        .output = output.data(),
                        .batch = kBatch};
  const std::vector<T> w = this->sampled(kKey);
  for (const bool masked : {true, false}) {
    if (!masked) args.activation = nullptr;
    ops::backward(args, this->stream.get());
    std::vector<double> expected;
    for (std::size_t b = 0; b < kBatch; ++b) {
      for (std::size_t k = 0; k < inputs; ++k) {
        double sum = 0;
        for (std::size_t r = 0; r < outputs; ++r) {
          sum += static_cast<double>(delta_values[b * outputs + r]) *
                 static_cast<double>(w[r * (inputs + 1) + k]);
        }
        expected.push_back(masked && !(gate[b * inputs + k] > 0) ? 0 : sum);
      }
    }
    expect_near(output.read(), expected);
  }
}

TYPED_TEST(OpsValues, LossItsGradientAndLogProbabilitiesAgree) {
  using T = TypeParam;
  constexpr std::size_t kBatch = 3, kClasses = 4;
  const std::vector<T> z = numbers<T>(kBatch * kClasses, 6);
  const std::vector<std::uint8_t> y{0, 3, 1};
  const Array<T> logits(z), log_p(z), nll(kBatch);
  const Array<std::uint8_t> labels(y), correct(kBatch);
  ops::cross_entropy(ops::CrossEntropy<T>{.logits = logits.data(),
                                          .classes = kClasses,
                                          .batch = kBatch,
                                          .labels = labels.data(),
                                          .nll = nll.data(),
                                          .correct = correct.data()},
                     this->stream.get());
  ops::log_softmax(
      ops::LogSoftmax<T>{
          .logits = log_p.data(), .output = log_p.data(), .classes = kClasses, .examples = kBatch},
      this->stream.get());
  std::vector<double> expected_log_p, expected_gradient, expected_nll;
  std::vector<std::uint8_t> expected_correct;
  for (std::size_t b = 0; b < kBatch; ++b) {
    double sum = 0;
    std::size_t best = 0;
    for (std::size_t k = 0; k < kClasses; ++k) {
      sum += std::exp(static_cast<double>(z[b * kClasses + k]));
      if (z[b * kClasses + k] > z[b * kClasses + best]) best = k;
    }
    for (std::size_t k = 0; k < kClasses; ++k) {
      const double value = static_cast<double>(z[b * kClasses + k]) - std::log(sum);
      expected_log_p.push_back(value);
      expected_gradient.push_back(std::exp(value) - (k == y[b] ? 1 : 0));
      if (k == y[b]) expected_nll.push_back(-value);
    }
    expected_correct.push_back(best == y[b] ? 1 : 0);
  }
  expect_near(log_p.read(), expected_log_p);
  expect_near(logits.read(), expected_gradient);
  expect_near(nll.read(), expected_nll);
  EXPECT_EQ(correct.read(), expected_correct);
}

TYPED_TEST(OpsValues, StatisticsAddUpOverCalls) {
  using T = TypeParam;
  constexpr std::size_t kBatch = 5;
  const std::size_t inputs = this->kInputs, outputs = this->kOutputs, columns = inputs + 1;
  const std::vector<T> x_values = numbers<T>(kBatch * inputs, 7), d = numbers<T>(kBatch * outputs, 8);
  const Array<T> x(x_values), delta(d);
  const std::vector<T> zeros(this->kSize);
  const Array<T> squared(zeros), absolute(zeros), input{std::vector<T>(inputs)},
      absolute_input{std::vector<T>(inputs)};
  for (int call = 0; call < 2; ++call) {
    ops::gradient_statistics(ops::GradientStatistics<T>{.inputs = this->kInputs,
                                                        .outputs = this->kOutputs,
                                                        .batch = kBatch,
                                                        .x = x.data(),
                                                        .delta = delta.data(),
                                                        .mu = this->mu.data(),
                                                        .lambda = 0.5,
                                                        .fraction = 0.25,
                                                        .squared_gradient = squared.data(),
                                                        .absolute_gradient = absolute.data(),
                                                        .input_sum = input.data(),
                                                        .absolute_input_sum = absolute_input.data()},
                             this->stream.get());
  }
  std::vector<double> squares, absolutes, sums(inputs), absolute_sums(inputs);
  for (std::size_t r = 0; r < outputs; ++r) {
    for (std::size_t k = 0; k < columns; ++k) {
      double g = 0;
      for (std::size_t b = 0; b < kBatch; ++b) {
        const double in = k == inputs ? 1 : static_cast<double>(x_values[b * inputs + k]);
        g += static_cast<double>(d[b * outputs + r]) * in;
        if (r == 0 && k < inputs) sums[k] += 2 * in, absolute_sums[k] += 2 * std::fabs(in);
      }
      const T m = this->mu_values[r * columns + k];
      g += 0.125 * (m > 0 ? 1 : m < 0 ? -1 : 0);
      squares.push_back(2 * g * g);
      absolutes.push_back(2 * std::fabs(g));
    }
  }
  expect_near(squared.read(), squares);
  expect_near(absolute.read(), absolutes);
  expect_near(input.read(), sums);
  expect_near(absolute_input.read(), absolute_sums);
}

TYPED_TEST(OpsValues, InitialisationClearsThePaddingOfEachRow) {
  using T = TypeParam;
  constexpr int kStride = 14;
  const std::size_t size = static_cast<std::size_t>(this->kOutputs) * kStride;
  const Array<T> means(size), m1(size), m2(size);
  ensyn::NetworkConfig config;
  config.noise = ensyn::NoiseKind::homogeneous;
  ops::initialize(ops::Initialize<T>{.parameters = {.inputs = this->kInputs,
                                                    .outputs = this->kOutputs,
                                                    .mu = means.data(),
                                                    .mu_moment1 = m1.data(),
                                                    .mu_moment2 = m2.data(),
                                                    .stride = kStride},
                                     .tensor = 1,
                                     .config = config},
                  this->stream.get());
  EXPECT_EQ(m1.read(), std::vector<T>(size));
  EXPECT_EQ(m2.read(), std::vector<T>(size));
  const std::vector<T> values = means.read();
  for (std::size_t i = 0; i < size; ++i) {
    if (i % kStride >= static_cast<std::size_t>(this->kColumns)) {
      EXPECT_EQ(values[i], T(0));
    } else {
      EXPECT_TRUE(values[i] != T(0) && std::fabs(values[i]) < T(0.1)) << values[i];
    }
  }
}

}  // namespace
