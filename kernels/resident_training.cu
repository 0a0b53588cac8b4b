// Whole training steps, many in one launch, as streamed_training.cu, with each network on chip: a cluster of
// blocks keeps its tiles in shared memory from the first step to the last.
//
// A block owns a run of the network's tiles, a warp a part of that, a lane one quad of each; noise is held in
// registers from the forward pass to the update. What leaves a block are sums: each adds the products of its
// own tiles and stores its part where it is needed, in the shared memory of the blocks that own the next
// layer (outputs) or the rows below (gradients). A step of L layers has 2 L - 1 such exchanges, each ended by
// the cluster's barrier; between arriving there and going on, warps draw the noise of the next step, which
// depends on nothing.
//
//   first layer:   update of step t - 1, draw, product of t;  the later layers' are apart: they draw as soon
//                  as they are updated, which is while the first layer is busy.
//
// Where weights share a phi, y = mu x and z = xi x are summed apart, as there; the gradient in sigma of a row
// goes to all blocks, and each computes the same phi from it. Parts are added in order of the blocks, so that
// results do not depend on which cluster trains a network, nor when: clusters take networks from a queue.
// Determinism: gpu_to_gpu.

#include "kernels/resident_training.h"

#include <cooperative_groups.h>
#include <device/block_shared.h>
#include <device/launch.h>

#include "kernels/device/tile_update.h"
#include "kernels/device/whole_network.h"

namespace ensyn::kernels {
namespace {

constexpr int kThreads = 32 * kResidentWarps;

// Architectures without clusters have no such group either, nor a use for what is made with it.
#if ENSYN_CLUSTERS

namespace cg = cooperative_groups;

constexpr int kN = kResidentExampleTiles;

/// What a thread knows of its block and network.
struct Block {
  const ResidentTraining& args;
  const NetworkConstants<float>& constants;
  unsigned char* shared;
  int network, rank, thread, warp;
  Lane lane;

  [[nodiscard]] __device__ const ResidentShape& shape() const { return args.shape; }
  [[nodiscard]] __device__ const ResidentBlock& own() const { return args.shape.blocks[rank]; }
  [[nodiscard]] __device__ const TiledLayer& layer(int l) const { return args.of.tiling.layers[l]; }
  [[nodiscard]] __device__ int layers() const { return args.of.tiling.layer_count; }
  [[nodiscard]] __device__ bool is_last(int l) const { return l + 1 == layers(); }
  [[nodiscard]] __device__ int batch() const { return args.of.batch; }
  [[nodiscard]] __device__ bool owns(int l) const { return own().end_row[l] > own().first_row[l]; }
  template <class Element = float>
  [[nodiscard]] __device__ Element* at(std::uint32_t offset) const {
    return reinterpret_cast<Element*>(shared + offset);
  }
  [[nodiscard]] __device__ const uint4* keys() const { return at<const uint4>(args.shape.keys); }
  [[nodiscard]] __device__ NetworkProgress<float>& progress() const {
    return *at<NetworkProgress<float>>(args.shape.progress);
  }
  [[nodiscard]] __device__ Minibatch<float> minibatch(std::uint64_t step) const {
    return {args.of, network, step};
  }
  /// Gradients in the outputs of layer l: of the own rows, of the last layer of all.
  [[nodiscard]] __device__ Values<float> deltas(int l) const {
    return {at(own().deltas[l]), own().delta_stride[l]};
  }
  [[nodiscard]] __device__ int first_delta(int l) const {
    return is_last(l) ? 0 : own().first_row[l] * kTileRows;
  }
  [[nodiscard]] __device__ Values<float> activations(int l) const {
    return {at(own().activations[l]), args.shape.activation_stride[l]};
  }
};

/// The block's tiles of a layer: [first, end) of the layer's.
struct Run {
  int first, end;
  __device__ Run(const Block& block, int l)
      : first(max(block.own().first_tile - block.layer(l).first_tile, 0)),
        end(min(block.own().end_tile - block.layer(l).first_tile,
                block.layer(l).row_tiles * block.layer(l).column_tiles)) {
    end = max(end, first);
  }
  [[nodiscard]] __device__ int tiles() const { return end - first; }
  /// Warps that own tiles of the run, the first ones: each at least one.
  [[nodiscard]] __device__ int warps() const { return min(kResidentWarps, tiles()); }
  /// The warp's tiles, of the run, begin here.
  [[nodiscard]] __device__ int first_of(int warp) const {
    return warp < warps() ? warp * tiles() / warps() : tiles();
  }
  /// Which warp owns tile `i` of the run.
  [[nodiscard]] __device__ int warp_of(int i) const { return ((i + 1) * warps() - 1) / tiles(); }
};

/// A tile that a warp owns. Packed, since a warp keeps those of a whole run in registers.
class OwnTile {
 public:
  OwnTile() = default;
  __device__ OwnTile(int layer, int row, int column) : packed_(layer << 24 | row << 16 | column) {}
  [[nodiscard]] __device__ bool there() const { return packed_ >= 0; }
  /// Hides from the compiler that this stays the same from step to step: it would keep all that follows from
  /// it in registers, of which there are too few.
  __device__ void forget() { asm volatile("" : "+r"(packed_)); }
  /// Negative where there is none.
  [[nodiscard]] __device__ int layer() const { return packed_ >> 24; }
  [[nodiscard]] __device__ int row() const { return packed_ >> 16 & 0xFF; }
  [[nodiscard]] __device__ int column() const { return packed_ & 0xFFFF; }
  /// Of the block's tiles.
  [[nodiscard]] __device__ int number(const Block& block) const {
    const TiledLayer& of = block.layer(layer());
    return of.first_tile + row() * of.column_tiles + column() - block.own().first_tile;
  }

