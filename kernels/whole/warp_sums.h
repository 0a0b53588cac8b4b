/// \file
/// How the warps of a block share the tiles of a layer, and how what they summed comes together.
#pragma once

#include "kernels/base/shared_room.h"
#include "kernels/whole/tile_product.h"

namespace ensyn::kernels {

/// A power of two by its logarithm.
struct Shift {
  int bits;
};

/// `at_a_time` rows of tiles at a time, `warps` to each; `row` and `first` are the warp's row of these, and
/// its first tile in it, from which it takes every `warps`-th.
struct Sharers {
  int at_a_time, warps, row, first;
  __device__ Sharers(int rows, int all_warps, int warp)
      : at_a_time(rows), warps(all_warps / rows), row(warp / warps), first(warp % warps) {}
  /// As above, without divisions, where warps for a row are a power of two.
  __device__ Sharers(int rows, Shift of_row, int warp)
      : at_a_time(rows), warps(1 << of_row.bits), row(warp >> of_row.bits), first(warp & (warps - 1)) {}
};

/// The sums of a warp, example x output, into the room that it has in `all`.
template <int kN, class T>
__device__ inline void store_warp_sums(T* all, const T (&sums)[kN][4], int warp, const Lane& lane) {
  T* to = all + warp * (8 * kN * kSumStride);
  struct alignas(2 * sizeof(T)) Two {
    T of[2];
  };
  ENSYN_UNROLL
  for (int n = 0; n < kN; ++n) {
    ENSYN_UNROLL
    for (int j = 0; j < 2; ++j) {
      T* at = to + (8 * n + 2 * lane.t + j) * kSumStride + 2 * lane.g;
      *reinterpret_cast<Two*>(at) = {{sums[n][j], sums[n][2 + j]}};
    }
  }
}

/// Adds, in order, the sums of the warps that share a row.
template <int kN, class T>
__device__ inline T total_of(const T* all, const Sharers& sharers, int row, int example, int output) {
  const T* at = all + (row * sharers.warps * 8 * kN + example) * kSumStride + output;
  T total = 0;
  for (int w = 0; w < sharers.warps; ++w) total = total + at[w * (8 * kN * kSumStride)];
  return total;
}

}  // namespace ensyn::kernels
