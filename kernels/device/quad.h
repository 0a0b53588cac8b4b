/// \file
/// Noise and weights of one quad, the 2 x 2 elements that one Philox block serves (noise contract,
/// ensyn/noise.h).
#pragma once

#include <device/random.h>

#include "ensyn/detail/arithmetic.h"
#include "kernels/base/network.h"
#include "kernels/device/views.h"

namespace ensyn::kernels {

/// Elements [row][column] of a quad.
template <class T>
struct Quad {
  T of[2][2];
};

/// What the noise of one tensor at one step is drawn from.
struct NoiseSource {
  std::uint64_t seed, step_and_stream, first_quad;
};

template <class T>
__device__ inline NoiseSource noise_source(const NetworkConstants<T>& constants, std::uint64_t step,
                                           int tensor, std::uint32_t purpose) {
  return {constants.seed, step | constants.stream,
          static_cast<std::uint64_t>(tensor) << 40 | static_cast<std::uint64_t>(purpose) << 52};
}

/// The four words of the quad at rows 2a, 2a + 1 and columns 2b, 2b + 1 of a tensor with `columns` columns.
__device__ inline uint4 quad_words(const NoiseSource& source, int a, int b, int columns) {
  const std::uint64_t quad = static_cast<std::uint64_t>(a) * static_cast<std::uint64_t>((columns + 1) / 2) +
                             static_cast<std::uint64_t>(b);
  // The counter and the key that curand_init(seed, s, 4 q) would set: a state for one draw, in registers.
  const std::uint64_t q = source.first_quad + quad, s = source.step_and_stream;
  const uint4 counter{static_cast<unsigned>(q), static_cast<unsigned>(q >> 32), static_cast<unsigned>(s),
                      static_cast<unsigned>(s >> 32)};
  return curand_Philox4x32_10(counter,
                              {static_cast<unsigned>(source.seed), static_cast<unsigned>(source.seed >> 32)});
}

template <class T>
__device__ inline Quad<T> quad_normals(const uint4& words) {
  const auto upper =
      detail::box_muller(static_cast<T>(words.x), static_cast<T>(static_cast<std::int32_t>(words.y)));
  const auto lower =
      detail::box_muller(static_cast<T>(words.z), static_cast<T>(static_cast<std::int32_t>(words.w)));
  return {{{upper.first, upper.second}, {lower.first, lower.second}}};
}

// Kernels are made twice: without and with laws other than the Gaussian (kOtherLaws). The first need fewer
// registers and instructions, so launchers take the second only where a network follows such a law.

/// The noise of a quad in the form that the law takes: normals, or the words themselves as unsigned numbers.
template <bool kOtherLaws, class T>
__device__ inline Quad<T> quad_noise(NoiseLaw law, const uint4& words) {
  if constexpr (kOtherLaws) {
    if (law == NoiseLaw::binomial) {
      return {{{static_cast<T>(words.x), static_cast<T>(words.y)},
               {static_cast<T>(words.z), static_cast<T>(words.w)}}};
    }
  }
  return quad_normals<T>(words);
}

template <bool kOtherLaws, class T>
__device__ inline detail::Weight<T> draw_weight(NoiseLaw law, int vesicles, T mu, T sigma, T noise) {
  if constexpr (kOtherLaws) {
    if (law == NoiseLaw::binomial) return detail::binomial_weight(mu, sigma, noise, vesicles);
    if (law == NoiseLaw::log_normal) return detail::log_normal_weight(mu, sigma, noise);
  }
  return detail::gaussian_weight(mu, sigma, noise);
}

/// Calls visit(i, j) for the elements of the quad at (row, column) that lie inside the layer.
template <class Visit>
__device__ inline void for_elements(const Layer& layer, int row, int column, const Visit& visit) {
  ENSYN_UNROLL
  for (int i = 0; i < 2; ++i) {
    ENSYN_UNROLL
    for (int j = 0; j < 2; ++j) {
      if (row + i < layer.rows && column + j < layer.columns) visit(i, j);
    }
  }
}

[[nodiscard]] __device__ inline std::int64_t offset_of(const Layer& layer, int row, int column) {
  return static_cast<std::int64_t>(row) * layer.stride + column;
}

/// The weights of one layer of one network, as they are drawn at one step.
template <class T>
struct WeightSource {
  const T* mu;
  const T* phi;  ///< of each weight, or with `by_row` of each row, three elements apart; else null
  bool by_row;
  T shared_sigma;  ///< where phi is null
  bool noisy;
  NoiseLaw law;
  int vesicles;
  NoiseSource noise;
};

/// phi and its moments of the group that a row belongs to, in a network whose weights share phi.
template <class T>
__device__ inline const T* shared_phi_of(const Networks<T>& networks, const NetworkConstants<T>& constants,
                                         const Layer& layer, int row) {
  const int group = constants.sharing == Sharing::row     ? layer.row_group + row
                    : constants.sharing == Sharing::layer ? layer.layer_group
                                                          : 0;
  return networks.shared_phi + 3 * (constants.first_phi + group);
}

/// `minibatch` counts the independent minibatches of one launch.
template <class T>
__device__ inline WeightSource<T> weight_source(const Networks<T>& networks, int network, const Layer& layer,
                                                const T* mu, const T* phi, std::int64_t network_stride,
                                                const Draw& draw, int minibatch) {
  const NetworkConstants<T>& constants = constants_of(networks, network);
  const std::uint64_t step = draw.from_progress ? progress_of(networks, network).step
                                                : draw.step + static_cast<std::uint64_t>(minibatch);
  WeightSource<T> source{};
  source.mu = mu + network * network_stride;
  source.noisy = draw.noisy;
  source.law = constants.law;
  source.vesicles = constants.vesicles;
  source.noise = noise_source(constants, step, layer.tensor, draw.purpose);
  if (!draw.noisy) return source;
  source.by_row = constants.sharing == Sharing::row;
  if (constants.sharing == Sharing::none) {
    source.phi = phi + network * network_stride;
    return source;
  }
  const T* shared = shared_phi_of(networks, constants, layer, 0);
  if (source.by_row) {
    source.phi = shared;
  } else {
    source.shared_sigma = detail::softplus(*shared).value;
  }
  return source;
}

/// The weights of the quad at (row, column), both even; 0 outside the layer.
template <bool kOtherLaws, class T>
__device__ inline Quad<T> sample_quad(const WeightSource<T>& source, const Layer& layer, int row,
                                      int column) {
  Quad<T> w{};
  if (row >= layer.rows || column >= layer.columns) return w;
  Quad<T> noise{};
  if (source.noisy)
    noise =
        quad_noise<kOtherLaws, T>(source.law, quad_words(source.noise, row / 2, column / 2, layer.columns));
  for_elements(layer, row, column, [&](int i, int j) {
    const std::int64_t at = offset_of(layer, row + i, column + j);
    const T mu = source.mu[at];
    if (!source.noisy) {
      w.of[i][j] = mu;
      return;
    }
    const T sigma = source.phi == nullptr
                        ? source.shared_sigma
                        : detail::softplus(source.phi[source.by_row ? 3 * (row + i) : at]).value;
    w.of[i][j] = draw_weight<kOtherLaws>(source.law, source.vesicles, mu, sigma, noise.of[i][j]).value;
  });
  return w;
}

/// Draws the weights at (first_row, first_column), both even, into a tile of the block's, one quad a thread;
/// 0 outside the layer. Takes kRows * kColumns / 4 threads.
template <bool kOtherLaws, class T, int kRows, int kColumns>
__device__ inline void draw_tile(T (&tile)[kRows][kColumns], const WeightSource<T>& source,
                                 const Layer& layer, int first_row, int first_column) {
  constexpr int kQuadsPerRow = kColumns / 2;
  const int thread = static_cast<int>(threadIdx.x);
  const int row = 2 * (thread / kQuadsPerRow), column = 2 * (thread % kQuadsPerRow);
  const Quad<T> w = sample_quad<kOtherLaws>(source, layer, first_row + row, first_column + column);
  ENSYN_UNROLL
  for (int i = 0; i < 2; ++i) {
    ENSYN_UNROLL
    for (int j = 0; j < 2; ++j) tile[row + i][column + j] = w.of[i][j];
  }
}

}  // namespace ensyn::kernels