 private:
  int packed_ = -1;
};

/// One array of a tile: of all lanes.
__device__ inline Four<float>& state_at(const Block& block, int number, int fields, int field) {
  return block.at<Four<float>>(block.own().state)[(number * fields + field) * 32 + block.thread % 32];
}
/// What was drawn for a tile, of some lane: w of those behind the first layer, or xi of all where weights
/// share a phi.
template <int kFields>
__device__ inline Four<float>& drawn_at(const Block& block, int number, int lane) {
  const int first = kFields == kSharedPhiFields ? 0 : Run(block, 0).tiles();
  return block.at<Four<float>>(block.own().drawn)[(number - first) * 32 + lane];
}
__device__ inline Four<float> as_four(const Quad<float>& of) {
  return {{of.of[0][0], of.of[0][1], of.of[1][0], of.of[1][1]}};
}

__device__ inline std::size_t size_of(const Tiling& tiling, int l, int splits, int batch) {
  return static_cast<std::size_t>(tiling.layers[l].row_tiles * splits * batch * kTileRows);
}

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

/// Inputs of the first layer: a tile of columns after the other, each with all examples.
template <class Element>
struct StagedInputs {
  Element* at;
  int first_column, columns, all_columns;  // tiles

  __device__ StagedInputs(const Block& block, int which)
      : at(block.at<Element>(block.own().inputs +
                             static_cast<std::uint32_t>(which) * block.own().input_bytes)),
        first_column(Run(block, 0).first % block.layer(0).column_tiles),
        columns(min(Run(block, 0).tiles(), block.layer(0).column_tiles)),
        all_columns(block.layer(0).column_tiles) {}
  /// Of a tile of columns of the layer.
  [[nodiscard]] __device__ Element* of(int column) const {
    const int slot = column - first_column + (column < first_column ? all_columns : 0);
    return at + slot * (8 * kN * kTileColumns);
  }
};

/// Copies what the block needs of a minibatch.
template <class Element>
__device__ inline void stage(const Block& block, std::uint64_t step, int which) {
  if (!block.owns(0)) return;
  const StagedInputs<Element> staged(block, which);
  const Minibatch<float> minibatch = block.minibatch(step);
  const Inputs<float>& inputs = block.args.of.inputs;
  const int features = block.layer(0).layer.columns - 1, batch = block.batch();
  for (int i = block.thread; i < staged.columns * batch * kTileColumns; i += kThreads) {
    const int k = i % kTileColumns, b = i / kTileColumns % batch, slot = i / kTileColumns / batch;
    int column = staged.first_column + slot;
    if (column >= staged.all_columns) column -= staged.all_columns;
    const int feature = column * kTileColumns + k;
    if (feature >= features) continue;
    const std::int64_t from = minibatch.example(b) * features + feature;
    Element* to = staged.of(column) + b * kTileColumns + k;
    if constexpr (sizeof(Element) == 1) {
      *to = inputs.bytes[from];
    } else {
      *to = inputs.floats[from];
    }
  }
}

/// What stays beside the inputs: those of the bias, and the examples that accompany pixels (Pixels).
template <class Element>
__device__ inline void stage_constants(const Block& block) {
  if (!block.owns(0)) return;
  const int features = block.layer(0).layer.columns - 1, batch = block.batch();
  for (int which = 0; which < 2; ++which) {
    const StagedInputs<Element> staged(block, which);
    for (int i = block.thread; i < staged.columns * kTileColumns; i += kThreads) {
      int column = staged.first_column + i / kTileColumns;
      if (column >= staged.all_columns) column -= staged.all_columns;
      const int feature = column * kTileColumns + i % kTileColumns;
      Element* to = staged.of(column) + i % kTileColumns;
      if constexpr (sizeof(Element) == 1) {
        if (feature < features) to[batch * kTileColumns] = 1;
        if (feature == features) to[(batch + 1) * kTileColumns] = 1;
      } else if (feature == features) {
        for (int b = 0; b < batch; ++b) to[b * kTileColumns] = 1;
      }
    }
  }
}

/// The noise of a tile at some step.
__device__ inline Quad<float> noise_of(const Block& block, const OwnTile& tile, std::uint64_t step) {
  const Layer& layer = block.layer(tile.layer()).layer;
  return normals_at<float>(keyed_noise(block.keys(), block.constants, step, layer.tensor, 0),
                           tile.row() * (kTileRows / 2) + block.lane.g,
                           tile.column() * (kTileColumns / 2) + block.lane.t, layer.columns);
}

/// A warp's tiles with their noise. Where each weight has its phi, noise is needed from the forward pass to
/// the update and is held in registers, that of the coming step beside it.
template <int kFields>
class Warp {
 public:
  static constexpr int kTiles = kMostTilesOfWarp;

