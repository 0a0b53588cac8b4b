/// \file
/// Products of a warp with tiles of weights, 16 outputs x 8 inputs, by tensor cores.
///
/// Lane 4 g + t owns the quad of outputs 2 g, 2 g + 1 and inputs 2 t, 2 t + 1 of a tile, for life: the same
/// four elements are its part of the left operand of the forward product (with outputs and inputs permuted:
/// row g of the operand is output 2 g, row g + 8 is 2 g + 1, column t is input 2 t, t + 4 is 2 t + 1), of
/// that of the backward product, transposed, and of the gradient, which is a product's result. So weights and
/// gradients never move between threads.
///
/// Tensor cores read 11 bits of a single-precision number. An operand is therefore split into what they read
/// and the rest, and two or three products are added; what is lost is of the size of rounding. Pixels are
/// whole numbers below 256, exact as they are: scale and shift are applied to the sums (Pixels below).
/// Double-precision products are exact as they are.
#pragma once

#include <device/tensor.h>

#include <cstdint>

#include "ensyn/detail/arithmetic.h"
#include "kernels/device/quad.h"
#include "kernels/whole/tiles.h"

namespace ensyn::kernels {

/// Place of a lane in its warp's fragments.
struct Lane {
  int g, t;
};
__device__ inline Lane own_lane() {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  return {lane / 4, lane % 4};
}

/// Where a lane's quad of a network's tile lies: the layer, and its first row and column in that.
struct TilePlace {
  int layer, row, column;
};
__device__ inline TilePlace place_of(const Tiling& tiling, int tile, const Lane& lane) {
  int l = 0;
  while (l + 1 < tiling.layer_count && tile >= tiling.layers[l + 1].first_tile) ++l;
  const TiledLayer& layer = tiling.layers[l];
  tile -= layer.first_tile;
  return {l, tile / layer.column_tiles * kTileRows + 2 * lane.g,
          tile % layer.column_tiles * kTileColumns + 2 * lane.t};
}

/// A number as two, of which tensor cores read all that counts.
struct Split {
  float high, low;
};
__device__ inline Split split(float x) {
  const float high = detail::as_number(detail::as_bits(x) & 0xFFFFE000u);
  return {high, x - high};
}

/// A left operand, ready for any number of products.
template <class T>
struct LeftOperand;
template <>
struct LeftOperand<float> {
  float high[4], low[4];
  __device__ void set(int i, float x) {
    const Split parts = split(x);
    high[i] = parts.high;
    low[i] = parts.low;
  }
};
template <>
struct LeftOperand<double> {
  double of[4];
  __device__ void set(int i, double x) { of[i] = x; }
};

/// For outputs x inputs, and for its transpose.
template <class T>
__device__ inline LeftOperand<T> forward_operand(const Quad<T>& w) {
  LeftOperand<T> a;
  a.set(0, w.of[0][0]), a.set(1, w.of[1][0]), a.set(2, w.of[0][1]), a.set(3, w.of[1][1]);
  return a;
}
template <class T>
__device__ inline LeftOperand<T> backward_operand(const Quad<T>& w) {
  LeftOperand<T> a;
  a.set(0, w.of[0][0]), a.set(1, w.of[0][1]), a.set(2, w.of[1][0]), a.set(3, w.of[1][1]);
  return a;
}

/// c += a b. kExact: tensor cores read all of b.
template <bool kExact>
__device__ inline void add_product(float (&c)[4], const LeftOperand<float>& a, const float (&b)[2]) {
  if constexpr (kExact) {
    tensor_product(c, a.low, b);
    tensor_product(c, a.high, b);
  } else {
    const Split first = split(b[0]), second = split(b[1]);
    const float high[2] = {first.high, second.high}, low[2] = {first.low, second.low};
    tensor_product(c, a.low, high);
    tensor_product(c, a.high, low);
    tensor_product(c, a.high, high);
  }
}
template <bool kExact>
__device__ inline void add_product(double (&c)[4], const LeftOperand<double>& a, const double (&b)[2]) {
  tensor_product(c, a.of, b);
}

/// Examples in shared memory, row after row. A stride of 8 times an odd number keeps reads free of conflicts.
template <class T>
struct Values {
  static constexpr bool kExact = false;
  const T* at;
  int stride;
  __device__ T operator()(int example, int column) const { return at[example * stride + column]; }
  /// (example, column) and (example, column + 1); column is even
  __device__ void pair(int example, int column, T (&to)[2]) const {
    struct alignas(2 * sizeof(T)) Two {
      T of[2];
    };
    const Two two = *reinterpret_cast<const Two*>(at + example * stride + column);
    to[0] = two.of[0], to[1] = two.of[1];
  }
};
/// Bytes as they are stored. Behind the examples follow one whose pixels are all 1 and its bias 0, and one
/// whose bias alone is 1; everybody else's bias is 0. With z the sums of an example,
///   output = scale z + shift z(ones) + z(bias).
template <class T>
struct Pixels {
  static constexpr bool kExact = true;
  const std::uint8_t* at;
  int stride;
  __device__ T operator()(int example, int column) const {
    return static_cast<T>(at[example * stride + column]);
  }
  __device__ void pair(int example, int column, T (&to)[2]) const {
    const unsigned two = *reinterpret_cast<const std::uint16_t*>(at + example * stride + column);
    to[0] = static_cast<T>(two & 0xFFu), to[1] = static_cast<T>(two >> 8);
  }
};

/// sums[n] of examples 8 n ... 8 n + 7 += operand * examples' columns from `column` on.
template <int kN, class T, class Examples>
__device__ inline void add_forward(T (&sums)[kN][4], const LeftOperand<T>& operand, const Examples& examples,
                                   int column, const Lane& lane) {
  ENSYN_UNROLL
  for (int n = 0; n < kN; ++n) {
    T b[2];
    examples.pair(8 * n + lane.g, column + 2 * lane.t, b);
    add_product<Examples::kExact>(sums[n], operand, b);
  }
}

/// dL/d(output) of one row of tiles, transposed: outputs x examples. Examples beyond the minibatch must be 0.
template <int kN, class T>
__device__ inline void load_deltas(LeftOperand<T> (&deltas)[kN], const Values<T>& of, int first_row,
                                   const Lane& lane) {
  ENSYN_UNROLL
  for (int n = 0; n < kN; ++n) {
    T pair[2];
    of.pair(8 * n + lane.t, first_row + 2 * lane.g, pair);
    deltas[n].set(0, pair[0]), deltas[n].set(1, pair[1]);
    of.pair(8 * n + lane.t + 4, first_row + 2 * lane.g, pair);
    deltas[n].set(2, pair[0]), deltas[n].set(3, pair[1]);
  }
}

/// The gradient in the lane's weights of the tile at `column`: sum over examples of delta x.
template <int kN, class T, class Examples>
__device__ inline Quad<T> tile_gradient(const LeftOperand<T> (&deltas)[kN], const Examples& examples,
                                        int column, const Lane& lane) {
  T sums[4] = {};
  ENSYN_UNROLL
  for (int n = 0; n < kN; ++n) {
    const T b[2] = {examples(8 * n + lane.t, column + lane.g), examples(8 * n + lane.t + 4, column + lane.g)};
    add_product<Examples::kExact>(sums, deltas[n], b);
  }
  return {{{sums[0], sums[1]}, {sums[2], sums[3]}}};
}

}  // namespace ensyn::kernels
