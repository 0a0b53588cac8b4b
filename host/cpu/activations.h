/// \file
/// Buffers of one minibatch on its way through a network, and the passes over them, for a range of its
/// examples.
#pragma once

#include <cstdint>
#include <vector>

#include "ensyn/dataset.h"
#include "host/cpu/kernels.h"
#include "host/cpu/layout.h"

namespace ensyn::cpu {

/// Network inputs of one minibatch, normalised, with their labels or targets.
template <class T>
struct Minibatch {
  /// \param target_number real targets of an example, or 0 where they are not wanted.
  Minibatch(const LayerShape& first, int batch, int target_number);
  /// Fills row `row` with example `example` of `data`.
  void gather(const Dataset& data, const KernelTable<T>& kernels, int row, std::size_t example);

  int stride;
  Array<T> inputs;                   ///< batch x stride: features, 1 for the bias, zeros
  std::vector<std::uint8_t> labels;  ///< per example; of data with labels
  std::vector<T> targets;            ///< batch x target_count
  int target_count;
};

/// Hidden activations, logits and their gradients, batch x stride each.
template <class T>
class Activations {
 public:
  Activations(std::vector<LayerShape> shapes, int batch);

  /// Where layer `layer` writes: the logits for the last, else the next layer's input with its bias set.
  [[nodiscard]] T* output(int layer) noexcept { return outputs_[static_cast<std::size_t>(layer)].data(); }
  [[nodiscard]] int output_stride(int layer) const noexcept {
    return strides_[static_cast<std::size_t>(layer)];
  }
  /// Gradient of the loss in the pre-activations of layer `layer`; for the last layer it replaces the logits.
  [[nodiscard]] T* delta(int layer) noexcept {
    return layer + 1 == layers() ? output(layer) : deltas_[static_cast<std::size_t>(layer)].data();
  }
  [[nodiscard]] int layers() const noexcept { return static_cast<int>(shapes_.size()); }

  /// Layers 1 to the last on examples [begin, end), from the output of layer 0. weights[l] is padded rows x
  /// stride.
  void forward_hidden(const KernelTable<T>& kernels, const std::vector<const T*>& weights, int begin,
                      int end);
  /// delta(layer) of all layers below the last, on examples [begin, end).
  void backward(const KernelTable<T>& kernels, const std::vector<const T*>& weights, int begin, int end);
  /// `rows` rows of layer 0, which start at `row`, on examples [0, batch).
  void forward_first(const KernelTable<T>& kernels, const Minibatch<T>& minibatch, const T* weights, int row,
                     int rows, int batch);

 private:
  std::vector<LayerShape> shapes_;
  std::vector<int> strides_;
  std::vector<Array<T>> outputs_, deltas_;
};

extern template struct Minibatch<float>;
extern template struct Minibatch<double>;
extern template class Activations<float>;
extern template class Activations<double>;

}  // namespace ensyn::cpu
