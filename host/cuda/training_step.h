/// \file
/// One training step of a population on a device: its buffers, and the kernels in their order.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "host/cuda/blas.h"
#include "host/cuda/cuda_engine.h"
#include "host/cuda/data.h"
#include "host/cuda/memory.h"
#include "host/cuda/minibatch_order.h"
#include "host/cuda/networks.h"
#include "host/model/likelihood.h"
#include "kernels/parameter_update.h"

namespace ensyn::cuda {

template <class T>
class TrainingStep {
 public:
  /// `networks`, `data`, `order` and `stream` must outlive the step.
  TrainingStep(DeviceNetworks<T>& networks, const Architecture& architecture, const DeviceData& data,
               const MinibatchOrder& order, const Stream& stream, const Minibatches& minibatches,
               int multiprocessors, EngineOptions::Products products);

  /// Queues one step of every member: the one that the networks' progress names.
  void enqueue() const;

  /// Layers whose products cuBLAS computes.
  [[nodiscard]] const std::vector<bool>& by_cublas() const noexcept { return by_cublas_; }
  /// Whether cuBLAS was to compute some, but is not there.
  [[nodiscard]] bool misses_cublas() const noexcept { return misses_cublas_; }

 private:
  /// network x batch x stride
  struct Matrix {
    DeviceBuffer<T> data;
    int stride = 0;
    std::int64_t network_stride = 0;
  };
  [[nodiscard]] Matrix matrix(int columns, const char* what) const;
  void allocate_layer(std::size_t layer);

  [[nodiscard]] bool is_last(std::size_t layer) const noexcept { return layer + 1 == layers_.size(); }
  [[nodiscard]] kernels::Inputs<T> inputs_of(std::size_t layer) const;
  /// Gradient of the loss in the layer's outputs; that of the last layer replaces the logits.
  [[nodiscard]] const Matrix& delta_of(std::size_t layer) const;
  [[nodiscard]] kernels::LayerUpdate<T> update_of(std::size_t layer) const;

  void forward(std::size_t layer) const;
  void forward_by_cublas(std::size_t layer) const;
  void loss() const;
  /// From the outputs of `layer` to those of the layer below.
  void backward(std::size_t layer) const;
  void backward_by_cublas(std::size_t layer) const;
  void gradient_by_cublas(std::size_t layer) const;
  void update() const;
  void finish() const;

  DeviceNetworks<T>& networks_;
  std::optional<GaussianConstants<T>> gaussian_;  ///< of that likelihood
  const DeviceData& data_;
  const MinibatchOrder& order_;
  cudaStream_t stream_;
  Minibatches minibatches_;
  int multiprocessors_;
  std::vector<kernels::Layer> layers_;
  std::vector<bool> by_cublas_;
  bool misses_cublas_ = false;

  std::vector<Matrix> outputs_, deltas_;  ///< of each layer; the last has no delta of its own
  DeviceBuffer<T> nll_;
  DeviceBuffer<std::uint8_t> correct_;
  DeviceBuffer<T> partial_sums_;
  int partial_sum_count_ = 0;

  // For cuBLAS, of the layers that it serves.
  std::optional<Blas> blas_;
  Matrix gathered_;                                   ///< inputs of the first layer
  std::vector<DeviceBuffer<T>> weights_, gradients_;  ///< network x rows x stride
};

extern template class TrainingStep<float>;
extern template class TrainingStep<double>;

}  // namespace ensyn::cuda
