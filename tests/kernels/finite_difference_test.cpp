// The chain of kernels of one step of a small network in double, against central differences of the oracle's
// objective: what the formulas of the kernels and of the oracle's backpropagation may have wrong in common
// shows here.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <memory>
#include <utility>

#include "kernels/cross_entropy.h"
#include "kernels/finish_step.h"
#include "kernels/homogeneous_update.h"
#include "kernels/noisy_backward.h"
#include "kernels/noisy_forward.h"
#include "kernels/parameter_update.h"
#include "kernels/reference.h"
#include "kernels/squared_error.h"
#include "kernels/support.h"
#include "oracle/compare.h"

namespace ensyn::kernels::test {
namespace {

constexpr int kInputs = 3, kHidden = 5, kClasses = 3, kBatch = 4;

/// One network 3-5-3, its minibatch, and the kernels' step on it. With beta1 = 0 and beta2 = 0 the first
/// moments after the step are the gradients.
class Chain {
 public:
  Chain(const NamedCosts& costs, Noise noise, bool gaussian, oracle::Law law = oracle::Law::gaussian)
      : members_(test::members(1, noise)) {
    oracle::Settings& s = members_[0].settings;
    s.sizes = {kInputs, kHidden, kClasses};
    s.terms = costs.terms;
    s.variational = costs.variational;
    s.law = law;
    s.gaussian = gaussian;
    s.observation_sd = 0.7;
    s.prior_sigma = costs.prior_sigma;
    s.laplace_scale = costs.laplace_scale;
    s.batch = kBatch;
    s.examples = 40;
    s.beta1 = 0;
    if (s.scope == oracle::Scope::layer) groups_ = kLayers;
    if (s.scope == oracle::Scope::neuron) groups_ = kNeurons;
    members_[0].groups = static_cast<int>(groups_.size());
    population_ = std::make_unique<Population<double>>(members_);
    for (std::size_t l = 0; l < 2; ++l) {
      const auto& layer = *layers_[l];
      oracle::Matrix mu(layer.rows, layer.columns), phi = mu;
      for (int r = 0; r < layer.rows; ++r) {
        for (int c = 0; c < layer.columns; ++c) {
          mu.at(r, c) = layer.mu_value(0, r, c);
          phi.at(r, c) = layer.phi_value(0, r, c);
        }
      }
      parameters_.mu.push_back(mu);
      if (!members_[0].shares()) parameters_.phi.push_back(phi);
    }
    for (int g = 0; members_[0].shares() && g < members_[0].groups; ++g) {
      parameters_.shared_phi.push_back(members_[0].phi_of(g));
    }
    data_.features = oracle::Matrix(kBatch, kInputs);
    for (int b = 0; b < kBatch; ++b) {
      for (int k = 0; k < kInputs; ++k) data_.features.at(b, k) = inputs_.at(0, 0, b, k);
    }
    data_.labels = {0, 2, 1, 2};
    data_.targets = oracle::Matrix(kBatch, kClasses);
    for (std::size_t i = 0; i < data_.targets.values.size(); ++i) {
      data_.targets.values[i] = value(8, 0, static_cast<int>(i), 0);
    }
  }

  void run() {
    forward(0, inputs_.view(), hidden_, true);
    forward(1, activations(hidden_), logits_, false);
    const DeviceArray<double> nll(kBatch);
    const DeviceArray<std::uint8_t> correct(kBatch);
    loss(nll, correct);
    backward(1, logits_, &hidden_, delta_);
    backward(0, delta_, nullptr, input_gradient_);
    HomogeneousUpdate<double> update;
    update.update.networks = population_->view();
    update.update.layers[0] = layer_update(0, inputs_.view(), delta_);
    update.update.layers[1] = layer_update(1, activations(hidden_), logits_);
    update.update.layer_count = 2;
    update.update.batch = kBatch;
    const int parts = 4 * partial_sum_count(update.update);
    const DeviceArray<double> sums(std::vector<double>(static_cast<std::size_t>(parts), 0.0));
    update.partial_sums = sums.data();
    update.partial_sum_stride = parts;
    const DeviceArray<PhiGroup> groups(groups_);
    parameter_update(update.update, stream().get());
    homogeneous_update(update, stream().get());
    finish_step(FinishStep<double>{1,
                                   population_->constants.data(),
                                   population_->progress.data(),
                                   population_->shared.data(),
                                   sums.data(),
                                   parts,
                                   nll.data(),
                                   correct.data(),
                                   kBatch,
                                   {},
                                   {},
                                   groups.data()},
                stream().get());
    stream().wait();
  }