  __device__ explicit Warp(const Block& block) {
    int l = 0;
    Run run(block, 0);
    int i = run.first_of(block.warp), end = run.first_of(block.warp + 1);
    ENSYN_UNROLL
    for (int q = 0; q < kTiles; ++q) {
      while (i >= end && l + 1 < block.layers()) {
        run = Run(block, ++l);
        i = run.first_of(block.warp), end = run.first_of(block.warp + 1);
      }
      tiles_[q] = {};
      if (i >= end) continue;
      const int tile = run.first + i++, columns = block.layer(l).column_tiles;
      tiles_[q] = OwnTile(l, tile / columns, tile % columns);
    }
  }

  /// Calls visit(number of the tile in the warp, tile) for the warp's tiles of layer l.
  template <class Visit>
  __device__ void for_tiles(const Block& /*block*/, int l, const Visit& visit) {
    ENSYN_UNROLL
    for (int q = 0; q < kTiles; ++q) {
      tiles_[q].forget();
      if (tiles_[q].layer() == l) visit(q, tiles_[q]);
    }
  }
  /// Draws the noise of `step` for tiles [first, end) of the warp's.
  __device__ void draw(const Block& block, std::uint64_t step, int first, int end) {
    ENSYN_UNROLL
    for (int q = 0; q < kTiles; ++q) {
      tiles_[q].forget();
      if (q < first || q >= end || !tiles_[q].there()) continue;
      next_[q] = noise_of(block, tiles_[q], step);
    }
  }
  /// Of the step that is drawn for, and of the last.
  [[nodiscard]] __device__ Quad<float> next(const Block& /*block*/, int q, int /*number*/) const {
    return next_[q];
  }
  [[nodiscard]] __device__ const Quad<float>& last(int q) const { return last_[q]; }
  /// A tile's next noise becomes its last.
  __device__ void advance(int q) { last_[q] = next_[q]; }

 private:
  OwnTile tiles_[kTiles];
  Quad<float> next_[kTiles], last_[kTiles];
};

/// Where weights share a phi the update needs no noise, so that one place in shared memory does for each
/// tile.
template <>
class Warp<kSharedPhiFields> {
 public:
  static constexpr int kTiles = kMostTilesOfWarp;

  __device__ explicit Warp(const Block& /*block*/) {}

