/// \file
/// Small networks in device memory, to be trained whole by a kernel, and what the oracle makes of the same:
/// every parameter and moment, and the losses. From moments as if after some steps, so that no step of Adam
/// is ill-conditioned.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "kernels/support.h"
#include "kernels/whole/tile_state.h"
#include "kernels/whole/tiles.h"
#include "oracle/compare.h"

namespace ensyn::kernels::test::whole {

inline constexpr int kNetworks = 4, kSteps = 3, kStepsPerEpoch = 8;

struct Case {
  std::string name;
  std::vector<int> sizes;
  int batch = 20;
  bool own_phi = true;
  Source source = Source::bytes;
  Order order = Order::shared;
  bool gaussian = false;     ///< likelihood
  bool fetch_early = false;  ///< as in StreamedShape
};

/// Rows and columns with and without padding, pixels in words and one by one, few and many examples.
inline std::vector<Case> cases() {
  return {{"pixels", {36, 19, 12, 5}, 20},
          {"pixels_shared", {36, 19, 12, 5}, 20, false},
          {"odd_pixels", {21, 33, 3}, 5, true, Source::bytes, Order::own},
          {"odd_pixels_shared", {21, 33, 3}, 5, false, Source::bytes, Order::own},
          {"numbers", {15, 16, 17, 4}, 20, true, Source::floats},
          {"numbers_shared", {15, 16, 17, 4}, 20, false, Source::floats, Order::own},
          {"one_layer", {9, 17}, 3, true, Source::floats},
          {"many_examples", {12, 18, 5}, 33},
          {"many_examples_shared", {12, 18, 5}, 33, false},
          {"wide", {200, 33, 4}, 3, true, Source::bytes, Order::shared, false, true},
          {"wide_shared", {200, 33, 4}, 3, false, Source::bytes, Order::shared, false, true},
          {"targets", {7, 20, 18}, 4, true, Source::floats, Order::shared, true}};
}

/// Networks that differ in everything that networks trained together may differ in.
inline std::vector<Member> members_of(const Case& c) {
  std::vector<Member> all = members(kNetworks, c.own_phi ? Noise::heterogeneous : Noise::scopes);
  // The last of Noise::scopes has a phi of each weight.
  if (!c.own_phi) all.back().settings.scope = oracle::Scope::network;
  for (int n = 0; n < kNetworks; ++n) {
    Member& member = all[static_cast<std::size_t>(n)];
    oracle::Settings& s = member.settings;
    s.sizes = c.sizes;
    s.batch = c.batch;
    s.examples = kStepsPerEpoch * c.batch;
    s.data_seed = 77;
    s.order_stream = c.order == Order::own ? static_cast<std::uint64_t>(n) : 0;
    s.gaussian = c.gaussian;
    s.observation_sd = 0.7;
    member.step = static_cast<std::uint64_t>(1 + n);
    if (n == 3) s.terms.clear(), s.variational = true, s.prior_sigma = 0.5;
    member.groups = 1;
    if (s.scope == oracle::Scope::layer) member.groups = s.layers();
    if (s.scope == oracle::Scope::neuron) {
      member.groups = 0;
      for (int l = 0; l < s.layers(); ++l) member.groups += c.sizes[static_cast<std::size_t>(l) + 1];
    }
  }
  return all;
}

template <class T>
oracle::Matrix matrix_of(const LayerParameters<T>& layer, const Fill& fill, int network) {
  oracle::Matrix result(layer.rows, layer.columns);
  for (int r = 0; r < layer.rows; ++r) {
    for (int k = 0; k < layer.columns; ++k) result.at(r, k) = fill(network, r, k);
  }
  return result;
}

/// The sizes of a network's groups of weights that share a phi, in the order of their numbers.
inline std::vector<PhiGroup> groups_of(const oracle::Settings& s) {
  std::vector<PhiGroup> groups;
  double all = 0;
  const auto add = [&](double size) {
    groups.emplace_back();
    groups.back().size = size;
  };
  for (std::size_t l = 0; l + 1 < s.sizes.size(); ++l) {
    const int rows = s.sizes[l + 1], columns = s.sizes[l] + 1;
    all += rows * columns;
    if (s.scope == oracle::Scope::layer) add(rows * columns);
    for (int r = 0; s.scope == oracle::Scope::neuron && r < rows; ++r) add(columns);
  }
  if (s.scope == oracle::Scope::network) add(all);
  return groups;
}

/// The networks in device memory, and what the oracle makes of the same.
template <class T>
class WholeNetworks {
 public:
  explicit WholeNetworks(const Case& c)
      : case_(c),
        members_(members_of(c)),
        population_(members_),
        inputs_(c.source, c.order, kNetworks, kStepsPerEpoch * c.batch, c.sizes[0], c.batch),
        labels_(label_values()),
        targets_(target_values()) {
    for (std::size_t l = 0; l + 1 < c.sizes.size(); ++l) {
      layers_.push_back(std::make_unique<LayerParameters<T>>(kNetworks, c.sizes[l + 1], c.sizes[l] + 1,
                                                             static_cast<int>(l)));
      shapes_.push_back(layers_.back()->layer());
    }
    // Each network has groups of its own.
    std::vector<NetworkConstants<T>> constants = population_.constants.read();
    std::vector<PhiGroup> groups;
    for (std::size_t n = 0; n < members_.size(); ++n) {
      constants[n].first_group = static_cast<int>(groups.size());
      const std::vector<PhiGroup> of_member = groups_of(members_[n].settings);
      groups.insert(groups.end(), of_member.begin(), of_member.end());
    }
    population_.constants.write(constants);
    groups_ = std::make_unique<DeviceArray<PhiGroup>>(groups);
  }

