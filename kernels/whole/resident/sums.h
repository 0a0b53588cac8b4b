/// \file
/// Sums of a warp, and what a block adds up of its warps' (resident_training.cu).
#pragma once

#include "kernels/whole/resident/block.h"

namespace ensyn::kernels::resident {

// Device code: elsewhere the compiler does not know clusters.
#if ENSYN_CLUSTERS

/// A warp's sums for one row of tiles, until the next row begins.
template <bool kShared>
struct RowSums {
  float of[kN][4], noise[kShared ? kN : 1][4];
  int row = -1;

  __device__ void clear() {
    ENSYN_UNROLL
    for (int n = 0; n < kN; ++n) {
      ENSYN_UNROLL
      for (int i = 0; i < 4; ++i) {
        of[n][i] = 0;
        if constexpr (kShared) noise[n][i] = 0;
      }
    }
  }
};

/// Rows of examples that sums are kept of.
__device__ inline int sum_examples(const Block& block, bool pixels) {
  return block.batch() + (pixels ? 2 : 0);
}
/// Floats between sums and sums of noise.
__device__ inline int noise_distance(int slots, int examples) {
  return slots * examples * kSumStride;
}

/// Stores a warp's sums in a place of their own.
__device__ inline void store_sums(const Block& block, const float (&sums)[kN][4], float* to, int examples) {
  ENSYN_UNROLL
  for (int n = 0; n < kN; ++n) {
    ENSYN_UNROLL
    for (int j = 0; j < 2; ++j) {
      const int example = 8 * n + 2 * block.lane.t + j;
      if (example >= examples) continue;
      *reinterpret_cast<float2*>(to + example * kSumStride + 2 * block.lane.g) =
          float2{sums[n][j], sums[n][2 + j]};
    }
  }
}
/// A warp and a row of tiles of its layer have place number `warp + row`: neither goes back in the run.
template <bool kShared>
__device__ inline void close_row(const Block& block, int l, RowSums<kShared>& sums, int examples) {
  if (sums.row < 0) return;
  const int rows = block.own().end_row[l] - block.own().first_row[l], slots = kResidentWarps + rows - 1;
  float* to =
      block.at(block.own().sums) + (block.warp + sums.row - block.own().first_row[l]) * examples * kSumStride;
  store_sums(block, sums.of, to, examples);
  if constexpr (kShared) store_sums(block, sums.noise, to + noise_distance(slots, examples), examples);
}

__device__ inline float4 add(const float4& a, const float4& b) {
  return {a.x + b.x, a.y + b.y, a.z + b.z, a.w + b.w};
}
__device__ inline float4 scale_and_add(const float4& a, float s, const float4& b) {
  return {detail::fused(a.x, s, b.x), detail::fused(a.y, s, b.y), detail::fused(a.z, s, b.z),
          detail::fused(a.w, s, b.w)};
}

/// Adds the sums of the warps that own tiles of a row of the block's.
template <bool kPixels>
__device__ inline float4 total_of(const Block& block, const float* sums, int first_slot, int last_slot,
                                  int examples, int b, int four) {
  const auto sum = [&](int example) {
    float4 total{};
    for (int slot = first_slot; slot <= last_slot; ++slot) {
      total = add(total, *reinterpret_cast<const float4*>(sums + (slot * examples + example) * kSumStride +
                                                          4 * four));
    }
    return total;
  };
  if constexpr (!kPixels) return sum(b);
  const Inputs<float>& inputs = block.args.of.inputs;
  return scale_and_add(sum(b), inputs.scale,
                       scale_and_add(sum(block.batch()), inputs.shift, sum(block.batch() + 1)));
}

#endif

}  // namespace ensyn::kernels::resident