  template <class Visit>
  __device__ void for_tiles(const Block& block, int l, const Visit& visit) {
    const Run run(block, l);
    const int columns = block.layer(l).column_tiles, end = run.first + run.first_of(block.warp + 1);
    int tile = run.first + run.first_of(block.warp), row = tile / columns, column = tile % columns;
    ENSYN_ROLLED
    for (int q = 0; tile < end; ++tile, ++q) {
      visit(q, OwnTile(l, row, column));
      if (++column == columns) column = 0, ++row;
    }
  }
  /// Of the first layer: the other tiles' noise is needed until they are updated, and is drawn then.
  __device__ void draw(const Block& block, std::uint64_t step, int first, int end) {
    for_tiles(block, 0, [&](int q, const OwnTile& tile) {
      if (q >= first && q < end)
        drawn_at<kSharedPhiFields>(block, tile.number(block), block.thread % 32) =
            as_four(noise_of(block, tile, step));
    });
  }
  [[nodiscard]] __device__ Quad<float> next(const Block& block, int /*q*/, int number) const {
    return as_quad(drawn_at<kSharedPhiFields>(block, number, block.thread % 32));
  }
};

/// dL/dw of the lane's quad in a tile of the first layer.
template <bool kPixels, class Examples>
__device__ inline Quad<float> first_gradient(const Block& block, const LeftOperand<float> (&deltas)[kN],
                                             const Examples& examples, const OwnTile& tile) {
  Quad<float> g = tile_gradient<kN>(deltas, examples, 0, block.lane);
  if constexpr (!kPixels) return g;
  const Inputs<float>& inputs = block.args.of.inputs;
  const int bias = block.layer(0).layer.columns - 1;
  const float* sums = block.at(block.own().delta_sums[0]) +
                      (tile.row() - block.own().first_row[0]) * kTileRows + 2 * block.lane.g;
  ENSYN_UNROLL
  for (int j = 0; j < 2; ++j) {
    const bool is_bias = tile.column() * kTileColumns + 2 * block.lane.t + j == bias;
    const float scale = is_bias ? 0.0f : inputs.scale, shift = is_bias ? 1.0f : inputs.shift;
    ENSYN_UNROLL
    for (int i = 0; i < 2; ++i) g.of[i][j] = detail::fused(g.of[i][j], scale, sums[i] * shift);
  }
  return g;
}

template <int kFields>
__device__ inline void load_state(const Block& block, int number, Four<float> (&field)[kFields]) {
  ENSYN_UNROLL
  for (int f = 0; f < kFields; ++f) field[f] = state_at(block, number, kFields, f);
}
template <int kFields>
__device__ inline void store_state(const Block& block, int number, const Four<float> (&field)[kFields]) {
  ENSYN_UNROLL
  for (int f = 0; f < kFields; ++f) state_at(block, number, kFields, f) = field[f];
}

/// The first layer's tiles: the update of the step before, then the product of this one.
template <int kFields, class Element>
__device__ inline void visit_first(const Block& block, Warp<kFields>& warp, bool update, bool forward,
                                   int parity) {
  constexpr bool kShared = kFields == kSharedPhiFields, kPixels = sizeof(Element) == 1;
  using Examples = std::conditional_t<kPixels, Pixels<float>, Values<float>>;
  const StagedInputs<Element> before(block, parity ^ 1), now(block, parity);
  const int examples = sum_examples(block, kPixels);
  const TileCosts<float> costs(block.constants);
  RowSums<kShared> sums;
  LeftOperand<float> deltas[kN];
  warp.for_tiles(block, 0, [&](int q, const OwnTile& tile) {
    if (tile.row() != sums.row) {
      if (forward) close_row(block, 0, sums, examples);
      sums.clear();
      sums.row = tile.row();
      if (update)
        load_deltas<kN>(deltas, block.deltas(0), tile.row() * kTileRows - block.first_delta(0), block.lane);
    }
    const int number = tile.number(block);
    Four<float> field[kFields];
    load_state(block, number, field);
    if (update) {
      const Quad<float> g =
          first_gradient<kPixels>(block, deltas, Examples{before.of(tile.column()), kTileColumns}, tile);
      if constexpr (kShared) {
        update_mu_alone(field, g, costs, block.progress().adam);
      } else {
        update_own(field, g, warp.last(q), costs, block.progress().adam);
      }
      store_state(block, number, field);
    }
    if (!forward) return;
    const Examples x{now.of(tile.column()), kTileColumns};
    const Quad<float> xi = warp.next(block, q, number);
    if constexpr (kShared) {
      add_forward<kN>(sums.of, forward_operand(as_quad(field[0])), x, 0, block.lane);
      add_forward<kN>(sums.noise, forward_operand(xi), x, 0, block.lane);
    } else {
      add_forward<kN>(sums.of, forward_operand(draw_own(field[0], field[3], xi)), x, 0, block.lane);
      warp.advance(q);
    }
  });
  if (forward) close_row(block, 0, sums, examples);
}

/// The tiles behind the first layer: their update, and what `next_step` draws.
template <int kFields>
__device__ inline void visit_behind(const Block& block, Warp<kFields>& warp, bool update, bool draw,
                                    std::uint64_t next_step) {
  constexpr bool kShared = kFields == kSharedPhiFields;
  const TileCosts<float> costs(block.constants);
  ENSYN_ROLLED
  for (int l = 1; l < block.layers(); ++l) {
    if (!block.owns(l)) continue;
    warp.for_tiles(block, l, [&](int q, const OwnTile& tile) {
      const int number = tile.number(block);
      Four<float> field[kFields];
      load_state(block, number, field);
      if (update) {
        LeftOperand<float> deltas[kN];
        load_deltas<kN>(deltas, block.deltas(l), tile.row() * kTileRows - block.first_delta(l), block.lane);
        const Quad<float> g =
            tile_gradient<kN>(deltas, block.activations(l), tile.column() * kTileColumns, block.lane);
        if constexpr (kShared) {
          update_mu_alone(field, g, costs, block.progress().adam);
        } else {
          update_own(field, g, warp.last(q), costs, block.progress().adam);
        }
        store_state(block, number, field);
      }
      if (!draw) return;
      Four<float>& drawn = drawn_at<kFields>(block, number, block.thread % 32);
      if constexpr (kShared) {
        drawn = as_four(noise_of(block, tile, next_step));
      } else {
        warp.advance(q);
        drawn = as_four(draw_own(field[0], field[3], warp.last(q)));
      }
    });
  }
}

/// The product of a layer behind the first.
template <int kFields>
__device__ inline void forward_behind(const Block& block, Warp<kFields>& warp, int l) {
  constexpr bool kShared = kFields == kSharedPhiFields;
  const int examples = sum_examples(block, false);
  RowSums<kShared> sums;
  warp.for_tiles(block, l, [&](int /*q*/, const OwnTile& tile) {
    if (tile.row() != sums.row) {
      close_row(block, l, sums, examples);
      sums.clear();
      sums.row = tile.row();
    }
    const int number = tile.number(block), column = tile.column() * kTileColumns;
    const Quad<float> drawn = as_quad(drawn_at<kFields>(block, number, block.thread % 32));
    if constexpr (kShared) {
      const Quad<float> mu = as_quad(state_at(block, number, kFields, 0));
      add_forward<kN>(sums.of, forward_operand(mu), block.activations(l), column, block.lane);
      add_forward<kN>(sums.noise, forward_operand(drawn), block.activations(l), column, block.lane);
    } else {
      add_forward<kN>(sums.of, forward_operand(drawn), block.activations(l), column, block.lane);
    }
  });
  close_row(block, l, sums, examples);
}

/// Between the block's shared memory and the network's tiles.
template <int kFields, bool kLoad>
__device__ inline void move_state(const Block& block) {
  constexpr int kWords = kFields * kTileElements / 4;
  const ResidentBlock& own = block.own();
  auto* shared = block.at<float4>(own.state);
  auto* global = reinterpret_cast<float4*>(block.args.of.state + block.args.of.state_offsets[block.network]) +
                 static_cast<std::int64_t>(own.first_tile) * kWords;
  const int count = (own.end_tile - own.first_tile) * kWords;
  for (int i = block.thread; i < count; i += kThreads) {
    if constexpr (kLoad) {
      shared[i] = global[i];
    } else {
      global[i] = shared[i];
    }
  }
}

/// Everything 0 that is not state, and 1 where a bias has its input.
template <class Element>
__device__ inline void clear_shared(const Block& block) {
  auto* words = block.at<unsigned>(0);
  for (int i = block.thread; i < static_cast<int>(block.shape().shared_bytes / 4); i += kThreads)
    words[i] = 0;
  __syncthreads();
  stage_constants<Element>(block);
  for (int l = 1; l < block.layers(); ++l) {
    if (!block.owns(l)) continue;
    for (int b = block.thread; b < block.batch(); b += kThreads) {
      block.at(block.own().activations[l])[b * block.shape().activation_stride[l] +
                                           block.layer(l).layer.columns - 1] = 1;
    }
  }
}

/// An exchange: what was stored before is there for all after. Meanwhile some of the coming noise is drawn.
template <int kFields>
struct Exchange {
  const Block& block;
  const cg::cluster_group& cluster;
  Warp<kFields>& warp;
  std::uint64_t next_step;
  int quota;      // tiles whose noise is drawn in one exchange
  int drawn = 0;  // so far

