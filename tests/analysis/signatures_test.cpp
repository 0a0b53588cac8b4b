// Measured signatures against the oracle, against finite differences, and against themselves.
#include "ensyn/signatures.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "ensyn/device.h"
#include "ensyn/error.h"
#include "ensyn/population.h"
#include "oracle/compare.h"
#include "oracle/oracle.h"
#include "oracle/parity.h"

namespace {

using compare::all_close;
using compare::Reference;
using ensyn::LayerSignatures;
using ensyn::Population;
using ensyn::Precision;
using ensyn::SignatureConfig;
using ensyn::Signatures;
using parity::Case;

/// Sums of what the library measures, for all parameters of one layer, biases included.
struct NaiveLayer {
  oracle::Matrix squared, absolute, hessian;
  std::vector<double> rate, square;
};

/// d output[which] / d weights of one example.
oracle::Layers jacobian(const oracle::Layers& weights, const oracle::Forward& forward, std::size_t which) {
  oracle::Layers result;
  for (const oracle::Matrix& w : weights) result.emplace_back(w.rows, w.columns);
  std::vector<double> delta(forward.after.back().size());
  delta[which] = 1;
  for (std::size_t l = weights.size(); l-- > 0;) {
    const oracle::Matrix& w = weights[l];
    std::vector<double> below(static_cast<std::size_t>(w.columns) - 1);
    for (int r = 0; r < w.rows; ++r) {
      const double d = delta[static_cast<std::size_t>(r)];
      result[l].at(r, w.columns - 1) = d;
      for (int k = 0; k + 1 < w.columns; ++k) {
        const auto at = static_cast<std::size_t>(k);
        result[l].at(r, k) = d * forward.after[l][at];
        if (l > 0 && forward.before[l][at] > 0) below[at] += d * w.at(r, k);
      }
    }
    delta = below;
  }
  return result;
}

/// Diagonal of J^T (diag(p) - p p^T) J, or of J^T J / eps^2.
void add_hessian(const oracle::Settings& settings, const oracle::Layers& weights,
                 const oracle::Forward& forward, std::vector<NaiveLayer>& layers) {
  const std::vector<double> log_p = oracle::log_softmax(forward.after.back());
  oracle::Layers first, second;
  for (const oracle::Matrix& w : weights) {
    first.emplace_back(w.rows, w.columns);
    second.emplace_back(w.rows, w.columns);
  }
  for (std::size_t c = 0; c < log_p.size(); ++c) {
    const double eps = settings.observation_sd;
    const double p = settings.gaussian ? 1 / (eps * eps) : std::exp(log_p[c]);
    const oracle::Layers j = jacobian(weights, forward, c);
    for (std::size_t l = 0; l < weights.size(); ++l) {
      for (std::size_t i = 0; i < j[l].values.size(); ++i) {
        const double d = j[l].values[i];
        if (!settings.gaussian) first[l].values[i] += p * d;
        second[l].values[i] += p * d * d;
      }
    }
  }
  for (std::size_t l = 0; l < weights.size(); ++l) {
    for (std::size_t i = 0; i < first[l].values.size(); ++i) {
      layers[l].hessian.values[i] += second[l].values[i] - first[l].values[i] * first[l].values[i];
    }
  }
}

std::vector<NaiveLayer> naive(const oracle::Settings& settings, const oracle::Parameters& parameters,
                              const oracle::Data& data, int first_epoch, int epochs, bool at_mean) {
  std::vector<NaiveLayer> layers;
  for (const oracle::Matrix& mu : parameters.mu) {
    const oracle::Matrix zero(mu.rows, mu.columns);
    const std::vector<double> inputs(static_cast<std::size_t>(mu.columns) - 1);
    layers.push_back({zero, zero, zero, inputs, inputs});
  }
  const int steps_per_epoch = settings.examples / settings.batch;
  for (int step = first_epoch * steps_per_epoch; step < (first_epoch + epochs) * steps_per_epoch; ++step) {
    const auto number = static_cast<std::uint64_t>(step);
    oracle::Layers noise = oracle::draw_noise(settings, number, oracle::kTraining);
    if (at_mean) {
      for (auto& layer : noise) std::fill(layer.values.begin(), layer.values.end(), 0.0);
    }
    const auto minibatch = oracle::minibatch_at(settings, number);
    const oracle::Parameters g = oracle::gradient(settings, parameters, noise, data, minibatch);
    const oracle::Layers weights = oracle::sample_weights(settings, parameters, noise);
    for (std::size_t l = 0; l < layers.size(); ++l) {
      for (std::size_t i = 0; i < g.mu[l].values.size(); ++i) {
        layers[l].squared.values[i] += g.mu[l].values[i] * g.mu[l].values[i];
        layers[l].absolute.values[i] += std::fabs(g.mu[l].values[i]);
      }
    }
    for (const std::uint32_t index : minibatch) {
      const oracle::Forward forward = oracle::forward(weights, oracle::example(data, index));
      add_hessian(settings, weights, forward, layers);
      for (std::size_t l = 0; l < layers.size(); ++l) {
        for (std::size_t k = 0; k < layers[l].rate.size(); ++k) {
          layers[l].rate[k] += std::fabs(forward.after[l][k]);
          layers[l].square[k] += forward.after[l][k] * forward.after[l][k];
        }
      }
    }
  }
  return layers;
}

std::vector<double> without_biases(const oracle::Matrix& sums, double examples) {
  std::vector<double> result;
  for (int r = 0; r < sums.rows; ++r) {
    for (int k = 0; k + 1 < sums.columns; ++k) result.push_back(sums.at(r, k) / examples);
  }
  return result;
}

std::vector<double> divided(std::vector<double> sums, double examples) {
  for (double& x : sums) x /= examples;
  return sums;
}

/// Every element within `relative` of itself or of the largest: sums of products of either sign.
::testing::AssertionResult near(const std::vector<double>& got, const std::vector<double>& want,
                                double relative) {
  return all_close(got, want, {relative * parity::largest(want), relative}, Reference::may_be_zero);
}

void compare_with_oracle(const Case& test, bool at_mean, double tolerance) {
  const ensyn::Dataset data = parity::make_data(test);
  Population population(test.config, data, parity::on_cpu());
  population.train_steps(population.steps_per_epoch() + 1);  // the next epoch that has not begun is 2
  SignatureConfig config{.epochs = 2, .at_mean = at_mean, .first_epoch = {}};
  for (int m = 0; m < population.size(); ++m) {
    SCOPED_TRACE(test.name + ", network " + std::to_string(m) + (at_mean ? ", at the mean" : ""));
    const Signatures found = population.signatures(m, config);
    const auto settings = parity::to_oracle(test.config, m, test.examples);
    const auto parameters = parity::to_oracle(population, m);
    const auto expected = naive(settings, parameters, parity::to_oracle(data), 2, 2, at_mean);
    const auto examples = static_cast<double>(found.examples);
    EXPECT_EQ(found.minibatches, 2 * population.steps_per_epoch());
    EXPECT_EQ(found.examples, found.minibatches * static_cast<std::uint64_t>(test.config.batch));
    EXPECT_EQ(found.training_examples, test.examples);
    EXPECT_EQ(found.end_epoch, 4u);
    ASSERT_EQ(found.layers.size(), expected.size());
    for (std::size_t l = 0; l < expected.size(); ++l) {
      SCOPED_TRACE("layer " + std::to_string(l));
      const LayerSignatures& layer = found.layers[l];
      EXPECT_TRUE(near(layer.curvature, without_biases(expected[l].squared, examples), tolerance));
      EXPECT_TRUE(
          near(layer.mean_absolute_gradient, without_biases(expected[l].absolute, examples), tolerance));
      EXPECT_TRUE(near(layer.hessian, without_biases(expected[l].hessian, examples), tolerance));
      std::vector<double> of_biases;
      for (int r = 0; r < layer.outputs; ++r) {
        of_biases.push_back(expected[l].hessian.at(r, layer.inputs) / examples);
      }
      EXPECT_TRUE(near(layer.bias_hessian, of_biases, tolerance));
      EXPECT_TRUE(near(layer.input_rate, divided(expected[l].rate, examples), tolerance));
      EXPECT_TRUE(near(layer.input_square, divided(expected[l].square, examples), tolerance));
      const auto stored = population.parameters(m, static_cast<int>(l));
      std::vector<double> mu, sigma;
      for (int r = 0; r < stored.rows; ++r) {
        for (int k = 0; k + 1 < stored.columns; ++k) {
          mu.push_back(stored.mu[static_cast<std::size_t>(r * stored.columns + k)]);
          sigma.push_back(stored.sigma[static_cast<std::size_t>(r * stored.columns + k)]);
        }
      }
      EXPECT_EQ(layer.mu, mu);
      EXPECT_TRUE(near(layer.sigma, sigma, tolerance));
    }
  }
}

const std::vector<std::string> kCases{"minimal",
                                      "hidden_of_one",
                                      "odd_sizes",
                                      "four_layers",
                                      "wide_batch_21",
                                      "wide_batch_1",
                                      "edges_of_blocks",
                                      "classes_33",
                                      "bytes",
                                      "batch_is_all",
                                      "variational_prior",
                                      "population_own_order",
                                      "binomial_of_5",
                                      "regression_minimal",
                                      "regression_outputs_16",
                                      "regression_outputs_33"};

TEST(Signatures, AgreeWithTheOracleInDoublePrecision) {
  for (const std::string& name : kCases) {
    const Case test = parity::case_named(name, Precision::double_precision);
    compare_with_oracle(test, false, 1e-12);
    // The oracle's own draw of a number of vesicles is never the mean.
    if (test.config.members[0].law == ensyn::NoiseLaw::gaussian) compare_with_oracle(test, true, 1e-12);
  }
}

TEST(Signatures, AreMeasuredUnderTheNetworksLaw) {
  // Of binomial weights, whose gradients in mu are those in the weight.
  for (const Precision precision : {Precision::double_precision, Precision::single_precision}) {
    const double tolerance = precision == Precision::double_precision ? 1e-12 : 3e-5;
    compare_with_oracle(parity::case_named("binomial_of_5", precision), false, tolerance);
  }
}

TEST(Signatures, AgreeWithTheOracleInSinglePrecision) {
  for (const std::string& name : kCases) {
    compare_with_oracle(parity::case_named(name, Precision::single_precision), false, 3e-5);
  }
}

/// Central differences of the oracle's gradient in mu: the diagonal of the Hessian of the summed NLL.
std::vector<double> finite_differences(const oracle::Settings& settings, oracle::Parameters parameters,
                                       const oracle::Layers& noise, const oracle::Data& data,
                                       const std::vector<std::uint32_t>& minibatch, std::size_t layer) {
  constexpr double kStep = 1e-5;
  std::vector<double> result;
  oracle::Matrix& mu = parameters.mu[layer];
  for (int r = 0; r < mu.rows; ++r) {
    for (int k = 0; k + 1 < mu.columns; ++k) {
      const double middle = mu.at(r, k);
      double g[2];
      for (const int side : {0, 1}) {
        mu.at(r, k) = middle + (side == 0 ? -kStep : kStep);
        g[side] = oracle::gradient(settings, parameters, noise, data, minibatch).mu[layer].at(r, k);
      }
      mu.at(r, k) = middle;
      result.push_back((g[1] - g[0]) / (2 * kStep));
    }
  }
  return result;
}

TEST(Signatures, HessianIsTheSecondDerivative) {
  for (const std::vector<int>& sizes : {std::vector<int>{5, 3}, {4, 6, 3}, {4, 5, 7, 3}}) {
    Case test = parity::case_named("batch_is_all", Precision::double_precision);
    test.config.architecture.sizes = sizes;
    test.config.members[0].lambda = 0;
    const ensyn::Dataset data = parity::make_data(test);
    const Population population(test.config, data, parity::on_cpu());
    const Signatures found = population.signatures(0, {.epochs = 1, .at_mean = false, .first_epoch = 7});
    const auto settings = parity::to_oracle(test.config, 0, test.examples);
    const auto noise = oracle::draw_noise(settings, 7, oracle::kTraining);
    for (std::size_t l = 0; l < found.layers.size(); ++l) {
      const auto expected = finite_differences(settings, parity::to_oracle(population, 0), noise,
                                               parity::to_oracle(data), oracle::minibatch_at(settings, 7), l);
      EXPECT_TRUE(near(found.layers[l].hessian, divided(expected, 21), 1e-7)) << sizes.size() << ", " << l;
    }
  }
}

TEST(Signatures, SteinsIdentityHolds) {
  // E[xi dL/dw] = sigma E[d2L/dw2] for Gaussian noise: the left from the oracle's draws, the right measured.
  Case test = parity::case_named("batch_is_all", Precision::double_precision);
  test.config.architecture.sizes = {4, 3};
  test.config.members[0].lambda = 0;
  const ensyn::Dataset data = parity::make_data(test);
  const Population population(test.config, data, parity::on_cpu());
  constexpr int kDraws = 3000;
  const LayerSignatures layer =
      population.signatures(0, {.epochs = kDraws, .at_mean = false, .first_epoch = kDraws}).layers[0];
  const auto settings = parity::to_oracle(test.config, 0, test.examples);
  const auto parameters = parity::to_oracle(population, 0);
  const auto examples = parity::to_oracle(data);
  const auto minibatch = oracle::minibatch_at(settings, 0);
  std::vector<double> sums(layer.hessian.size()), squares(layer.hessian.size());
  for (std::uint64_t step = 0; step < kDraws; ++step) {
    const auto noise = oracle::draw_noise(settings, step, oracle::kTraining);
    const auto g = oracle::gradient(settings, parameters, noise, examples, minibatch);
    for (std::size_t i = 0; i < sums.size(); ++i) {
      const int row = static_cast<int>(i) / 4, column = static_cast<int>(i) % 4;
      const double product = noise[0].at(row, column) * g.mu[0].at(row, column);
      sums[i] += product;
      squares[i] += product * product;
    }
  }
  double largest = 0;
  for (std::size_t i = 0; i < sums.size(); ++i) {
    const double mean = sums[i] / kDraws, right = layer.sigma[i] * 21 * layer.hessian[i];
    const double error = std::sqrt((squares[i] / kDraws - mean * mean) / kDraws);
    EXPECT_NEAR(mean, right, 5 * error) << i;
    largest = std::max(largest, right / error);
  }
  EXPECT_GT(largest, 10);  // what is compared stands out of the noise
}

std::vector<double> everything(const Signatures& signatures) {
  std::vector<double> all;
  for (const LayerSignatures& layer : signatures.layers) {
    for (const auto* part : {&layer.mu, &layer.sigma, &layer.curvature, &layer.mean_absolute_gradient,
                             &layer.hessian, &layer.bias_hessian, &layer.input_rate, &layer.input_square}) {
      all.insert(all.end(), part->begin(), part->end());
    }
  }
  return all;
}

TEST(Signatures, ThreadsAndInstructionSetsDoNotShow) {
  for (const Precision precision : {Precision::single_precision, Precision::double_precision}) {
    // Of 67 or 250 minibatches, so that there are several chunks.
    for (const std::string name : {"wide_batch_1", "hidden_of_one", "bytes"}) {
      Case test = parity::case_named(name, precision);
      test.config.batch = 1;
      const ensyn::Dataset data = parity::make_data(test);
      const auto run = [&](const std::string& set, int threads) {
        return everything(
            Population(test.config, data, parity::on_cpu(set, threads)).signatures(0, {.epochs = 2}));
      };
      const auto one = run("auto", 1);
      for (const int threads : {2, 3, 7}) EXPECT_EQ(run("auto", threads), one) << name << threads;
      for (const std::string& set : ensyn::instruction_sets()) EXPECT_EQ(run(set, 2), one) << name << set;
    }
  }
}

TEST(Signatures, ArePure) {
  const Case test = parity::case_named("bytes", Precision::single_precision);
  const ensyn::Dataset data = parity::make_data(test);
  Population one(test.config, data, parity::on_cpu()), other(test.config, data, parity::on_cpu());
  one.train_steps(5);
  const auto first = everything(one.signatures(0));
  EXPECT_EQ(everything(one.signatures(0)), first);
  EXPECT_NE(everything(one.signatures(0, {.epochs = 10, .at_mean = false, .first_epoch = 30})), first);
  one.train_steps(5);
  other.train_steps(10);
  EXPECT_EQ(one.parameters(0, 0).mu, other.parameters(0, 0).mu);
  EXPECT_EQ(one.parameters(0, 0).phi, other.parameters(0, 0).phi);
}

TEST(Signatures, RefuseWhatTheyCannotDo) {
  const Case test = parity::case_named("minimal", Precision::single_precision);
  Population population(test.config, parity::make_data(test), parity::on_cpu());
  EXPECT_THROW((void)population.signatures(1), ensyn::ConfigError);
  EXPECT_THROW((void)population.signatures(0, {.epochs = 0}), ensyn::ConfigError);
  Case log_normal = test;
  log_normal.config.members[0].law = ensyn::NoiseLaw::log_normal;
  const Population other(log_normal.config, parity::make_data(test), parity::on_cpu());
  EXPECT_THROW((void)other.signatures(0), ensyn::ConfigError);
  const std::uint64_t beyond = (std::uint64_t{1} << 40) / 67;
  EXPECT_THROW((void)population.signatures(0, {.epochs = 1, .at_mean = false, .first_epoch = beyond}),
               ensyn::ConfigError);
  ensyn::LayerParameters large = population.parameters(0, 0);
  std::fill(large.mu.begin(), large.mu.end(), 3e38);
  population.set_parameters(0, 0, large);
  EXPECT_THROW((void)population.signatures(0), ensyn::Error);
}

LayerSignatures synthetic(double exponent) {
  LayerSignatures layer;
  layer.outputs = 3;
  layer.inputs = 2;
  layer.curvature = {1, 2, 4, 0, 16, 32};
  layer.mean_absolute_gradient = {1, 2, 3, 0, 5, 6};
  layer.hessian = {2, 4, 8, 16, 32, 64};
  layer.input_rate = {0.5, 2};
  layer.input_square = {1, 9};
  for (const double h : layer.hessian) layer.sigma.push_back(0.1 * std::pow(h, exponent / 2));
  return layer;
}

TEST(Relation, FindsAPowerLaw) {
  const LayerSignatures layer = synthetic(-0.8);
  const auto found = ensyn::relation(layer, ensyn::Quantity::hessian);
  ASSERT_TRUE(found);
  EXPECT_NEAR(found->log_log.slope, -0.8, 1e-12);
  EXPECT_NEAR(found->spearman, -1, 1e-12);
  EXPECT_EQ(found->log_log.n, 6u);
  // A synapse without gradient has no place on a logarithmic axis.
  EXPECT_EQ(ensyn::relation(layer, ensyn::Quantity::curvature)->log_log.n, 5u);
  EXPECT_EQ(ensyn::relation(layer, ensyn::Quantity::learning_rate)->log_log.n, 5u);
  EXPECT_NEAR(ensyn::relation(layer, ensyn::Quantity::learning_rate_rms)->log_log.slope, 1.6, 1e-12);
  EXPECT_EQ(ensyn::values_of(layer, ensyn::Quantity::learning_rate, 6)[2], 2);
  EXPECT_EQ(ensyn::values_of(layer, ensyn::Quantity::learning_rate_rms, 6)[2], 3);
  EXPECT_EQ(ensyn::values_of(layer, ensyn::Quantity::input_rate),
            (std::vector<double>{0.5, 2, 0.5, 2, 0.5, 2}));
  EXPECT_EQ(ensyn::values_of(layer, ensyn::Quantity::input_square), (std::vector<double>{1, 9, 1, 9, 1, 9}));
  LayerSignatures shared = layer;
  std::fill(shared.sigma.begin(), shared.sigma.end(), 0.1);
  EXPECT_FALSE(ensyn::relation(shared, ensyn::Quantity::hessian));
  shared = layer;
  std::fill(shared.input_rate.begin(), shared.input_rate.end(), 1.0);
  EXPECT_FALSE(ensyn::relation(shared, ensyn::Quantity::input_rate));
  shared.curvature = {0, 0, 0, 0, 1, 2};
  EXPECT_FALSE(ensyn::relation(shared, ensyn::Quantity::curvature));
}

TEST(Relation, IsNoneOfSigmasThatHardlyDiffer) {
  // As sharp a power law as before, over sigmas that all lie within 4 %, and within 6 %.
  EXPECT_FALSE(ensyn::relation(synthetic(-2 * std::log(1.04) / std::log(32)), ensyn::Quantity::hessian));
  EXPECT_TRUE(ensyn::relation(synthetic(-2 * std::log(1.07) / std::log(32)), ensyn::Quantity::hessian));
  EXPECT_FALSE(ensyn::sigmas_differ(0.01, 0.01049));
  EXPECT_TRUE(ensyn::sigmas_differ(0.01, 0.01051));
}

TEST(FixedPointRatio, IsOneThere) {
  ensyn::NetworkConfig network;
  network.costs = {{0.5, 3e-2}};
  // sigma^(rho + 2) = c rho / (N H) with N = 10.
  LayerSignatures layer = synthetic(0);
  for (std::size_t i = 0; i < 6; ++i) layer.sigma[i] = std::pow(1.5e-2 / (10 * layer.hessian[i]), 1 / 2.5);
  for (const double ratio : ensyn::fixed_point_ratios(layer, 10, network)) EXPECT_NEAR(ratio, 1, 1e-12);
  layer.sigma[2] *= 2;
  EXPECT_NEAR(ensyn::fixed_point_ratios(layer, 10, network)[2], std::pow(2, 2.5), 1e-11);
  network.costs = {{0.5, 3e-2}, {2, 1e-3}};
  layer.sigma[1] = 0.2;
  const double right = 1.5e-2 * std::pow(0.2, -1.5) + 2e-3 * std::pow(0.2, -3);
  EXPECT_NEAR(ensyn::fixed_point_ratios(layer, 10, network)[1], 0.2 * 10 * 4 / right, 1e-12);
  network.objective = ensyn::Objective::variational;
  network.prior_sigma = 0.5;
  EXPECT_NEAR(ensyn::fixed_point_ratios(layer, 10, network)[1], 0.04 * (40 + 4), 1e-12);
  network.noise = ensyn::NoiseKind::homogeneous;
  EXPECT_TRUE(ensyn::fixed_point_ratios(layer, 10, network).empty());
  network = {};
  network.costs = {{2, 0}};
  EXPECT_TRUE(ensyn::fixed_point_ratios(layer, 10, network).empty());
}

}  // namespace
