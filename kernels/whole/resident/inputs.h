/// \file
/// The first layer's inputs in a block's shared memory (resident_training.cu).
#pragma once

#include "kernels/whole/resident/block.h"

namespace ensyn::kernels::resident {

// Device code: elsewhere the compiler does not know clusters.
#if ENSYN_CLUSTERS

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

#endif

}  // namespace ensyn::kernels::resident
