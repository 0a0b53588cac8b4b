// Updates: a gradient that was computed elsewhere, many layers at once, rows of matrices side by side.

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstddef>
#include <vector>

#include "ensyn/ops.h"
#include "ops/user.h"

namespace {

namespace ops = ensyn::ops;
using ensyn::NoiseKind;
using user::Array;
using user::numbers;

constexpr int kInputs = 5, kOutputs = 6, kColumns = kInputs + 1, kBatch = 4;
constexpr std::size_t kSize = static_cast<std::size_t>(kOutputs) * kColumns;
constexpr std::size_t kManyLayers = 11;
constexpr ensyn::NoiseKey kKey{11, 12, 13, 0, ensyn::Purpose::training};

/// Parameters and minibatch of one layer.
template <class T>
struct Problem {
  explicit Problem(unsigned seed)
      : mu(numbers<T>(kSize, seed)),
        m1(std::vector<T>(kSize)),
        m2(std::vector<T>(kSize)),
        phi(numbers<T>(kSize, seed + 100)),
        p1(std::vector<T>(kSize)),
        p2(std::vector<T>(kSize)),
        x(numbers<T>(kBatch * kInputs, seed + 200)),
        delta(numbers<T>(kBatch * kOutputs, seed + 300)) {}

  [[nodiscard]] ops::LayerUpdate<T> layer() const {
    return {.parameters = {.inputs = kInputs,
                           .outputs = kOutputs,
                           .mu = mu.data(),
                           .mu_moment1 = m1.data(),
                           .mu_moment2 = m2.data(),
                           .phi = phi.data(),
                           .phi_moment1 = p1.data(),
                           .phi_moment2 = p2.data()},
            .x = x.data(),
            .delta = delta.data()};
  }

  Array<T> mu, m1, m2, phi, p1, p2, x, delta;
};

template <class T>
std::vector<ops::LayerUpdate<T>> layers_of(const std::vector<Problem<T>>& problems) {
  std::vector<ops::LayerUpdate<T>> layers;
  for (const Problem<T>& problem : problems) layers.push_back(problem.layer());
  return layers;
}

template <class T>
std::vector<Problem<T>> many_problems() {
  std::vector<Problem<T>> problems;
  for (unsigned l = 0; l < kManyLayers; ++l) problems.emplace_back(l + 1);
  return problems;
}

[[gnu::noinline]] ensyn::NetworkConfig settings(NoiseKind noise) {
  ensyn::NetworkConfig config;
  config.noise = noise;
  config.adam.learning_rate = 0.1;
  return config;
}

template <class T>
class OpsUpdate : public ::testing::Test {
 protected:
  const user::Stream stream;

  void update(std::span<const ops::LayerUpdate<T>> layers, const ensyn::NoiseKey& key) const {
    ops::update(ops::Update<T>{.layers = layers,
                               .batch = kBatch,
                               .key = key,
                               .fraction = 0.5,
                               .config = settings(NoiseKind::heterogeneous)},
                stream.get());
  }

