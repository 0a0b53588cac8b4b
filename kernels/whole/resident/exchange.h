/// \file
/// What blocks of a cluster send one another: each adds up its own part and stores it where it is needed; who
/// needs it adds the parts in order of the blocks (resident_training.cu).
#pragma once

#include "kernels/whole/resident/sums.h"

namespace ensyn::kernels::resident {

// Device code: elsewhere the compiler does not know clusters.
#if ENSYN_CLUSTERS

/// Adds the warps' sums of layer l and stores them where its outputs are inputs.
template <bool kShared, bool kPixels>
__device__ inline void send_outputs(const Block& block, const cg::cluster_group& cluster, int l) {
  if (!block.owns(l)) return;
  const ResidentShape& shape = block.shape();
  const Run run(block, l);
  const int columns = block.layer(l).column_tiles, batch = block.batch();
  const int first_row = block.own().first_row[l], rows = block.own().end_row[l] - first_row;
  const int slots = kResidentWarps + rows - 1, examples = sum_examples(block, kPixels);
  const float* sums = block.at(block.own().sums);
  const int to_layer = block.is_last(l) ? l : l + 1;
  for (int i = block.thread; i < rows * batch * 4; i += kThreads) {
    const int four = i % 4, b = i / 4 % batch, row = first_row + i / 4 / batch;
    const int first = max(run.first, row * columns) - run.first,
              last = min(run.end, (row + 1) * columns) - 1 - run.first;
    const int first_slot = run.warp_of(first) + row - first_row,
              last_slot = run.warp_of(last) + row - first_row;
    const int split = block.rank - shape.row_first[shape.first_row_tile[l] + row];
    const int place = ((row * shape.row_splits[l] + split) * batch + b) * 4 + four;
    const float4 value = total_of<kPixels>(block, sums, first_slot, last_slot, examples, b, four);
    float4 noise{};
    if constexpr (kShared) {
      noise = total_of<kPixels>(block, sums + noise_distance(slots, examples), first_slot, last_slot,
                                examples, b, four);
      block.at<float4>(block.own().kept_noise[l])[((row - first_row) * batch + b) * 4 + four] = noise;
    }
    for (int c = shape.first_owner[to_layer]; c <= shape.last_owner[to_layer]; ++c) {
      auto* to = cluster.map_shared_rank(block.at<float4>(shape.blocks[c].output_parts[l]), c);
      to[place] = value;
      if constexpr (kShared)
        to[size_of(block.args.of.tiling, l, shape.row_splits[l], batch) / 4 + place] = noise;
    }
  }
}

/// Adds the parts of a layer's outputs: activations of the next layer's inputs, or the last layer's outputs.
template <bool kShared>
__device__ inline void receive_outputs(const Block& block, int l) {
  const ResidentShape& shape = block.shape();
  const int rows = block.layer(l).layer.rows, batch = block.batch(), splits = shape.row_splits[l];
  const bool last = block.is_last(l);
  if (!block.owns(last ? l : l + 1)) return;
  const float* parts = block.at(block.own().output_parts[l]);
  float* to = last ? block.at(block.own().deltas[l]) : block.at(block.own().activations[l + 1]);
  const int stride = last ? block.own().delta_stride[l] : shape.activation_stride[l + 1];
  for (int i = block.thread; i < batch * rows; i += kThreads) {
    const int b = i / rows, r = i % rows, row = r / kTileRows;
    const float* at = parts + (row * splits * batch + b) * kTileRows + r % kTileRows;
    const int count = shape.row_blocks[shape.first_row_tile[l] + row];
    float value = 0;
    for (int s = 0; s < count; ++s) value = value + at[s * batch * kTileRows];
    if constexpr (kShared) {
      const float* noise_at = at + size_of(block.args.of.tiling, l, splits, batch);
      float noise = 0;
      for (int s = 0; s < count; ++s) noise = noise + noise_at[s * batch * kTileRows];
      value = detail::fused(block.at(shape.sigmas)[block.layer(l).first_row + r], noise, value);
    }
    to[b * stride + r] = last ? value : detail::relu(value);
  }
}

/// The quad of outputs 2 t, 2 t + 1 and inputs 2 g, 2 g + 1 from 8 outputs and 16 inputs on, of the block's
/// own tiles; 0 elsewhere.
template <int kFields>
__device__ inline Quad<float> transposed_at(const Block& block, const Run& run, int l, int eight,
                                            int sixteen) {
  const TiledLayer& tiled = block.layer(l);
  const int column = 2 * sixteen + block.lane.g / 4, tile = eight / 2 * tiled.column_tiles + column;
  if (column >= tiled.column_tiles || tile < run.first || tile >= run.end) return {};
  const int owner = 4 * (4 * (eight % 2) + block.lane.t) + block.lane.g % 4;
  const int number = tiled.first_tile + tile - block.own().first_tile;
  const Quad<float> drawn = as_quad(drawn_at<kFields>(block, number, owner));
  if constexpr (kFields == kOwnPhiFields) return drawn;
  const Four<float>& mu = block.at<Four<float>>(block.own().state)[number * kSharedPhiFields * 32 + owner];
  const int row = 8 * eight + 2 * block.lane.t, last = tiled.layer.rows - 1;
  const float* sigmas = block.at(block.shape().sigmas) + tiled.first_row;
  return draw_shared(mu, {sigmas[min(row, last)], sigmas[min(row + 1, last)]}, drawn);
}

/// From the gradients in the outputs of layer l to the block's part of those below, which go to who owns
/// them.
template <int kFields>
__device__ inline void send_deltas(const Block& block, const cg::cluster_group& cluster, int l) {
  if (!block.owns(l)) return;
  const ResidentShape& shape = block.shape();
  const TiledLayer& below = block.layer(l - 1);
  const Run run(block, l);
  const Values<float> deltas = block.deltas(l), activations = block.activations(l);
  const int batch = block.batch();
  // Warps share the inputs, sixteen each, several where there are enough.
  const int sharers = max(1, kResidentWarps / below.row_tiles), at_a_time = kResidentWarps / sharers;
  const int from = block.rank - shape.first_owner[l],
            senders = shape.last_owner[l] - shape.first_owner[l] + 1;
  for (int base = 0; base < below.row_tiles; base += at_a_time) {
    const int sixteen = base + block.warp / sharers;
    if (block.warp / sharers < at_a_time && sixteen < below.row_tiles) {
      float sums[kN][4] = {};
      for (int eight = 2 * block.own().first_row[l] + block.warp % sharers;
           eight < 2 * block.own().end_row[l]; eight += sharers) {
        const Quad<float> w = transposed_at<kFields>(block, run, l, eight, sixteen);
        add_forward<kN>(sums, backward_operand(w), deltas, 8 * eight - block.first_delta(l), block.lane);
      }
      store_sums(block, sums, block.at(block.own().sums) + block.warp * batch * kSumStride, batch);
    }
    __syncthreads();
    const int count = min(at_a_time, below.row_tiles - base);
    for (int i = block.thread; i < count * batch * 4; i += kThreads) {
      const int four = i % 4, b = i / 4 % batch, local = i / 4 / batch, row = base + local;
      const float4 sum = total_of<false>(block, block.at(block.own().sums), local * sharers,
                                         local * sharers + sharers - 1, batch, b, four);
      const int k = row * kTileRows + 4 * four;
      const auto masked = [&](int j, float value) {
        return k + j < below.layer.rows && detail::less(0.0f, activations(b, k + j)) ? value : 0.0f;
      };
      const float4 value{masked(0, sum.x), masked(1, sum.y), masked(2, sum.z), masked(3, sum.w)};
      const int row_tile = shape.first_row_tile[l - 1] + row;
      for (int c = shape.row_first[row_tile]; c < shape.row_first[row_tile] + shape.row_blocks[row_tile];
           ++c) {
        const ResidentBlock& owner = shape.blocks[c];
        auto* to = cluster.map_shared_rank(block.at<float4>(owner.delta_parts[l - 1]), c);
        to[(((row - owner.first_row[l - 1]) * senders + from) * batch + b) * 4 + four] = value;
      }
    }
    __syncthreads();
  }
}

/// Adds the parts of the gradients in the own rows of layer l.
__device__ inline void receive_deltas(const Block& block, int l) {
  if (!block.owns(l)) return;
  const int rows = block.own().end_row[l] - block.own().first_row[l], batch = block.batch();
  const int senders = block.shape().last_owner[l + 1] - block.shape().first_owner[l + 1] + 1;
  const float* parts = block.at(block.own().delta_parts[l]);
  float* to = block.at(block.own().deltas[l]);
  for (int i = block.thread; i < rows * batch * kTileRows; i += kThreads) {
    const int r = i % kTileRows, b = i / kTileRows % batch, row = i / kTileRows / batch;
    const float* at = parts + (row * senders * batch + b) * kTileRows + r;
    float sum = 0;
    for (int s = 0; s < senders; ++s) sum = sum + at[s * batch * kTileRows];
    to[b * block.own().delta_stride[l] + row * kTileRows + r] = sum;
  }
}

/// The gradients in the first layer's outputs, summed over examples: the share of the biases, and of pixels'
/// shift.
__device__ inline void sum_first_deltas(const Block& block) {
  if (!block.owns(0)) return;
  const int rows = (block.own().end_row[0] - block.own().first_row[0]) * kTileRows;
  const int first = block.own().first_row[0] * kTileRows - block.first_delta(0);
  const Values<float> deltas = block.deltas(0);
  for (int r = block.thread; r < rows; r += kThreads) {
    float sum = 0;
    for (int b = 0; b < block.batch(); ++b) sum = sum + deltas(b, first + r);
    block.at(block.own().delta_sums[0])[r] = sum;
  }
}

/// The block's part of the gradient in sigma of each of its rows, to all blocks.
__device__ inline void send_row_sums(const Block& block, const cg::cluster_group& cluster) {
  const ResidentShape& shape = block.shape();
  for (int l = 0; l < block.layers(); ++l) {
    if (!block.owns(l)) continue;
    const TiledLayer& tiled = block.layer(l);
    const int first_row = block.own().first_row[l], batch = block.batch();
    const int first = first_row * kTileRows, end = min(block.own().end_row[l] * kTileRows, tiled.layer.rows);
    const Values<float> deltas = block.deltas(l);
    const float* noise = block.at(block.own().kept_noise[l]);
    for (int r = first + block.thread; r < end; r += kThreads) {
      const int row = r / kTileRows;
      float sum = 0;
      for (int b = 0; b < batch; ++b) {
        sum = detail::fused(deltas(b, r - block.first_delta(l)),
                            noise[((row - first_row) * batch + b) * kTileRows + r % kTileRows], sum);
      }
      const int split = block.rank - shape.row_first[shape.first_row_tile[l] + row];
      for (int c = 0; c < shape.cluster; ++c) {
        cluster.map_shared_rank(block.at(shape.row_sums),
                                c)[(tiled.first_row + r) * shape.most_splits + split] = sum;
      }
    }
  }
}

/// One step of every shared phi, from the parts that all blocks have sent; the same in each block.
__device__ inline void update_sigmas(const Block& block) {
  const ResidentShape& shape = block.shape();
  float* sigmas = block.at(shape.sigmas);
  for (int l = 0; l < block.layers(); ++l) {
    const TiledLayer& tiled = block.layer(l);
    for (int r = block.thread; r < tiled.layer.rows; r += kThreads) {
      const float* parts = block.at(shape.row_sums) + (tiled.first_row + r) * shape.most_splits;
      const int count = shape.row_blocks[shape.first_row_tile[l] + r / kTileRows];
      float sum = 0;
      for (int s = 0; s < count; ++s) sum = sum + parts[s];
      sigmas[tiled.first_row + r] = sum;
    }
  }
  __syncthreads();
  update_shared_phis(block.args.of, block.constants, block.at(shape.phis), sigmas, block.progress().adam,
                     block.thread, kResidentWarps);
  __syncthreads();
  sigmas_of(block.args.of.tiling, block.constants, block.at(shape.phis), sigmas, block.thread, kThreads);
}

#endif

}  // namespace ensyn::kernels::resident