  void expect_differences() {
    const oracle::Settings& s = members_[0].settings;
    const oracle::Layers noise = oracle::draw_noise(s, members_[0].step, oracle::kTraining);
    const std::vector<std::uint32_t> minibatch = {0, 1, 2, 3};
    oracle::StepReport report;
    oracle::gradient(s, parameters_, noise, data_, minibatch, &report);
    ASSERT_GT(report.kink, 1e-3) << "a ReLU of this test sits on its kink";
    const auto slope = [&](double& x) {
      constexpr double kStep = 1e-5;
      const double here = x;
      const auto at = [&](double shift) {
        x = here + shift * kStep;
        return oracle::objective(s, parameters_, noise, data_, minibatch);
      };
      // Fourth order: its error is h^4 / 30 times the fifth derivative, that of rounding 1e-16 / h.
      const double result = (8 * (at(1) - at(-1)) - (at(2) - at(-2))) / (12 * kStep);
      x = here;
      return result;
    };
    const auto slopes = [&](std::vector<double>& of) {
      std::vector<double> result;
      for (double& x : of) result.push_back(slope(x));
      return result;
    };
    constexpr compare::Tolerance kTolerance{1e-8, 1e-8};
    for (std::size_t l = 0; l < 2; ++l) {
      EXPECT_TRUE(
          compare::all_close(layers_[l]->mu_moment1.read(), slopes(parameters_.mu[l].values), kTolerance));
      if (members_[0].shares()) continue;
      EXPECT_TRUE(
          compare::all_close(layers_[l]->phi_moment1.read(), slopes(parameters_.phi[l].values), kTolerance));
    }
    EXPECT_TRUE(compare::all_close(input_gradient_.read(), slopes(data_.features.values), kTolerance));
    const std::vector<double> shared = population_->shared.read();
    for (std::size_t g = 0; g < parameters_.shared_phi.size(); ++g) {
      // The published form divides by the number of weights.
      const double want = slope(parameters_.shared_phi[g]) / groups_[g].size;
      EXPECT_NEAR(shared[3 * g + 1], want, 1e-8 * std::abs(want)) << "group " << g;
    }
    const double nll = population_->progress.read()[0].nll;
    EXPECT_NEAR(nll, report.nll, 1e-12 * report.nll);
  }

 private:
  /// The second layer follows the first one's rows.
  [[nodiscard]] Layer layer(std::size_t l) const {
    Layer result = layers_[l]->layer();
    result.layer_group = static_cast<int>(l);
    result.row_group = l == 0 ? 0 : kHidden;
    return result;
  }

  void loss(const DeviceArray<double>& nll, const DeviceArray<std::uint8_t>& correct) {
    const oracle::Settings& s = members_[0].settings;
    if (s.gaussian) {
      const DeviceArray<float> targets({data_.targets.values.begin(), data_.targets.values.end()});
      SquaredError<double> args;
      args.networks = population_->view();
      args.outputs = logits_.data();
      args.stride = logits_.stride();
      args.count = kClasses;
      args.batch = kBatch;
      args.targets = targets.data();
      args.inverse_variance = 1 / (s.observation_sd * s.observation_sd);
      args.constant = oracle::gaussian_nll(s, {0, 0, 0}, {0, 0, 0});
      args.inputs = inputs_.view();
      args.nll = nll.data();
      args.correct = correct.data();
      squared_error(args, stream().get());
      stream().wait();
      return;
    }
    const DeviceArray<std::uint8_t> labels({0, 2, 1, 2});
    CrossEntropy<double> args;
    args.networks = population_->view();
    args.logits = logits_.data();
    args.stride = logits_.stride();
    args.classes = kClasses;
    args.batch = kBatch;
    args.labels = labels.data();
    args.inputs = inputs_.view();
    args.nll = nll.data();
    args.correct = correct.data();
    cross_entropy(args, stream().get());
    stream().wait();
  }