  /// To tiles, the steps by `train`, and back.
  void run(const std::function<void(const TiledTraining<T>&)>& train) {
    const Tiling tiling = tiling_of(shapes_.data(), static_cast<int>(shapes_.size()));
    std::vector<std::int64_t> places;
    const std::int64_t elements = tiled_elements(tiling, case_.own_phi);
    for (int n = 0; n < kNetworks; ++n) places.push_back(n * elements);
    const DeviceArray<T> state(static_cast<std::size_t>(kNetworks * elements));
    const DeviceArray<std::int64_t> offsets(places);
    const DeviceArray<int> numbers(std::vector<int>{2, 0, 3, 1});
    TileState<T> tiles;
    tiles.networks = kNetworks;
    tiles.constants = population_.constants.data();
    tiles.tiling = tiling;
    for (std::size_t l = 0; l < layers_.size(); ++l) tiles.layers[l] = layers_[l]->view();
    tiles.state = state.data();
    tiles.state_offsets = offsets.data();
    TiledTraining<T> of;
    of.networks = kNetworks;
    of.members = numbers.data();
    of.own_phi = case_.own_phi;
    of.constants = population_.constants.data();
    of.progress = population_.progress.data();
    of.shared_phi = population_.shared.data();
    of.groups = groups_->data();
    of.tiling = tiling;
    of.state = state.data();
    of.state_offsets = offsets.data();
    of.inputs = inputs_.view();
    of.labels = labels_.data();
    if (case_.gaussian) {
      of.targets = targets_.data();
      const double sd = members_[0].settings.observation_sd;
      of.inverse_variance = static_cast<T>(1 / (sd * sd));
      of.error_constant =
          static_cast<T>(case_.sizes.back() * (std::log(sd) + 0.5 * std::log(2 * std::acos(-1.0))));
    }
    of.batch = case_.batch;
    of.steps = kSteps;
    to_tiles(tiles, stream().get());
    train(of);
    from_tiles(tiles, stream().get());
    stream().wait();
    static_cast<void>(state.read());  // looks at what lies beside it
  }

  void expect_the_oracles() const {
    const std::vector<NetworkProgress<T>> progress = population_.progress.read();
    std::size_t first_phi = 0;
    for (int n = 0; n < kNetworks; ++n) {
      SCOPED_TRACE("network " + std::to_string(n));
      const Member& member = members_[static_cast<std::size_t>(n)];
      oracle::Training training = start(n);
      const oracle::Data data = data_of(n);
      double nll = 0;
      std::uint64_t correct = 0;
      for (int i = 0; i < kSteps; ++i) {
        const oracle::StepReport report = oracle::train_step(training, data);
        // What decides a sign or a prediction must not be left to rounding.
        ASSERT_GT(report.kink, kUnit * report.scale);
        nll += report.nll;
        correct += static_cast<std::uint64_t>(report.correct);
        ASSERT_TRUE(case_.gaussian || report.tie > kUnit * report.scale);
      }
      expect_layers(n, training);
      if (member.shares()) expect_shared(training, first_phi);
      first_phi += static_cast<std::size_t>(member.groups);
      const NetworkProgress<T>& got = progress[static_cast<std::size_t>(n)];
      EXPECT_EQ(got.step, member.step + kSteps);
      EXPECT_EQ(got.examples, static_cast<std::uint64_t>(kSteps * case_.batch));
      EXPECT_EQ(got.correct, case_.gaussian ? 0 : correct);
      EXPECT_EQ(got.diverged_at, kNoStep);
      EXPECT_NEAR(got.nll, nll, kUnit * std::fabs(nll));
      const double root_correction =
          1 / std::sqrt(1 - std::pow(member.settings.beta2, static_cast<double>(got.step) + 1));
      EXPECT_NEAR(static_cast<double>(got.adam.root_correction), root_correction, kUnit * root_correction);
    }
  }

 private:
  /// Of the largest number of an array. Single-precision operands are split into 11 + 13 bits, of which the
  /// last two and the product of the lower halves are lost: a few 2^-22 of each product.
  static constexpr double kUnit = sizeof(T) == 4 ? 0x1p-17 : 0x1p-44;

