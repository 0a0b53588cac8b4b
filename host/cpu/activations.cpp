#include "host/cpu/activations.h"

#include <algorithm>
#include <utility>

namespace ensyn::cpu {
namespace {

[[nodiscard]] std::size_t offset(int row, int stride) {
  return static_cast<std::size_t>(row) * static_cast<std::size_t>(stride);
}

}  // namespace

template <class T>
Minibatch<T>::Minibatch(const LayerShape& first, int batch, int target_number)
    : stride(first.stride()),
      inputs(offset(batch, stride)),
      labels(static_cast<std::size_t>(batch)),
      targets(offset(batch, target_number)),
      target_count(target_number) {
  for (int b = 0; b < batch; ++b)
    inputs[offset(b, stride) + static_cast<std::size_t>(first.columns - 1)] = T(1);
}

template <class T>
void Minibatch<T>::gather(const Dataset& data, const KernelTable<T>& kernels, int row, std::size_t example) {
  const int features = data.feature_count();
  T* to = inputs.data() + offset(row, stride);
  const std::size_t from = example * static_cast<std::size_t>(features);
  if (data.holds_bytes()) {
    const Normalization& n = data.normalization();
    const auto scale = static_cast<T>(1.0 / (n.maximum * n.sd)), shift = static_cast<T>(-n.mean / n.sd);
    kernels.normalize(data.bytes().data() + from, scale, shift, features, to);
  } else {
    const float* x = data.floats().data() + from;
    for (int i = 0; i < features; ++i) to[i] = static_cast<T>(x[i]);
  }
  if (data.target_count() == 0) {
    labels[static_cast<std::size_t>(row)] = data.labels()[example];
  } else {
    const float* y = data.targets().data() + example * static_cast<std::size_t>(target_count);
    std::copy_n(y, target_count, targets.data() + offset(row, target_count));
  }
}

template <class T>
Activations<T>::Activations(std::vector<LayerShape> shapes, int batch) : shapes_(std::move(shapes)) {
  for (std::size_t l = 0; l < shapes_.size(); ++l) {
    const bool last = l + 1 == shapes_.size();
    strides_.push_back(last ? round_up(shapes_[l].rows, kBlock) : shapes_[l + 1].stride());
    outputs_.emplace_back(offset(batch, strides_[l]));
    deltas_.emplace_back(last ? 0 : offset(batch, strides_[l]));
    if (last) continue;
    for (int b = 0; b < batch; ++b) {
      outputs_[l][offset(b, strides_[l]) + static_cast<std::size_t>(shapes_[l].rows)] = T(1);
    }
  }
}

template <class T>
void Activations<T>::forward_first(const KernelTable<T>& kernels, const Minibatch<T>& minibatch,
                                   const T* weights, int row, int rows, int batch) {
  kernels.forward({.weights = weights,
                   .rows = rows,
                   .stride = minibatch.stride,
                   .input = minibatch.inputs.data(),
                   .batch = batch,
                   .output = output(0) + row,
                   .output_stride = output_stride(0),
                   .rectify = layers() > 1});
}

template <class T>
void Activations<T>::forward_hidden(const KernelTable<T>& kernels, const std::vector<const T*>& weights,
                                    int begin, int end) {
  for (int l = 1; l < layers(); ++l) {
    const auto at = static_cast<std::size_t>(l);
    kernels.forward({.weights = weights[at],
                     .rows = shapes_[at].rows,
                     .stride = shapes_[at].stride(),
                     .input = output(l - 1) + offset(begin, output_stride(l - 1)),
                     .batch = end - begin,
                     .output = output(l) + offset(begin, output_stride(l)),
                     .output_stride = output_stride(l),
                     .rectify = l + 1 < layers()});
  }
}

template <class T>
void Activations<T>::backward(const KernelTable<T>& kernels, const std::vector<const T*>& weights, int begin,
                              int end) {
  for (int l = layers() - 1; l >= 1; --l) {
    const auto at = static_cast<std::size_t>(l);
    kernels.backward({.weights = weights[at],
                      .rows = shapes_[at].rows,
                      .stride = shapes_[at].stride(),
                      .bias = shapes_[at].columns - 1,
                      .delta = delta(l) + offset(begin, output_stride(l)),
                      .delta_stride = output_stride(l),
                      .activation = output(l - 1) + offset(begin, output_stride(l - 1)),
                      .batch = end - begin,
                      .output = delta(l - 1) + offset(begin, output_stride(l - 1)),
                      .output_stride = output_stride(l - 1)});
  }
}

template struct Minibatch<float>;
template struct Minibatch<double>;
template class Activations<float>;
template class Activations<double>;

}  // namespace ensyn::cpu