  template <class Meanwhile>
  __device__ void operator()(const Meanwhile& meanwhile) {
    cluster.barrier_arrive();
    meanwhile();
    if (quota > 0) warp.draw(block, next_step, drawn, drawn + quota);
    drawn += quota;
    cluster.barrier_wait();
  }
  __device__ void operator()() {
    (*this)([] {});
  }
};

/// The outputs of layer l, from its owners to those of the next.
template <int kFields, bool kPixels, class Meanwhile>
__device__ inline void exchange_outputs(const Block& block, Exchange<kFields>& exchange, int l,
                                        const Meanwhile& meanwhile) {
  constexpr bool kShared = kFields == kSharedPhiFields;
  __syncthreads();
  send_outputs<kShared, kPixels>(block, exchange.cluster, l);
  exchange(meanwhile);
}

/// Loss and gradients of one step, whose first layer's outputs have been received.
template <int kFields>
__device__ inline void pass_behind(const Block& block, Exchange<kFields>& exchange, Warp<kFields>& warp,
                                   std::uint64_t step, bool more) {
  constexpr bool kShared = kFields == kSharedPhiFields;
  const ResidentShape& shape = block.shape();
  const int last = block.layers() - 1;
  receive_outputs<kShared>(block, 0);
  __syncthreads();
  for (int l = 1; l <= last; ++l) {
    if (block.owns(l)) forward_behind(block, warp, l);
    exchange_outputs<kFields, false>(block, exchange, l, [] {});
    receive_outputs<kShared>(block, l);
    __syncthreads();
  }
  if (block.owns(last)) {
    auto* correct = block.at<std::uint8_t>(shape.correct);
    loss_of(block.minibatch(step), block.at(block.own().deltas[last]), block.own().delta_stride[last],
            block.layer(last).layer.rows, block.at(shape.losses), correct, block.thread, kResidentWarps);
    __syncthreads();
    if (block.thread == 0 && block.rank == shape.last_owner[last])
      add_losses(block.progress(), step, block.at(shape.losses), correct, block.batch());
  }
  for (int l = last; l >= 1; --l) {
    send_deltas<kFields>(block, exchange.cluster, l);
    exchange([&] {
      if (l == 1) visit_behind(block, warp, true, more, step + 1);
    });
    receive_deltas(block, l - 1);
    __syncthreads();
  }
}

template <int kFields, class Element>
__device__ inline void train(const Block& block, const cg::cluster_group& cluster) {
  constexpr bool kShared = kFields == kSharedPhiFields, kPixels = sizeof(Element) == 1;
  const TiledTraining<float>& of = block.args.of;
  const ResidentShape& shape = block.shape();
  clear_shared<Element>(block);
  __syncthreads();
  move_state<kFields, true>(block);
  if (block.thread == 0) block.progress() = of.progress[block.network];
  prepare_keys(block.constants.seed, block.at<unsigned>(shape.keys), block.thread);
  float* global_phis = of.shared_phi + 3 * block.constants.first_phi;
  if constexpr (kShared) {
    for (int i = block.thread; i < 3 * block.constants.group_count; i += kThreads)
      block.at(shape.phis)[i] = global_phis[i];
  }
  __syncthreads();
  if constexpr (kShared)
    sigmas_of(of.tiling, block.constants, block.at(shape.phis), block.at(shape.sigmas), block.thread,
              kThreads);
  const std::uint64_t first = block.progress().step;
  stage<Element>(block, first, 0);
  Warp<kFields> warp(block);
  warp.draw(block, first, 0, Warp<kFields>::kTiles);
  visit_behind(block, warp, false, true, first);
  cluster.sync();
  // All noise is drawn by the last exchange but one: in the last, tiles behind the first layer need it.
  const int draws = block.layers() == 1 ? 1 : 2 * block.layers() - 2;
  const int quota = (Warp<kFields>::kTiles + draws - 1) / draws;
  for (std::uint64_t i = 0; i <= of.steps; ++i) {
    const bool update = i > 0, forward = i < of.steps, more = i + 1 < of.steps;
    const auto parity = static_cast<int>(i % 2);
    const std::uint64_t step = first + i;
    if (update) {
      sum_first_deltas(block);
      if constexpr (kShared) send_row_sums(block, cluster);
      __syncthreads();
    }
    visit_first<kFields, Element>(block, warp, update, forward, parity);
    if (!forward) break;
    Exchange<kFields> exchange{block, cluster, warp, step + 1, more ? quota : 0};
    exchange_outputs<kFields, kPixels>(block, exchange, 0, [&] {
      if (more) stage<Element>(block, step + 1, parity ^ 1);
      if constexpr (!kShared) {
        if (block.thread == kThreads - 1) block.progress().adam = rates_of(block.constants, step);
      }
    });
    if constexpr (kShared) {
      // By the rates of the step before.
      if (update) update_sigmas(block);
      __syncthreads();
      if (block.thread == kThreads - 1) block.progress().adam = rates_of(block.constants, step);
    }
    pass_behind(block, exchange, warp, step, more);
    // Without a layer behind it, nothing yet keeps the first one's next outputs from those that are read.
    if (block.layers() == 1) cluster.sync();
  }
  cluster.sync();
  if constexpr (kShared) {
    if (of.steps > 0) update_sigmas(block);
    __syncthreads();
    if (block.rank == 0) {
      for (int i = block.thread; i < 3 * block.constants.group_count; i += kThreads)
        global_phis[i] = block.at(shape.phis)[i];
    }
  }
  move_state<kFields, false>(block);
  if (block.thread == 0 && block.rank == shape.last_owner[block.layers() - 1]) {
    NetworkProgress<float>& progress = block.progress();
    progress.step = first + of.steps;
    progress.adam = rates_of(block.constants, progress.step);
    of.progress[block.network] = progress;
  }
}

#endif

/// kFields: of a tile. Networks are taken from the queue by whichever cluster is free.
template <int kFields, bool kPixels>
__global__ void __launch_bounds__(kThreads, 1)
    resident_training_kernel(const __grid_constant__ ResidentTraining args) {
#if ENSYN_CLUSTERS
  unsigned char* shared = block_shared_bytes(args.shape.shared_bytes);
  const cg::cluster_group cluster = cg::this_cluster();
  const auto rank = static_cast<int>(cluster.block_rank()), thread = static_cast<int>(threadIdx.x);
  auto* number = reinterpret_cast<int*>(shared + args.shape.network);
  cluster.sync();  // before a block has begun, nothing may be stored in its memory
  for (;;) {
    if (rank == 0 && thread == 0) {
      const auto taken = static_cast<int>(atomicAdd(args.queue, 1u));
      for (int c = 0; c < args.shape.cluster; ++c) *cluster.map_shared_rank(number, c) = taken;
    }
    cluster.sync();
    if (*number >= args.of.networks) break;
    const int network = args.of.members[*number];
    __syncthreads();
    const Block block{args,      args.of.constants[network], shared, network, rank, thread, thread / 32,
                      own_lane()};
    train<kFields, std::conditional_t<kPixels, std::uint8_t, float>>(block, cluster);
    cluster.sync();
  }
#endif
}

using Kernel = void (*)(ResidentTraining);
Kernel kernel_of(const ResidentTraining& args) {
  const bool pixels = args.of.inputs.bytes != nullptr;
  if (args.of.own_phi)
    return pixels ? resident_training_kernel<kOwnPhiFields, true>
                  : resident_training_kernel<kOwnPhiFields, false>;
  return pixels ? resident_training_kernel<kSharedPhiFields, true>
                : resident_training_kernel<kSharedPhiFields, false>;
}

}  // namespace

LaunchShape resident_training_shape(const ResidentTraining& args) {
  LaunchShape shape;
  shape.cluster.x = static_cast<unsigned>(args.shape.cluster);
  shape.grid.x = static_cast<unsigned>(args.clusters * args.shape.cluster);
  shape.block.x = kThreads;
  shape.shared_bytes = args.shape.shared_bytes;
  return shape;
}

int resident_clusters(const ResidentTraining& args) {
  return most_clusters("resident_training", kernel_of(args), resident_training_shape(args));
}

void resident_training(const ResidentTraining& args, cudaStream_t stream) {
  launch("resident_training", kernel_of(args), resident_training_shape(args), stream, args);
}

}  // namespace ensyn::kernels
