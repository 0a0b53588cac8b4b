// The C++ peer of bench/peers under emulation, against a training step written with plain loops in double
// precision.

#include "bench/peers/cublas_population.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "host/cuda/runtime.h"

namespace {

using Rows = std::vector<std::vector<double>>;

struct Parameter {
  double value = 0, moment1 = 0, moment2 = 0;

  void adam(double gradient, int step, double rate, double epsilon) {
    moment1 = 0.9 * moment1 + 0.1 * gradient;
    moment2 = 0.999 * moment2 + 0.001 * gradient * gradient;
    const double corrected1 = moment1 / (1 - std::pow(0.9, step));
    const double corrected2 = moment2 / (1 - std::pow(0.999, step));
    value -= rate * corrected1 / (std::sqrt(corrected2) + epsilon);
  }
};

double softplus(double x) {
  return std::log1p(std::exp(x));
}

/// One network, trained as the paper does.
class Reference {
 public:
  Reference(const peer::Problem& problem, std::size_t network)
      : problem_(problem), settings_(problem.networks[network]) {
    const std::size_t count = parameter_count(problem), rows = problem.mu.size() / count;
    for (std::size_t i = 0; i < count; ++i) mu_.push_back({problem.mu[network % rows * count + i]});
    phi_.assign(settings_.homogeneous ? 1 : count, {settings_.initial_phi});
  }

  static std::size_t parameter_count(const peer::Problem& problem) {
    std::size_t count = 0;
    for (std::size_t l = 0; l + 1 < problem.sizes.size(); ++l) {
      count += static_cast<std::size_t>((problem.sizes[l] + 1) * problem.sizes[l + 1]);
    }
    return count;
  }

  /// \returns the NLL of the minibatch
  double step(int number, const float* noise) {
    weights_.clear();
    for (std::size_t i = 0; i < mu_.size(); ++i) weights_.push_back(mu_[i].value + sigma(i) * noise[i]);
    gradient_.assign(mu_.size(), 0.0);
    double nll = 0;
    for (int b = 0; b < problem_.batch; ++b) {
      nll += example(problem_.order[static_cast<std::size_t>((number - 1) * problem_.batch + b)]);
    }
    update(number, noise);
    return nll;
  }
  [[nodiscard]] double mu(std::size_t i) const { return mu_[i].value; }
  [[nodiscard]] double phi(std::size_t i) const { return phi_[i].value; }

 private:
  [[nodiscard]] double sigma(std::size_t i) const {
    return softplus(phi_[settings_.homogeneous ? 0 : i].value);
  }

  double example(int index) {
    const auto pixels = static_cast<std::size_t>(problem_.sizes.front());
    Rows h(1);
    for (std::size_t p = 0; p < pixels; ++p) {
      const double byte = problem_.images[static_cast<std::size_t>(index) * pixels + p];
      h[0].push_back((byte / 255 - problem_.constants.pixel_mean) / problem_.constants.pixel_sd);
    }
    std::vector<std::size_t> first{0};
    const std::size_t layers = problem_.sizes.size() - 1;
    for (std::size_t l = 0; l < layers; ++l) {
      const auto outputs = static_cast<std::size_t>(problem_.sizes[l + 1]);
      const std::size_t inputs = h[l].size(), biases = first[l] + inputs * outputs;
      std::vector<double> row;
      for (std::size_t o = 0; o < outputs; ++o) {
        double sum = weights_[biases + o];
        for (std::size_t i = 0; i < inputs; ++i) sum += weights_[first[l] + o * inputs + i] * h[l][i];
        row.push_back(l + 1 < layers ? std::max(sum, 0.0) : sum);
      }
      h.push_back(row);
      first.push_back(biases + outputs);
    }
    double sum = 0;
    for (const double logit : h.back()) sum += std::exp(logit);
    const std::size_t label = problem_.labels[static_cast<std::size_t>(index)];
    const double nll = std::log(sum) - h.back()[label];
    std::vector<double> d;
    for (std::size_t k = 0; k < h.back().size(); ++k) {
      d.push_back(std::exp(h.back()[k]) / sum - (k == label ? 1 : 0));
    }
    for (std::size_t l = layers; l-- > 0;) d = back(h[l], d, first[l]);
    return nll;
  }

  /// Adds a layer's gradients. \returns that of its inputs, as a ReLU lets it through
  std::vector<double> back(const std::vector<double>& input, const std::vector<double>& d,
                           std::size_t first) {
    std::vector<double> below(input.size(), 0.0);
    for (std::size_t o = 0; o < d.size(); ++o) {
      for (std::size_t i = 0; i < input.size(); ++i) {
        const std::size_t at = first + o * input.size() + i;
        gradient_[at] += d[o] * input[i];
        if (input[i] > 0) below[i] += d[o] * weights_[at];
      }
      gradient_[first + input.size() * d.size() + o] += d[o];
    }
    return below;
  }

  void update(int number, const float* noise) {
    const peer::Constants& constants = problem_.constants;
    const double rho = settings_.rho, rate = constants.learning_rate, epsilon = constants.epsilon;
    double shared = 0;
    for (std::size_t i = 0; i < mu_.size(); ++i) {
      Parameter& phi = phi_[settings_.homogeneous ? 0 : i];
      const double cost = constants.cost_scale * settings_.c * -rho * std::pow(sigma(i), -rho - 1);
      const double slope = (gradient_[i] * noise[i] + cost) / (1 + std::exp(-phi.value));
      shared += slope;
      const double sign = mu_[i].value > 0 ? 1 : -1;
      mu_[i].adam(gradient_[i] + constants.cost_scale * constants.lambda * sign, number, rate, epsilon);
      if (!settings_.homogeneous) phi.adam(slope, number, rate, epsilon);
    }
    if (settings_.homogeneous) phi_[0].adam(shared / constants.phi_divisor, number, rate, epsilon);
  }

