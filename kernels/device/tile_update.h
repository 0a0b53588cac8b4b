/// \file
/// Draws and updates the four weights that a lane owns of a tile.
#pragma once

#include "kernels/device/tile_math.h"
#include "kernels/device/tile_product.h"

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

template <class T>
__device__ inline Quad<T> normals_at(const NoiseSource& source, int row_quad, int column_quad, int columns) {
  return tile_normals(quad_words(source, row_quad, column_quad, columns), T(0));
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
                                  const NetworkConstants<T>& constants, const detail::AdamRates<T>& rates) {
  ENSYN_UNROLL
  for (int i = 0; i < 4; ++i) {
    AdamState<T> mu{field[0].of[i], field[1].of[i], field[2].of[i]};
    AdamState<T> phi{field[3].of[i], field[4].of[i], field[5].of[i]};
    const T gradient = g.of[i / 2][i % 2];
    const detail::Softplus<T> sigma = tile_softplus(phi.value);
    const T slope = detail::fused(gradient, xi.of[i / 2][i % 2], tile_cost_gradient(sigma.value, constants));
    tile_adam(
        mu,
        detail::add_magnitude_gradient(gradient, mu.value, constants.magnitude, constants.inverse_variance),
        phi, slope * sigma.derivative, rates);
    field[0].of[i] = mu.value, field[1].of[i] = mu.moment1, field[2].of[i] = mu.moment2;
    field[3].of[i] = phi.value, field[4].of[i] = phi.moment1, field[5].of[i] = phi.moment2;
  }
}
/// As above of mu alone.
template <class T>
__device__ inline void update_mu_alone(Four<T> (&field)[kSharedPhiFields], const Quad<T>& g,
                                       const NetworkConstants<T>& constants,
                                       const detail::AdamRates<T>& rates) {
  ENSYN_UNROLL
  for (int i = 0; i < 4; ++i) {
    AdamState<T> mu{field[0].of[i], field[1].of[i], field[2].of[i]};
    tile_adam(mu,
              detail::add_magnitude_gradient(g.of[i / 2][i % 2], mu.value, constants.magnitude,
                                             constants.inverse_variance),
              rates);
    field[0].of[i] = mu.value, field[1].of[i] = mu.moment1, field[2].of[i] = mu.moment2;
  }
}

}  // namespace ensyn::kernels
