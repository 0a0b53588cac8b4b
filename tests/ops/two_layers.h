/// \file
/// A network of two layers that is trained by the public operations alone.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "ensyn/config.h"
#include "ensyn/dataset.h"
#include "ensyn/noise.h"
#include "ensyn/ops.h"
#include "ops/user.h"

namespace user {

/// Layer `l` of a network, with rows of parameters further apart than they need to be.
template <class T>
struct LayerMemory {
  LayerMemory(int in, int out, bool heterogeneous)
      : inputs(in),
        outputs(out),
        stride(in + 4),
        size(static_cast<std::size_t>(out) * static_cast<std::size_t>(stride)),
        mu(size),
        mu_moment1(size),
        mu_moment2(size),
        phi(heterogeneous ? size : 1),
        phi_moment1(heterogeneous ? size : 1),
        phi_moment2(heterogeneous ? size : 1) {}

  [[nodiscard]] ensyn::ops::Parameters<T> parameters() const {
    return {.inputs = inputs,
            .outputs = outputs,
            .mu = mu.data(),
            .mu_moment1 = mu_moment1.data(),
            .mu_moment2 = mu_moment2.data(),
            .phi = phi.data(),
            .phi_moment1 = phi_moment1.data(),
            .phi_moment2 = phi_moment2.data(),
            .stride = stride};
  }

  int inputs, outputs, stride;
  std::size_t size;
  Array<T> mu, mu_moment1, mu_moment2, phi, phi_moment1, phi_moment2;
};

/// What one step reads and computes.
template <class T>
struct Activations {
  Activations(int batch, int inputs, int units, int classes)
      : x(static_cast<std::size_t>(batch * inputs)),
        labels(static_cast<std::size_t>(batch)),
        hidden(static_cast<std::size_t>(batch * units)),
        hidden_delta(static_cast<std::size_t>(batch * units)),
        logits(static_cast<std::size_t>(batch * classes)),
        nll(static_cast<std::size_t>(batch)),
        correct(static_cast<std::size_t>(batch)) {}
  Array<T> x;
  Array<std::uint8_t> labels;
  Array<T> hidden, hidden_delta, logits, nll;
  Array<std::uint8_t> correct;
};

template <class T>
class TwoLayers {
 public:
  TwoLayers(const ensyn::PopulationConfig& config, double fraction)
      : config_(config),
        member_(config.members.front()),
        fraction_(fraction),
        sizes_(config.architecture.sizes),
        heterogeneous_(member_.noise == ensyn::NoiseKind::heterogeneous),
        layers_{LayerMemory<T>(sizes_[0], sizes_[1], heterogeneous_),
                LayerMemory<T>(sizes_[1], sizes_[2], heterogeneous_)},
        shared_phi_(3),
        at_(config.batch, sizes_[0], sizes_[1], sizes_[2]),
        workspace_(ensyn::ops::homogeneous_workspace_bytes(updates())) {}

  void initialize(const Stream& stream) const {
    for (std::uint32_t l = 0; l < 2; ++l) {
      ensyn::ops::initialize(
          ensyn::ops::Initialize<T>{.parameters = layers_[l].parameters(), .tensor = l, .config = member_},
          stream.get());
    }
    if (heterogeneous_) return;
    ensyn::ops::initialize_shared_phi(ensyn::ops::InitializeSharedPhi<T>{.shared_phi = shared_phi_.data(),
                                                                         .sigma_init = member_.sigma_init},
                                      stream.get());
  }

  /// Queues one step on the minibatch that lies in `activations().x` and `labels`.
  void enqueue_step(std::uint64_t step, const Stream& stream) const {
    const int batch = config_.batch;
    ensyn::ops::forward(ensyn::ops::Forward<T>{.weights = weights(0, step),
                                               .x = at_.x.data(),
                                               .output = at_.hidden.data(),
                                               .batch = batch,
                                               .activation = ensyn::Activation::relu},
                        stream.get());
    ensyn::ops::forward(
        ensyn::ops::Forward<T>{
            .weights = weights(1, step), .x = at_.hidden.data(), .output = at_.logits.data(), .batch = batch},
        stream.get());
    ensyn::ops::cross_entropy(ensyn::ops::CrossEntropy<T>{.logits = at_.logits.data(),
                                                          .classes = sizes_[2],
                                                          .batch = batch,
                                                          .labels = at_.labels.data(),
                                                          .nll = at_.nll.data(),
                                                          .correct = at_.correct.data()},
                              stream.get());
    ensyn::ops::backward(ensyn::ops::Backward<T>{.weights = weights(1, step),
                                                 .delta = at_.logits.data(),
                                                 .activation = at_.hidden.data(),
                                                 .output = at_.hidden_delta.data(),
                                                 .batch = batch},
                         stream.get());
    enqueue_update(step, stream);
  }

  [[nodiscard]] Activations<T>& activations() { return at_; }
  [[nodiscard]] const LayerMemory<T>& layer(std::size_t l) const { return layers_[l]; }
  [[nodiscard]] const Array<T>& shared_phi() const { return shared_phi_; }
  [[nodiscard]] bool heterogeneous() const { return heterogeneous_; }

 private:
  [[nodiscard]] ensyn::NoiseKey key(std::uint32_t layer, std::uint64_t step) const {
    return {member_.seed, member_.stream.value_or(0), step, layer, ensyn::Purpose::training};
  }

  [[nodiscard]] ensyn::ops::Weights<T> weights(std::uint32_t l, std::uint64_t step) const {
    const LayerMemory<T>& layer = layers_[l];
    return {.inputs = layer.inputs,
            .outputs = layer.outputs,
            .mu = layer.mu.data(),
            .phi = heterogeneous_ ? layer.phi.data() : shared_phi_.data(),
            .stride = layer.stride,
            .noise = member_.noise,
            .key = key(l, step)};
  }

  [[nodiscard]] std::array<ensyn::ops::LayerUpdate<T>, 2> updates() const {
    return {{{.parameters = layers_[0].parameters(), .x = at_.x.data(), .delta = at_.hidden_delta.data()},
             {.parameters = layers_[1].parameters(), .x = at_.hidden.data(), .delta = at_.logits.data()}}};
  }

  void enqueue_update(std::uint64_t step, const Stream& stream) const {
    const auto layers = updates();
    const ensyn::ops::Update<T> update{.layers = layers,
                                       .batch = config_.batch,
                                       .key = key(0, step),
                                       .fraction = fraction_,
                                       .config = member_};
    if (heterogeneous_) return ensyn::ops::update(update, stream.get());
    ensyn::ops::homogeneous_update(ensyn::ops::HomogeneousUpdate<T>{.update = update,
                                                                    .shared_phi = shared_phi_.data(),
                                                                    .workspace = workspace_.data(),
                                                                    .workspace_bytes = workspace_.size()},
                                   stream.get());
  }

  ensyn::PopulationConfig config_;
  ensyn::NetworkConfig member_;
  double fraction_;
  std::vector<int> sizes_;
  bool heterogeneous_;
  std::array<LayerMemory<T>, 2> layers_;
  Array<T> shared_phi_;
  Activations<T> at_;
  Array<std::byte> workspace_;
};

}  // namespace user
