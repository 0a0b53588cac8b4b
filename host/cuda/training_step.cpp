#include "host/cuda/training_step.h"

#include <algorithm>

#include "host/cuda/products.h"
#include "kernels/cross_entropy.h"
#include "kernels/dense.h"
#include "kernels/finish_step.h"
#include "kernels/homogeneous_update.h"
#include "kernels/materialize.h"
#include "kernels/noisy_backward.h"
#include "kernels/noisy_forward.h"
#include "kernels/squared_error.h"

namespace ensyn::cuda {
namespace {

using kernels::Layer;

/// Rows of activations begin on 16 bytes whatever the type.
constexpr int kRowAlignment = 4;

std::int64_t elements_of(const Layer& layer) {
  return static_cast<std::int64_t>(layer.rows) * layer.stride;
}

}  // namespace

template <class T>
TrainingStep<T>::TrainingStep(DeviceNetworks<T>& networks, const Architecture& architecture,
                              const DeviceData& data, const MinibatchOrder& order, const Stream& stream,
                              const Minibatches& minibatches, int multiprocessors,
                              EngineOptions::Products products)
    : networks_(networks),
      data_(data),
      order_(order),
      stream_(stream.get()),
      minibatches_(minibatches),
      multiprocessors_(multiprocessors),
      layers_(networks.layers()),
      by_cublas_(layers_for_cublas(layers_, minibatches.batch, networks.count(), products)) {
  if (architecture.likelihood == Likelihood::gaussian) gaussian_ = GaussianConstants<T>::of(architecture);
  if (std::count(by_cublas_.begin(), by_cublas_.end(), true) > 0) {
    if (products == EngineOptions::Products::automatic && blas_functions() == nullptr) {
      misses_cublas_ = true;
      by_cublas_.assign(layers_.size(), false);
    } else {
      blas_.emplace(networks.count(), stream_);
    }
  }
  const auto count = static_cast<std::size_t>(networks.count());
  const auto batch = static_cast<std::size_t>(minibatches.batch);
  nll_ = DeviceBuffer<T>(count * batch, "losses");
  correct_ = DeviceBuffer<std::uint8_t>(count * batch, "losses");
  for (std::size_t l = 0; l < layers_.size(); ++l) allocate_layer(l);
  if (!networks.any_shared()) return;
  kernels::ParameterUpdate<T> update;
  for (const Layer& layer : layers_) {
    update.layers[0].gradient.layer = layer;
    update.layer_count = 1;
    partial_sum_count_ += kernels::partial_sum_count(update);
  }
  if (networks.any_by_row()) partial_sum_count_ *= 4;
  partial_sums_ = DeviceBuffer<T>(count * static_cast<std::size_t>(partial_sum_count_), "partial sums");
}

template <class T>
typename TrainingStep<T>::Matrix TrainingStep<T>::matrix(int columns, const char* what) const {
  Matrix result;
  result.stride = kernels::ceil_divide(columns, kRowAlignment) * kRowAlignment;
  result.network_stride = static_cast<std::int64_t>(minibatches_.batch) * result.stride;
  result.data = DeviceBuffer<T>(static_cast<std::size_t>(networks_.count() * result.network_stride), what);
  return result;
}

template <class T>
void TrainingStep<T>::allocate_layer(std::size_t l) {
  const Layer& layer = layers_[l];
  outputs_.push_back(matrix(layer.rows + 1, "activations"));
  deltas_.push_back(is_last(l) ? Matrix{} : matrix(layer.rows, "gradients of activations"));
  weights_.emplace_back();
  gradients_.emplace_back();
  if (!is_last(l) && by_cublas_[l + 1]) {
    // The next layer's bias is a column of 1; kernels know that, cuBLAS has to read it.
    std::vector<T> ones(outputs_[l].data.size(), T(0));
    for (auto at = static_cast<std::size_t>(layer.rows); at < ones.size();
         at += static_cast<std::size_t>(outputs_[l].stride)) {
      ones[at] = T(1);
    }
    copy_to_device<T>(outputs_[l].data.data(), ones, stream_);
  }
  if (!by_cublas_[l]) return;
  const auto size = static_cast<std::size_t>(networks_.count() * elements_of(layer));
  weights_[l] = DeviceBuffer<T>(size, "sampled weights");
  gradients_[l] = DeviceBuffer<T>(size, "gradients");
  if (l == 0) gathered_ = matrix(layer.columns, "inputs");
}

template <class T>
kernels::Inputs<T> TrainingStep<T>::inputs_of(std::size_t layer) const {
  if (layer == 0) return order_.template inputs<T>(data_);
  const Matrix& from = outputs_[layer - 1];
  kernels::Inputs<T> inputs;
  inputs.values = from.data.data();
  inputs.stride = from.stride;
  inputs.network_stride = from.network_stride;
  return inputs;
}

template <class T>
const typename TrainingStep<T>::Matrix& TrainingStep<T>::delta_of(std::size_t layer) const {
  return is_last(layer) ? outputs_[layer] : deltas_[layer];
}

template <class T>
void TrainingStep<T>::forward(std::size_t l) const {
  if (by_cublas_[l]) return forward_by_cublas(l);
  const kernels::Parameters<T> parameters = networks_.parameters(static_cast<int>(l));
  kernels::NoisyForward<T> args;
  args.networks = networks_.all();
  args.layer = layers_[l];
  args.mu = parameters.mu;
  args.phi = parameters.phi;
  args.parameter_network_stride = parameters.network_stride;
  args.inputs = inputs_of(l);
  args.output = outputs_[l].data.data();
  args.output_stride = outputs_[l].stride;
  args.output_network_stride = outputs_[l].network_stride;
  args.batch = args.examples = minibatches_.batch;
  args.rectify = !is_last(l);
  args.tile = kernels::noisy_forward_tile(layers_[l].rows, args.batch, networks_.count(), multiprocessors_);
  kernels::noisy_forward(args, stream_);
}

template <class T>
void TrainingStep<T>::forward_by_cublas(std::size_t l) const {
  const Layer& layer = layers_[l];
  const int batch = minibatches_.batch;
  const kernels::Parameters<T> parameters = networks_.parameters(static_cast<int>(l));
  T* weights = weights_[l].data();
  kernels::materialize<T>({networks_.all(),
                           layer,
                           parameters.mu,
                           parameters.phi,
                           parameters.network_stride,
                           {},
                           weights,
                           layer.stride,
                           elements_of(layer)},
                          stream_);
  if (l == 0) {
    kernels::gather_inputs<T>({networks_.all(), inputs_of(0), layer.columns, batch, gathered_.data.data(),
                               gathered_.stride, gathered_.network_stride},
                              stream_);
  }
  const Matrix& x = l == 0 ? gathered_ : outputs_[l - 1];
  const Matrix& z = outputs_[l];
  blas_->multiply_transposed<T>(batch, layer.rows, layer.columns, {x.data.data(), x.stride, x.network_stride},
                                {weights, layer.stride, elements_of(layer)},
                                {z.data.data(), z.stride, z.network_stride});
  if (is_last(l)) return;
  kernels::rectify<T>(
      {networks_.count(), z.data.data(), z.stride, z.network_stride, nullptr, 0, 0, layer.rows, batch},
      stream_);
}

template <class T>
void TrainingStep<T>::loss() const {
  const Matrix& logits = outputs_.back();
  if (gaussian_) {
    kernels::SquaredError<T> args;
    args.networks = networks_.all();
    args.outputs = logits.data.data();
    args.stride = logits.stride;
    args.network_stride = logits.network_stride;
    args.count = layers_.back().rows;
    args.batch = minibatches_.batch;
    args.targets = data_.targets();
    args.inverse_variance = gaussian_->inverse_variance;
    args.constant = gaussian_->constant;
    args.inputs = inputs_of(0);
    args.nll = nll_.data();
    args.correct = correct_.data();
    kernels::squared_error(args, stream_);
    return;
  }
  kernels::cross_entropy<T>(
      {networks_.all(), logits.data.data(), logits.stride, logits.network_stride, layers_.back().rows,
       minibatches_.batch, data_.labels(), inputs_of(0), nll_.data(), correct_.data()},
      stream_);
}

template <class T>
void TrainingStep<T>::backward(std::size_t l) const {
  if (by_cublas_[l]) return backward_by_cublas(l);
  const kernels::Parameters<T> parameters = networks_.parameters(static_cast<int>(l));
  const Matrix &delta = delta_of(l), &activation = outputs_[l - 1], &output = deltas_[l - 1];
  kernels::NoisyBackward<T> args;
  args.networks = networks_.all();
  args.layer = layers_[l];
  args.mu = parameters.mu;
  args.phi = parameters.phi;
  args.parameter_network_stride = parameters.network_stride;
  args.delta = delta.data.data();
  args.delta_stride = delta.stride;
  args.delta_network_stride = delta.network_stride;
  args.activation = activation.data.data();
  args.activation_stride = activation.stride;
  args.activation_network_stride = activation.network_stride;
  args.output = output.data.data();
  args.output_stride = output.stride;
  args.output_network_stride = output.network_stride;
  args.batch = minibatches_.batch;
  args.tile =
      kernels::noisy_backward_tile(layers_[l].columns, args.batch, networks_.count(), multiprocessors_);
  kernels::noisy_backward(args, stream_);
}

template <class T>
void TrainingStep<T>::backward_by_cublas(std::size_t l) const {
  const Layer& layer = layers_[l];
  const Matrix &delta = delta_of(l), &activation = outputs_[l - 1], &output = deltas_[l - 1];
  const int inputs = layer.columns - 1;
  blas_->multiply<T>(minibatches_.batch, inputs, layer.rows,
                     {delta.data.data(), delta.stride, delta.network_stride},
                     {weights_[l].data(), layer.stride, elements_of(layer)},
                     {output.data.data(), output.stride, output.network_stride});
  kernels::rectify<T>(
      {networks_.count(), output.data.data(), output.stride, output.network_stride, activation.data.data(),
       activation.stride, activation.network_stride, inputs, minibatches_.batch},
      stream_);
}

template <class T>
void TrainingStep<T>::gradient_by_cublas(std::size_t l) const {
  const Layer& layer = layers_[l];
  const Matrix &delta = delta_of(l), &x = l == 0 ? gathered_ : outputs_[l - 1];
  blas_->transposed_multiply<T>(
      layer.rows, layer.columns, minibatches_.batch, {delta.data.data(), delta.stride, delta.network_stride},
      {x.data.data(), x.stride, x.network_stride}, {gradients_[l].data(), layer.stride, elements_of(layer)});
}

template <class T>
kernels::LayerUpdate<T> TrainingStep<T>::update_of(std::size_t l) const {
  const Matrix& delta = delta_of(l);
  kernels::LayerUpdate<T> update;
  update.gradient = {layers_[l], inputs_of(l), delta.data.data(), delta.stride, delta.network_stride};
  update.parameters = networks_.parameters(static_cast<int>(l));
  if (by_cublas_[l]) {
    update.ready_gradient = gradients_[l].data();
    update.ready_network_stride = elements_of(layers_[l]);
  }
  return update;
}

template <class T>
void TrainingStep<T>::update() const {
  int fours_done = 0;
  for (std::size_t first = 0; first < layers_.size(); first += kernels::kMaxUpdateLayers) {
    kernels::ParameterUpdate<T> args;
    args.networks = networks_.all();
    args.batch = minibatches_.batch;
    const std::size_t end = std::min(layers_.size(), first + kernels::kMaxUpdateLayers);
    for (std::size_t l = first; l < end; ++l) {
      if (by_cublas_[l]) gradient_by_cublas(l);
      args.layers[args.layer_count++] = update_of(l);
    }
    if (networks_.any_heterogeneous()) kernels::parameter_update(args, stream_);
    if (!networks_.any_shared()) continue;
    kernels::homogeneous_update<T>({args, partial_sums_.data(), partial_sum_count_, fours_done}, stream_);
    fours_done += kernels::partial_sum_count(args);
  }
}

template <class T>
void TrainingStep<T>::finish() const {
  kernels::finish_step<T>({networks_.count(),
                           networks_.constants(),
                           networks_.progress(),
                           networks_.shared_phi(),
                           partial_sums_.data(),
                           partial_sum_count_,
                           nll_.data(),
                           correct_.data(),
                           minibatches_.batch,
                           {},
                           {},
                           networks_.phi_groups()},
                          stream_);
}

template <class T>
void TrainingStep<T>::enqueue() const {
  for (std::size_t l = 0; l < layers_.size(); ++l) forward(l);
  loss();
  // All gradients of activations before the first update: they need the weights of this step.
  for (std::size_t l = layers_.size() - 1; l >= 1; --l) backward(l);
  update();
  finish();
}

template class TrainingStep<float>;
template class TrainingStep<double>;

}  // namespace ensyn::cuda
