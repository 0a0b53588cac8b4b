/// \file
/// A step of both kinds of update, with what it should give. Shared by the tests of parameter_update and
/// homogeneous_update.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "kernels/parameter_update.h"
#include "kernels/reference.h"
#include "kernels/support.h"

namespace ensyn::kernels::test {

struct LayerCase {
  int rows, columns;
  Source source = Source::values;
  Order order = Order::none;
};

/// Values of the six arrays of one layer in all networks.
struct ExpectedLayer {
  std::vector<Number> mu, mu_moment1, mu_moment2, phi, phi_moment1, phi_moment2;
};

template <class T>
struct UpdateProblem {
  struct TestLayer {
    TestLayer(const LayerCase& c, int networks, int batch, int tensor)
        : parameters(networks, c.rows, c.columns, tensor),
          inputs(c.source, c.order, networks, c.order == Order::none ? batch : 3 * batch + 1, c.columns - 1,
                 batch),
          delta_value(values_of(40 + tensor)),
          delta(networks, batch, c.rows, delta_value),
          gradient_value(values_of(60 + tensor)),
          // A gradient that was computed elsewhere has the layer's own stride, but strides of its own between
          // networks.
          ready_gradient(networks, c.rows, c.columns, gradient_value) {}

    LayerParameters<T> parameters;
    TestInputs<T> inputs;
    Fill delta_value;
    Stack<T> delta;
    Fill gradient_value;
    Stack<T> ready_gradient;
  };

  UpdateProblem(const std::vector<LayerCase>& cases, int batch_size, const std::vector<Member>& networks)
      : batch(batch_size), members(networks), population(members) {
    for (std::size_t l = 0; l < cases.size(); ++l) {
      layers.push_back(std::make_unique<TestLayer>(cases[l], static_cast<int>(members.size()), batch,
                                                   static_cast<int>(l) + 1));
    }
  }

  [[nodiscard]] ParameterUpdate<T> arguments() const {
    ParameterUpdate<T> args;
    args.networks = population.view();
    for (const auto& layer : layers) {
      LayerUpdate<T>& update = args.layers[args.layer_count++];
      update.gradient = {layer->parameters.layer(), layer->inputs.view(), layer->delta.data(),
                         layer->delta.stride(), layer->delta.network_stride()};
      update.parameters = layer->parameters.view();
      if (!ready) continue;
      update.gradient.delta = nullptr;
      update.gradient.inputs = {};
      update.ready_gradient = layer->ready_gradient.data();
      update.ready_network_stride = layer->ready_gradient.network_stride();
    }
    args.batch = batch;
    args.draw = draw;
    return args;
  }

  /// dL/dw of layer `l` in network `n`.
  [[nodiscard]] std::vector<Number> gradient(std::size_t l, int n) const {
    const TestLayer& layer = *layers[l];
    const int rows = layer.parameters.rows, columns = layer.parameters.columns;
    if (!ready) {
      return weight_gradient(layer.delta_value, layer.inputs, n, members[static_cast<std::size_t>(n)].step,
                             rows, columns, batch);
    }
    std::vector<Number> result;
    for (int r = 0; r < rows; ++r) {
      for (int c = 0; c < columns; ++c) result.push_back({layer.gradient_value(n, r, c), 0});
    }
    return result;
  }

  [[nodiscard]] Number noise(std::size_t l, int n, int r, int c) const {
    const LayerParameters<T>& p = layers[l]->parameters;
    if (!draw.noisy) return {};
    return normal<T>(oracle_draw(members[static_cast<std::size_t>(n)], p.tensor, draw), r, c, p.columns);
  }

  /// Layer `l` after the step in which the networks take part whose weights share a phi, or the others.
  [[nodiscard]] ExpectedLayer expected(std::size_t l, bool shared) const {
    const LayerParameters<T>& p = layers[l]->parameters;
    ExpectedLayer result;
    for (int n = 0; n < static_cast<int>(members.size()); ++n) {
      const Member& member = members[static_cast<std::size_t>(n)];
      const std::vector<Number> g = gradient(l, n);
      std::size_t i = 0;
      for (int r = 0; r < p.rows; ++r) {
        for (int c = 0; c < p.columns; ++c, ++i) {
          Adam mu{
              {p.mu_value(n, r, c), 0}, {p.mu_moment1_value(n, r, c), 0}, {p.mu_moment2_value(n, r, c), 0}};
          Adam phi{{p.phi_value(n, r, c), 0},
                   {p.phi_moment1_value(n, r, c), 0},
                   {p.phi_moment2_value(n, r, c), 0}};
          if (member.shares() == shared) {
            const DrawnWeight w = drawn_weight(member, p, n, draw, 0, r, c);
            mu = adam<T>(member.settings, member.step, mu.value.value, mu.moment1.value, mu.moment2.value,
                         mu_gradient<T>(member.settings, mu.value.value, product(g[i], w.mu_slope)));
            if (!shared) phi = adam_of_phi(member, phi, product(g[i], w.sigma_slope));
          }
          result.mu.push_back(mu.value);
          result.mu_moment1.push_back(mu.moment1);
          result.mu_moment2.push_back(mu.moment2);
          result.phi.push_back(phi.value);
          result.phi_moment1.push_back(phi.moment1);
          result.phi_moment2.push_back(phi.moment2);
        }
      }
    }
    return result;
  }

  void expect_updated(bool shared) const {
    for (std::size_t l = 0; l < layers.size(); ++l) {
      SCOPED_TRACE("layer " + std::to_string(l));
      const ExpectedLayer want = expected(l, shared);
      const LayerParameters<T>& got = layers[l]->parameters;
      EXPECT_TRUE(close(got.mu_moment1.read(), want.mu_moment1)) << "first moment of mu";
      EXPECT_TRUE(close(got.mu_moment2.read(), want.mu_moment2)) << "second moment of mu";
      EXPECT_TRUE(close(got.mu.read(), want.mu)) << "mu";
      EXPECT_TRUE(close(got.phi_moment1.read(), want.phi_moment1)) << "first moment of phi";
      EXPECT_TRUE(close(got.phi_moment2.read(), want.phi_moment2)) << "second moment of phi";
      EXPECT_TRUE(close(got.phi.read(), want.phi)) << "phi";
    }
  }

  [[nodiscard]] std::vector<std::uint8_t> bits() const {
    std::vector<std::uint8_t> result;
    for (const auto& layer : layers) {
      const auto bits = layer->parameters.bits();
      result.insert(result.end(), bits.begin(), bits.end());
    }
    return result;
  }

  int batch;
  std::vector<Member> members;
  Population<T> population;
  std::vector<std::unique_ptr<TestLayer>> layers;
  Draw draw;
  bool ready = false;

 private:
  static Number product(Number a, Number b) {
    const double value = a.value * b.value;
    return {value, std::abs(a.value) * b.error + std::abs(b.value) * a.error +
                       (b.value == 1 ? 0 : kEpsilon<T> * std::abs(value))};
  }

  /// \param g dL/dsigma
  static Adam adam_of_phi(const Member& member, const Adam& phi, Number g) {
    const oracle::Settings& s = member.settings;
    const Number cost = cost_gradient<T>(s, oracle::softplus(phi.value.value));
    const double slope = oracle::sigmoid(phi.value.value), sum = g.value + cost.value;
    const double size = std::abs(g.value) + std::abs(cost.value), error = g.error + cost.error;
    return adam<T>(s, member.step, phi.value.value, phi.moment1.value, phi.moment2.value,
                   {sum * slope, slope * (error + allowance::kWeight * kEpsilon<T> * size)});
  }
};

}  // namespace ensyn::kernels::test