  static Inputs<double> activations(const Stack<double>& of) {
    Inputs<double> inputs;
    inputs.values = of.data();
    inputs.stride = of.stride();
    return inputs;
  }

  void forward(std::size_t l, const Inputs<double>& inputs, const Stack<double>& output, bool rectify) {
    NoisyForward<double> args;
    args.networks = population_->view();
    args.layer = layer(l);
    args.mu = layers_[l]->mu.data();
    args.phi = layers_[l]->phi.data();
    args.inputs = inputs;
    args.output = output.data();
    args.output_stride = output.stride();
    args.batch = args.examples = kBatch;
    args.rectify = rectify;
    args.tile = {8, 32};
    noisy_forward(args, stream().get());
  }

  void backward(std::size_t l, const Stack<double>& delta, const Stack<double>* activation,
                const Stack<double>& output) {
    NoisyBackward<double> args;
    args.networks = population_->view();
    args.layer = layer(l);
    args.mu = layers_[l]->mu.data();
    args.phi = layers_[l]->phi.data();
    args.delta = delta.data();
    args.delta_stride = delta.stride();
    if (activation != nullptr)
      args.activation = activation->data(), args.activation_stride = activation->stride();
    args.output = output.data();
    args.output_stride = output.stride();
    args.batch = kBatch;
    args.tile = {8};
    noisy_backward(args, stream().get());
  }

  LayerUpdate<double> layer_update(std::size_t l, const Inputs<double>& inputs,
                                   const Stack<double>& delta) const {
    LayerUpdate<double> update;
    update.gradient = {layer(l), inputs, delta.data(), delta.stride(), 0};
    update.parameters = layers_[l]->view();
    return update;
  }

  // Parts of the sums: of rows 0 to 3 and 4 of the hidden layer, and of the three classes; or four for each.
  static constexpr double kWide = kInputs + 1, kNarrow = kHidden + 1;
  static inline const std::vector<PhiGroup> kNeurons = {{0, 1, kWide},   {1, 1, kWide},   {2, 1, kWide},
                                                        {3, 1, kWide},   {4, 1, kWide},   {8, 1, kNarrow},
                                                        {9, 1, kNarrow}, {10, 1, kNarrow}};
  static inline const std::vector<PhiGroup> kLayers = {{0, 2, kHidden* kWide}, {2, 1, kClasses* kNarrow}};
  std::vector<PhiGroup> groups_ = {{0, 3, kHidden* kWide + kClasses* kNarrow}};

  std::vector<Member> members_;
  std::unique_ptr<Population<double>> population_;
  std::array<std::unique_ptr<LayerParameters<double>>, 2> layers_ = {
      std::make_unique<LayerParameters<double>>(1, kHidden, kInputs + 1, 0),
      std::make_unique<LayerParameters<double>>(1, kClasses, kHidden + 1, 1)};
  TestInputs<double> inputs_{1, kBatch, kInputs, values_of(7)};
  Stack<double> hidden_{1, kBatch, kHidden}, logits_{1, kBatch, kClasses}, delta_{1, kBatch, kHidden},
      input_gradient_{1, kBatch, kInputs};
  oracle::Parameters parameters_;
  oracle::Data data_;
};

TEST(FiniteDifferenceTest, TheChainOfKernelsGivesTheGradientOfTheObjective) {
  for (const NamedCosts& costs : all_costs()) {
    for (const auto& [noise, name] :
         {std::pair{Noise::heterogeneous, "heterogeneous"}, std::pair{Noise::per_neuron, "per neuron"},
          std::pair{Noise::per_layer, "per layer"}, std::pair{Noise::homogeneous, "homogeneous"}}) {
      for (const bool gaussian : {false, true}) {
        SCOPED_TRACE(std::string(costs.name) + ", " + name + (gaussian ? ", gaussian" : ", categorical"));
        Chain chain(costs, noise, gaussian);
        chain.run();
        chain.expect_differences();
      }
    }
  }
}

TEST(FiniteDifferenceTest, AlsoOfLogNormalWeights) {
  Chain chain(all_costs()[4], Noise::heterogeneous, false, oracle::Law::log_normal);
  chain.run();
  chain.expect_differences();
}

}  // namespace
}  // namespace ensyn::kernels::test