  void homogeneous_update(std::span<const ops::LayerUpdate<T>> layers, const Array<T>& shared_phi) const {
    const Array<std::byte> workspace(ops::homogeneous_workspace_bytes(layers));
    ops::homogeneous_update(ops::HomogeneousUpdate<T>{.update = {.layers = layers,
                                                                 .batch = kBatch,
                                                                 .key = kKey,
                                                                 .fraction = 0.5,
                                                                 .config = settings(NoiseKind::homogeneous)},
                                                      .shared_phi = shared_phi.data(),
                                                      .workspace = workspace.data(),
                                                      .workspace_bytes = workspace.size()},
                            stream.get());
    stream.wait();
  }
};
TYPED_TEST_SUITE(OpsUpdate, user::Numbers);

TYPED_TEST(OpsUpdate, ManyLayersAreUpdatedAsEachByItself) {
  using T = TypeParam;
  const std::vector<Problem<T>> together = many_problems<T>(), alone = many_problems<T>();
  this->update(layers_of(together), kKey);
  for (std::uint32_t l = 0; l < kManyLayers; ++l) {
    ensyn::NoiseKey key = kKey;
    key.tensor = l;
    const std::array<ops::LayerUpdate<T>, 1> one{alone[l].layer()};
    this->update(one, key);
    EXPECT_EQ(together[l].mu.read(), alone[l].mu.read()) << "layer " << l;
    EXPECT_EQ(together[l].phi.read(), alone[l].phi.read()) << "layer " << l;
    EXPECT_EQ(together[l].p2.read(), alone[l].p2.read()) << "layer " << l;
    EXPECT_NE(together[l].mu.read(), Problem<T>(l + 1).mu.read()) << "layer " << l;
  }
}

/// The gradient that an update computes, in its order.
template <class T>
std::vector<T> gradient_of(const Problem<T>& problem) {
  const std::vector<T> x = problem.x.read(), delta = problem.delta.read();
  std::vector<T> gradient(kSize);
  for (std::size_t r = 0; r < kOutputs; ++r) {
    for (std::size_t k = 0; k < kColumns; ++k) {
      for (std::size_t b = 0; b < kBatch; ++b) {
        const T in = k == kInputs ? T(1) : x[b * kInputs + k];
        T& g = gradient[r * kColumns + k];
        g = std::fma(delta[b * kOutputs + r], in, g);
      }
    }
  }
  return gradient;
}

TYPED_TEST(OpsUpdate, AGradientComputedElsewhereServesAsWell) {
  using T = TypeParam;
  for (const bool homogeneous : {false, true}) {
    const Problem<T> computed(1), given(1);
    const Array<T> gradient(gradient_of(given)), phi_a{std::vector<T>(3)}, phi_b{std::vector<T>(3)};
    const std::array<ops::LayerUpdate<T>, 1> a{computed.layer()};
    std::array<ops::LayerUpdate<T>, 1> b{given.layer()};
    b[0].x = b[0].delta = nullptr;
    b[0].gradient = gradient.data();
    if (homogeneous) {
      this->homogeneous_update(a, phi_a);
      this->homogeneous_update(b, phi_b);
    } else {
      this->update(a, kKey);
      this->update(b, kKey);
    }
    EXPECT_EQ(computed.mu.read(), given.mu.read());
    EXPECT_EQ(computed.phi.read(), given.phi.read());
    EXPECT_EQ(phi_a.read(), phi_b.read());
  }
}

TYPED_TEST(OpsUpdate, ManyHomogeneousLayersMoveOnePhi) {
  using T = TypeParam;
  const std::vector<Problem<T>> problems = many_problems<T>();
  const Array<T> phi{std::vector<T>(3)};
  this->homogeneous_update(layers_of(problems), phi);
  // The moment after one step is (1 - beta1) times the gradient: the sum over all layers, divided by P.
  double sum = 0;
  for (std::uint32_t l = 0; l < kManyLayers; ++l) {
    const std::vector<T> g = gradient_of(problems[l]);
    std::vector<T> xi(kSize);
    ensyn::NoiseKey key = kKey;
    key.tensor = l;
    ensyn::noise_normals(key, kOutputs, kColumns, std::span<T>(xi));
    for (std::size_t i = 0; i < kSize; ++i) sum += static_cast<double>(g[i]) * static_cast<double>(xi[i]);
  }
  const double sigma = std::log(2.0), cost = -2 * 0.5 / (sigma * sigma * sigma);
  const double expected = 0.1 * (sum / (kManyLayers * kSize) + cost) * 0.5;
  EXPECT_NEAR(static_cast<double>(phi.read()[1]), expected, 1e-6);
  for (const Problem<T>& problem : problems) {
    EXPECT_EQ(problem.phi.read(),
              Problem<T>(static_cast<unsigned>(&problem - problems.data()) + 1).phi.read());
  }
}

TYPED_TEST(OpsUpdate, WithoutAKeyOnlyTheCostMovesPhi) {
  using T = TypeParam;
  const Problem<T> problem(1);
  const std::array<ops::LayerUpdate<T>, 1> layers{problem.layer()};
  ops::Update<T> args{.layers = layers,
                      .batch = kBatch,
                      .adam_step = 0,
                      .fraction = 0.5,
                      .config = settings(NoiseKind::heterogeneous)};
  ops::update(args, this->stream.get());
  EXPECT_NE(problem.phi.read(), Problem<T>(1).phi.read());
  const Problem<T> free(1);
  const std::array<ops::LayerUpdate<T>, 1> other{free.layer()};
  args.layers = other;
  args.config.costs.clear();
  ops::update(args, this->stream.get());
  EXPECT_EQ(free.phi.read(), Problem<T>(1).phi.read());
  EXPECT_NE(free.mu.read(), Problem<T>(1).mu.read());
}

TYPED_TEST(OpsUpdate, RowsOfMatricesMayLieSideBySide) {
  using T = TypeParam;
  // One array with rows of mu, its moments, phi and its moments.
  constexpr int kStride = 6 * kColumns;
  const Problem<T> apart(1);
  std::vector<T> side(kOutputs * static_cast<std::size_t>(kStride));
  const std::vector<T> mu = apart.mu.read(), phi = apart.phi.read();
  const auto at = [](std::size_t field, std::size_t row, std::size_t column) {
    return row * kStride + field * kColumns + column;
  };
  for (std::size_t r = 0; r < kOutputs; ++r) {
    for (std::size_t k = 0; k < kColumns; ++k) {
      side[at(0, r, k)] = mu[r * kColumns + k];
      side[at(3, r, k)] = phi[r * kColumns + k];
    }
  }
  const Array<T> memory(side);
  std::array<ops::LayerUpdate<T>, 1> layers{apart.layer()};
  this->update(layers, kKey);
  ops::Parameters<T>& parameters = layers[0].parameters;
  parameters.stride = kStride;
  std::size_t field = 0;
  for (T** pointer : {&parameters.mu, &parameters.mu_moment1, &parameters.mu_moment2, &parameters.phi,
                      &parameters.phi_moment1, &parameters.phi_moment2}) {
    *pointer = memory.data() + field++ * kColumns;
  }
  this->update(layers, kKey);
  const std::vector<T> result = memory.read(), expected_mu = apart.mu.read(), expected_phi = apart.phi.read();
  for (std::size_t r = 0; r < kOutputs; ++r) {
    for (std::size_t k = 0; k < kColumns; ++k) {
      EXPECT_EQ(result[at(0, r, k)], expected_mu[r * kColumns + k]);
      EXPECT_EQ(result[at(3, r, k)], expected_phi[r * kColumns + k]);
    }
  }
}

}  // namespace