  const peer::Problem& problem_;
  peer::Network settings_;
  std::vector<Parameter> mu_, phi_;
  std::vector<double> weights_, gradient_;
};

constexpr int kSteps = 4;

peer::Problem small_problem(const std::vector<peer::Network>& networks) {
  peer::Problem problem;
  problem.sizes = {37, 9, 6, 5};
  problem.batch = 7;
  const auto parameters = Reference::parameter_count(problem);
  constexpr int kExamples = 20;
  problem.constants = {0.13F,
                       0.31F,
                       0.01,
                       0.9,
                       0.999,
                       1e-4F,  // large, so that the size of the gradient of phi shows
                       0.05F,
                       static_cast<float>(problem.batch) / kExamples,
                       static_cast<float>(parameters)};
  problem.networks = networks;
  std::mt19937 random(1);
  std::uniform_int_distribution<int> byte(0, 255), label(0, 4), example(0, kExamples - 1);
  std::uniform_real_distribution<float> mean(-0.4F, 0.4F);
  for (int i = 0; i < kExamples * problem.sizes.front(); ++i) {
    problem.images.push_back(static_cast<std::uint8_t>(byte(random)));
  }
  for (int i = 0; i < kExamples; ++i) problem.labels.push_back(static_cast<std::uint8_t>(label(random)));
  for (int i = 0; i < kSteps * problem.batch; ++i) problem.order.push_back(example(random));
  for (std::size_t i = 0; i < 2 * parameters; ++i) problem.mu.push_back(mean(random));
  return problem;
}

/// Through a graph, as on a device, with noise that the test draws; after a step that is taken back.
void expect_training(const peer::Problem& problem) {
  const std::size_t parameters = Reference::parameter_count(problem), stride = (parameters + 3) / 4 * 4;
  const ensyn::cuda::Stream stream;
  peer::Population population(problem, stream.get());
  ASSERT_EQ(population.noise_size(), problem.networks.size() * stride);
  std::vector<float> noise(population.noise_size());
  std::mt19937 random(2);
  std::normal_distribution<float> normal;
  std::vector<Reference> references;
  for (std::size_t n = 0; n < problem.networks.size(); ++n) references.emplace_back(problem, n);
  const auto draw = [&] {
    for (float& value : noise) value = normal(random);
    ensyn::cuda::copy_to_device<float>(population.noise(), noise, stream.get());
    stream.wait();
  };
  draw();
  population.step();
  const ensyn::cuda::Graph graph(stream, [&] { population.step(); });
  population.reset();
  for (int step = 1; step <= kSteps; ++step) {
    draw();
    graph.launch(stream);
    const std::vector<double> nll = population.take_nll();
    for (std::size_t n = 0; n < references.size(); ++n) {
      const double expected = references[n].step(step, noise.data() + n * stride);
      EXPECT_NEAR(nll[n], expected, 1e-4 * expected) << "network " << n << " step " << step;
    }
  }
  for (std::size_t n = 0; n < references.size(); ++n) {
    // A step is 0.01; of it single precision leaves an error of parts in a thousand at the worst.
    const std::vector<float> mu = population.mu(static_cast<int>(n)),
                             phi = population.phi(static_cast<int>(n));
    for (std::size_t i = 0; i < mu.size(); ++i)
      EXPECT_NEAR(mu[i], references[n].mu(i), 2e-5) << n << ' ' << i;
    for (std::size_t i = 0; i < phi.size(); ++i) {
      EXPECT_NEAR(phi[i], references[n].phi(i), 2e-5) << n << ' ' << i;
    }
  }
  const std::vector<double> sigma = population.sigma();
  for (std::size_t n = 0; n < references.size(); ++n) {
    if (!problem.networks[n].homogeneous) continue;
    EXPECT_NEAR(sigma[n], softplus(references[n].phi(0)), 1e-5);
  }
}

TEST(CublasPeerTest, TrainsBothKindsOfNoise) {
  expect_training(small_problem({{2.0F, 0.1F, -1.0F, false},
                                 {0.5F, 3.0F, -0.5F, false},
                                 {4.0F / 3, 0.02F, -1.0F, true},
                                 {2.0F / 3, 1.0F, -2.0F, true}}));
}

TEST(CublasPeerTest, TrainsOneKindAlone) {
  expect_training(small_problem({{2.0F, 0.1F, -1.0F, false}}));
  expect_training(small_problem({{0.5F, 0.01F, -1.0F, true}}));
}

TEST(CublasPeerTest, RefusesProblemsThatDoNotFit) {
  const ensyn::cuda::Stream stream;
  EXPECT_THROW(peer::Population(small_problem({{2, 1, 0, true}, {2, 1, 0, false}}), stream.get()),
               std::invalid_argument);
  peer::Problem problem = small_problem({{2, 1, 0, true}});
  problem.mu.pop_back();
  EXPECT_THROW(peer::Population(problem, stream.get()), std::invalid_argument);
}

}  // namespace