  [[nodiscard]] int examples() const { return kStepsPerEpoch * case_.batch; }
  [[nodiscard]] std::vector<std::uint8_t> label_values() const {
    std::vector<std::uint8_t> labels;
    for (int i = 0; i < examples(); ++i)
      labels.push_back(static_cast<std::uint8_t>((7 * i + i / 3) % case_.sizes.back()));
    return labels;
  }
  [[nodiscard]] std::vector<float> target_values() const {
    std::vector<float> targets;
    for (int i = 0; i < examples() * case_.sizes.back(); ++i)
      targets.push_back(static_cast<float>(value(8, 0, i, 0)));
    return targets;
  }
  [[nodiscard]] oracle::Data data_of(int network) const {
    const int features = case_.sizes[0], outputs = case_.sizes.back();
    oracle::Data data;
    data.features = oracle::Matrix(examples(), features);
    for (int step = 0; step < kStepsPerEpoch; ++step) {
      for (int b = 0; b < case_.batch; ++b) {
        const auto at = static_cast<std::uint64_t>(step);
        for (int k = 0; k < features; ++k)
          data.features.at(inputs_.example(network, at, b), k) = inputs_.at(network, at, b, k);
      }
    }
    const std::vector<std::uint8_t> labels = label_values();
    data.labels.assign(labels.begin(), labels.end());
    const std::vector<float> targets = target_values();
    data.targets = oracle::Matrix(examples(), outputs);
    data.targets.values.assign(targets.begin(), targets.end());
    return data;
  }

  [[nodiscard]] oracle::Training start(int n) const {
    const Member& member = members_[static_cast<std::size_t>(n)];
    oracle::Training training;
    training.settings = member.settings;
    if (sizeof(T) == sizeof(float)) training.settings.uniform = oracle::Uniform::single;
    training.step = member.step;
    for (const auto& layer : layers_) {
      training.parameters.mu.push_back(matrix_of(*layer, layer->mu_value, n));
      training.moment1.mu.push_back(matrix_of(*layer, layer->mu_moment1_value, n));
      training.moment2.mu.push_back(matrix_of(*layer, layer->mu_moment2_value, n));
      if (member.shares()) continue;
      training.parameters.phi.push_back(matrix_of(*layer, layer->phi_value, n));
      training.moment1.phi.push_back(matrix_of(*layer, layer->phi_moment1_value, n));
      training.moment2.phi.push_back(matrix_of(*layer, layer->phi_moment2_value, n));
    }
    for (int g = 0; member.shares() && g < member.groups; ++g) {
      training.parameters.shared_phi.push_back(member.phi_of(g));
      training.moment1.shared_phi.push_back(member.shared_moment1);
      training.moment2.shared_phi.push_back(member.shared_moment2);
    }
    return training;
  }

  static void expect_close(const char* what, const std::vector<double>& got, const std::vector<double>& want,
                           double units = 1) {
    double largest = 0;
    for (const double x : want) largest = std::max(largest, std::fabs(x));
    EXPECT_TRUE(compare::all_close(got, want, compare::Tolerance{units * kUnit * largest, 0})) << what;
  }

  void expect_layers(int n, const oracle::Training& training) const {
    for (std::size_t l = 0; l < layers_.size(); ++l) {
      SCOPED_TRACE("layer " + std::to_string(l));
      const LayerParameters<T>& layer = *layers_[l];
      const auto of_network = [&](const Stack<T>& stack) {
        const std::vector<double> all = stack.read();
        const auto count = static_cast<std::ptrdiff_t>(all.size()) / kNetworks;
        return std::vector<double>(all.begin() + n * count, all.begin() + (n + 1) * count);
      };
      expect_close("mu", of_network(layer.mu), training.parameters.mu[l].values);
      expect_close("first moment of mu", of_network(layer.mu_moment1), training.moment1.mu[l].values);
      expect_close("second moment of mu", of_network(layer.mu_moment2), training.moment2.mu[l].values);
      if (training.parameters.phi.empty()) continue;
      expect_close("phi", of_network(layer.phi), training.parameters.phi[l].values);
      expect_close("first moment of phi", of_network(layer.phi_moment1), training.moment1.phi[l].values);
      expect_close("second moment of phi", of_network(layer.phi_moment2), training.moment2.phi[l].values);
    }
  }

  void expect_shared(const oracle::Training& training, std::size_t first_phi) const {
    const std::vector<T> all = population_.shared.read();
    const std::vector<double>* const wanted[] = {&training.parameters.shared_phi,
                                                 &training.moment1.shared_phi, &training.moment2.shared_phi};
    for (std::size_t field = 0; field < 3; ++field) {
      std::vector<double> got;
      for (std::size_t g = 0; g < wanted[field]->size(); ++g)
        got.push_back(static_cast<double>(all[3 * (first_phi + g) + field]));
      SCOPED_TRACE("field " + std::to_string(field));
      // Of a sum over all weights much cancels.
      expect_close("shared phi", got, *wanted[field], 4);
    }
  }

  Case case_;
  std::vector<Member> members_;
  Population<T> population_;
  TestInputs<T> inputs_;
  DeviceArray<std::uint8_t> labels_;
  DeviceArray<float> targets_;
  std::vector<std::unique_ptr<LayerParameters<T>>> layers_;
  std::vector<Layer> shapes_;
  std::unique_ptr<DeviceArray<PhiGroup>> groups_;
};

}  // namespace ensyn::kernels::test::whole
