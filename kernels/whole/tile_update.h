/// \file
/// Draws and updates the four weights that a lane owns of a tile.
#pragma once

#include "kernels/whole/tile_math.h"
#include "kernels/whole/tile_product.h"

namespace ensyn::kernels {

/// One array of a tile, as a lane holds it: its quad.
template <class T>
struct alignas(16) Four {
  T of[4];
};

template <class T>
__device__ inline Four<T>& four_at(T* at) {
  return *reinterpret_cast<Four<T>*>(at);
}
template <class T>
__device__ inline const Four<T>& four_at(const T* at) {
  return *reinterpret_cast<const Four<T>*>(at);
}

/// What the noise of one tensor at one step is drawn from, with the keys of all rounds of Philox in shared
/// memory.
struct KeyedNoise {
  const uint4* keys;
  std::uint32_t quad_high;  ///< upper half of q, whose lower half is the quad's number
  std::uint64_t step_and_stream;
};
inline constexpr int kPhiloxRounds = 10, kKeyBytes = 2 * kPhiloxRounds * static_cast<int>(sizeof(unsigned));

/// Writes the keys of a seed; the first threads of the block do it.
__device__ inline void prepare_keys(std::uint64_t seed, unsigned* keys, int thread) {
  if (thread >= kPhiloxRounds) return;
  const auto round = static_cast<unsigned>(thread);
  keys[2 * thread] = static_cast<unsigned>(seed) + round * 0x9E3779B9u;
  keys[2 * thread + 1] = static_cast<unsigned>(seed >> 32) + round * 0xBB67AE85u;
}
template <class T>
__device__ inline KeyedNoise keyed_noise(const uint4* keys, const NetworkConstants<T>& constants,
                                         std::uint64_t step, int tensor, std::uint32_t purpose) {
  return {keys, static_cast<std::uint32_t>(tensor) << 8 | purpose << 20, step | constants.stream};
}

/// The words that cuRAND's Philox4x32-10 gives for (quad, source): its rounds with products of 64 bits, which
/// are one instruction, and keys that are read instead of added up.
__device__ inline uint4 keyed_words(const KeyedNoise& source, std::uint32_t quad) {
  uint4 c{quad, source.quad_high, static_cast<unsigned>(source.step_and_stream),
          static_cast<unsigned>(source.step_and_stream >> 32)};
  const auto round = [&](unsigned key0, unsigned key1) {
    const std::uint64_t p0 = std::uint64_t{detail::kPhiloxMultiplier0} * c.x;
    const std::uint64_t p1 = std::uint64_t{detail::kPhiloxMultiplier1} * c.z;
    c = {static_cast<unsigned>(p1 >> 32) ^ c.y ^ key0, static_cast<unsigned>(p1),
         static_cast<unsigned>(p0 >> 32) ^ c.w ^ key1, static_cast<unsigned>(p0)};
  };
  ENSYN_UNROLL
  for (int pair = 0; pair < kPhiloxRounds / 2; ++pair) {
    const uint4 keys = source.keys[pair];
    round(keys.x, keys.y);
    round(keys.z, keys.w);
  }
  return c;
}
template <class T>
__device__ inline Quad<T> normals_at(const KeyedNoise& source, int row_quad, int column_quad, int columns) {
  return tile_normals(
      keyed_words(source, static_cast<std::uint32_t>(row_quad * ((columns + 1) / 2) + column_quad)), T(0));
}

/// w = mu + sigma xi with a sigma of each weight.
template <class T>
__device__ inline Quad<T> draw_own(const Four<T>& mu, const Four<T>& phi, const Quad<T>& xi) {
  Quad<T> w;
  ENSYN_UNROLL
  for (int i = 0; i < 4; ++i) {
    w.of[i / 2][i % 2] = detail::fused(tile_softplus(phi.of[i]).value, xi.of[i / 2][i % 2], mu.of[i]);
  }
  return w;
}
/// As above with the sigmas of the two rows.
template <class T>
__device__ inline Quad<T> draw_shared(const Four<T>& mu, const T (&sigmas)[2], const Quad<T>& xi) {
  Quad<T> w;
  ENSYN_UNROLL
  for (int i = 0; i < 4; ++i)
    w.of[i / 2][i % 2] = detail::fused(sigmas[i / 2], xi.of[i / 2][i % 2], mu.of[i]);
  return w;
}
template <class T>
__device__ inline Quad<T> as_quad(const Four<T>& of) {
  return {{{of.of[0], of.of[1]}, {of.of[2], of.of[3]}}};
}

/// One step of Adam on the lane's weights, whose arrays stand in `field` in the order of tiles.h, with the
/// gradient g in the weights, drawn from xi.
template <class T>
__device__ inline void update_own(Four<T> (&field)[kOwnPhiFields], const Quad<T>& g, const Quad<T>& xi,
                                  const TileCosts<T>& costs, const detail::AdamRates<T>& rates) {
  // Two at a time, for the sake of registers.
  ENSYN_UNROLL
  for (int first = 0; first < 4; first += 2) {
    T sigma[2], derivative[2], slope[2];
    ENSYN_UNROLL
    for (int i = 0; i < 2; ++i) {
      const detail::Softplus<T> softplus = tile_softplus(field[3].of[first + i]);
      sigma[i] = softplus.value, derivative[i] = softplus.derivative;
    }
    tile_cost_gradients(sigma, costs, slope);
    ENSYN_UNROLL
    for (int i = 0; i < 2; ++i) {
      const int at = first + i;
      AdamState<T> mu{field[0].of[at], field[1].of[at], field[2].of[at]};
      AdamState<T> phi{field[3].of[at], field[4].of[at], field[5].of[at]};
      const T gradient = g.of[at / 2][at % 2];
      const T in_phi = detail::fused(gradient, xi.of[at / 2][at % 2], slope[i]) * derivative[i];
      tile_adam(mu,
                detail::add_magnitude_gradient(gradient, mu.value, costs.magnitude, costs.inverse_variance),
                phi, in_phi, rates);
      field[0].of[at] = mu.value, field[1].of[at] = mu.moment1, field[2].of[at] = mu.moment2;
      field[3].of[at] = phi.value, field[4].of[at] = phi.moment1, field[5].of[at] = phi.moment2;
    }
  }
}
/// As above of mu alone.
template <class T>
__device__ inline void update_mu_alone(Four<T> (&field)[kSharedPhiFields], const Quad<T>& g,
                                       const TileCosts<T>& costs, const detail::AdamRates<T>& rates) {
  ENSYN_UNROLL
  for (int i = 0; i < 4; ++i) {
    AdamState<T> mu{field[0].of[i], field[1].of[i], field[2].of[i]};
    tile_adam(
        mu,
        detail::add_magnitude_gradient(g.of[i / 2][i % 2], mu.value, costs.magnitude, costs.inverse_variance),
        rates);
    field[0].of[i] = mu.value, field[1].of[i] = mu.moment1, field[2].of[i] = mu.moment2;
  }
}

}  // namespace ensyn::kernels
