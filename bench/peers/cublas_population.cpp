#include "cublas_population.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>

namespace peer {
namespace {

using ensyn::cuda::DeviceBuffer;

void check_blas(cublasStatus_t status, const char* what) {
  if (status != CUBLAS_STATUS_SUCCESS) {
    throw std::runtime_error(std::string(what) + " failed with status " +
                             std::to_string(static_cast<int>(status)));
  }
}

const ensyn::cuda::BlasFunctions& blas() {
  const ensyn::cuda::BlasFunctions* functions = ensyn::cuda::blas_functions();
  if (functions == nullptr) throw std::runtime_error("libcublas was not found");
  return *functions;
}

std::vector<Layer> layers_of(const std::vector<int>& sizes) {
  std::vector<Layer> layers;
  std::int64_t end = 0;
  for (std::size_t l = 0; l + 1 < sizes.size(); ++l) {
    Layer layer{sizes[l], sizes[l + 1], end, 0};
    layer.biases = end + std::int64_t{layer.inputs} * layer.outputs;
    end = layer.biases + layer.outputs;
    layers.push_back(layer);
  }
  return layers;
}

template <class T>
DeviceBuffer<T> on_device(const std::vector<T>& values, const char* what, cudaStream_t stream) {
  DeviceBuffer<T> buffer(values.size(), what);
  ensyn::cuda::copy_to_device<T>(buffer.data(), values, stream);
  return buffer;
}

template <class T>
std::vector<T> on_host(const T* values, std::size_t count, cudaStream_t stream) {
  std::vector<T> result(count);
  ensyn::cuda::copy_from_device<T>(result, values, stream);
  ensyn::cuda::check(cudaStreamSynchronize(stream), "waiting for the device");
  return result;
}

void validate(const Problem& problem, std::size_t parameters) {
  bool homogeneous = false;
  for (const Network& network : problem.networks) {
    if (homogeneous && !network.homogeneous) {
      throw std::invalid_argument("a heterogeneous network comes after a homogeneous one");
    }
    homogeneous = network.homogeneous;
  }
  if (problem.mu.empty() || problem.mu.size() % parameters != 0) {
    throw std::invalid_argument("mu does not have rows of " + std::to_string(parameters) + " parameters");
  }
  if (problem.order.size() % static_cast<std::size_t>(problem.batch) != 0) {
    throw std::invalid_argument("order does not have rows of a minibatch");
  }
}

}  // namespace

void Population::Destroy::operator()(cublasHandle_t handle) const noexcept {
  static_cast<void>(blas().destroy(handle));
}

Population::Population(const Problem& problem, cudaStream_t stream)
    : stream_(stream), constants_(problem.constants), layers_(layers_of(problem.sizes)) {
  networks_.count = static_cast<int>(problem.networks.size());
  networks_.parameters = static_cast<int>(layers_.back().biases + layers_.back().outputs);
  // Rows begin at multiples of 16 bytes, as cuBLAS likes them.
  networks_.stride = (networks_.parameters + 3) / 4 * 4;
  validate(problem, static_cast<std::size_t>(networks_.parameters));
  place_settings(problem);
  place_parameters();
  place_minibatch(problem);
  start_blas();
  reset();
}

void Population::place_settings(const Problem& problem) {
  std::vector<float> rho, c;
  for (const Network& network : problem.networks) {
    rho.push_back(network.rho);
    c.push_back(network.c);
    if (network.homogeneous) {
      initial_shared_.insert(initial_shared_.end(), {network.initial_phi, 0.0F, 0.0F});
    } else {
      initial_phi_.insert(initial_phi_.end(), static_cast<std::size_t>(networks_.stride),
                          network.initial_phi);
      ++networks_.heterogeneous;
    }
  }
  rho_ = on_device(rho, "rho", stream_);
  c_ = on_device(c, "c", stream_);
  networks_.rho = rho_.data(), networks_.c = c_.data();

  const auto parameters = static_cast<std::size_t>(networks_.parameters);
  const auto stride = static_cast<std::size_t>(networks_.stride);
  const std::size_t rows = problem.mu.size() / parameters;
  initial_mu_.assign(problem.networks.size() * stride, 0.0F);
  for (std::size_t n = 0; n < problem.networks.size(); ++n) {
    const auto row = problem.mu.begin() + static_cast<std::ptrdiff_t>(n % rows * parameters);
    std::copy_n(row, parameters, initial_mu_.begin() + static_cast<std::ptrdiff_t>(n * stride));
  }
}

void Population::place_parameters() {
  const std::size_t all = initial_mu_.size();
  mu_ = DeviceBuffer<float>(all, "mu");
  phi_ = DeviceBuffer<float>(initial_phi_.size(), "phi");
  for (int k = 0; k < 2; ++k) {
    mu_moments_[k] = DeviceBuffer<float>(all, "moments of mu");
    phi_moments_[k] = DeviceBuffer<float>(initial_phi_.size(), "moments of phi");
    networks_.mu_moments[k] = mu_moments_[k].data();
    networks_.phi_moments[k] = phi_moments_[k].data();
  }
  shared_ = DeviceBuffer<float>(initial_shared_.size(), "shared phi");
  sums_ = DeviceBuffer<float>(initial_shared_.size() / 3, "sums");
  // cuRAND makes normals in pairs, and a stride is a multiple of four.
  noise_ = DeviceBuffer<float>(all, "noise");
  weights_ = DeviceBuffer<float>(all, "weights");
  gradient_ = DeviceBuffer<float>(all, "gradient");
  networks_.mu = mu_.data(), networks_.phi = phi_.data();
  networks_.shared_phi = shared_.data(), networks_.shared_sum = sums_.data();
  networks_.noise = noise_.data(), networks_.weights = weights_.data();
  networks_.gradient = gradient_.data();
}

void Population::place_minibatch(const Problem& problem) {
  const auto batch = static_cast<std::size_t>(problem.batch);
  for (const Layer& layer : layers_) {
    const std::size_t size = problem.networks.size() * batch * static_cast<std::size_t>(layer.outputs);
    activations_.emplace_back(size, "activations");
    slopes_.emplace_back(size, "gradients of activations");
  }
  images_ = on_device(problem.images, "images", stream_);
  labels_ = on_device(problem.labels, "labels", stream_);
  order_ = on_device(problem.order, "order", stream_);
  x_ = DeviceBuffer<float>(batch * static_cast<std::size_t>(problem.sizes.front()), "minibatch");
  y_ = DeviceBuffer<int>(batch, "labels of the minibatch");
  minibatch_ = {problem.batch,  problem.sizes.front(), images_.data(),
                labels_.data(), order_.data(),         x_.data(),
                y_.data()};
  nll_ = DeviceBuffer<double>(problem.networks.size(), "losses");
  progress_ = DeviceBuffer<Progress>(1, "progress");
}

void Population::start_blas() {
  constexpr std::size_t kWorkspace = std::size_t{32} << 20;  // what cuBLAS asks for on sm_90
  workspace_ = DeviceBuffer<std::uint8_t>(kWorkspace, "the workspace of cuBLAS");
  cublasHandle_t handle = nullptr;
  check_blas(blas().create(&handle), "cublasCreate");
  blas_.reset(handle);
  check_blas(blas().set_stream(handle, stream_), "cublasSetStream");
  check_blas(blas().set_workspace(handle, workspace_.data(), workspace_.bytes()), "cublasSetWorkspace");
}

void Population::reset() {
  ensyn::cuda::copy_to_device<float>(mu_.data(), initial_mu_, stream_);
  ensyn::cuda::copy_to_device<float>(phi_.data(), initial_phi_, stream_);
  ensyn::cuda::copy_to_device<float>(shared_.data(), initial_shared_, stream_);
  for (int k = 0; k < 2; ++k) {
    ensyn::cuda::clear(mu_moments_[k], stream_);
    ensyn::cuda::clear(phi_moments_[k], stream_);
  }
  ensyn::cuda::clear(sums_, stream_);
  ensyn::cuda::clear(nll_, stream_);
  ensyn::cuda::clear(progress_, stream_);
  ensyn::cuda::check(cudaStreamSynchronize(stream_), "waiting for the device");
}

Population::Matrix Population::weights_of(const Layer& layer, float* data) const {
  return {data + layer.weights, layer.inputs, networks_.stride};
}

Population::Matrix Population::activations(std::size_t layer) const {
  const int width = layers_[layer].outputs;
  return {activations_[layer].data(), width, std::int64_t{minibatch_.size} * width};
}

Population::Matrix Population::slopes(std::size_t layer) const {
  Matrix matrix = activations(layer);
  // The loss leaves the gradient of the logits in their place.
  matrix.data = layer + 1 == layers_.size() ? activations_[layer].data() : slopes_[layer].data();
  return matrix;
}

void Population::multiply(bool transpose_a, bool transpose_b, int m, int n, int k, Matrix a, Matrix b,
                          Matrix c) const {
  // cuBLAS stores columns one after another, so it sees each matrix transposed: c^T = op(b)^T op(a)^T.
  const float one = 1, zero = 0;
  const cublasOperation_t of_a = transpose_a ? CUBLAS_OP_T : CUBLAS_OP_N;
  const cublasOperation_t of_b = transpose_b ? CUBLAS_OP_T : CUBLAS_OP_N;
  check_blas(blas().single_gemm(blas_.get(), of_b, of_a, n, m, k, &one, b.data, b.stride, b.network_stride,
                                a.data, a.stride, a.network_stride, &zero, c.data, c.stride, c.network_stride,
                                networks_.count),
             "cublasSgemmStridedBatched");
}

void Population::forward() {
  Matrix input{minibatch_.x, minibatch_.pixels, 0};
  for (std::size_t l = 0; l < layers_.size(); ++l) {
    const Layer& layer = layers_[l];
    const Matrix output = activations(l);
    multiply(false, true, minibatch_.size, layer.outputs, layer.inputs, input,
             weights_of(layer, networks_.weights), output);
    add_bias(networks_, layer, output.data, minibatch_.size, l + 1 < layers_.size(), stream_);
    input = output;
  }
}

void Population::backward() {
  for (std::size_t l = layers_.size(); l-- > 0;) {
    const Layer& layer = layers_[l];
    const Matrix above = slopes(l);
    const Matrix input = l == 0 ? Matrix{minibatch_.x, minibatch_.pixels, 0} : activations(l - 1);
    bias_gradient(networks_, layer, above.data, minibatch_.size, stream_);
    multiply(true, false, layer.outputs, layer.inputs, minibatch_.size, above, input,
             weights_of(layer, networks_.gradient));
    if (l == 0) return;
    const Matrix below = slopes(l - 1);
    multiply(false, false, minibatch_.size, layer.inputs, layer.outputs, above,
             weights_of(layer, networks_.weights), below);
    relu_backward(networks_, input.data, below.data, layer.inputs, minibatch_.size, stream_);
  }
}

void Population::step() {
  begin_step(progress_.data(), constants_, stream_);
  gather(minibatch_, constants_, progress_.data(), stream_);
  draw_weights(networks_, stream_);
  forward();
  cross_entropy(networks_, activations_.back().data(), layers_.back().outputs, minibatch_, nll_.data(),
                stream_);
  backward();
  update(networks_, constants_, progress_.data(), stream_);
}

std::vector<double> Population::take_nll() {
  std::vector<double> sums = on_host(nll_.data(), nll_.size(), stream_);
  ensyn::cuda::clear(nll_, stream_);
  return sums;
}

std::vector<float> Population::mu(int network) const {
  return on_host(mu_.data() + network * networks_.stride, static_cast<std::size_t>(networks_.parameters),
                 stream_);
}

std::vector<float> Population::phi(int network) const {
  if (network >= networks_.heterogeneous) {
    return on_host(shared_.data() + std::ptrdiff_t{3} * (network - networks_.heterogeneous), 1, stream_);
  }
  return on_host(phi_.data() + network * networks_.stride, static_cast<std::size_t>(networks_.parameters),
                 stream_);
}

std::vector<double> Population::sigma() const {
  std::vector<double> result;
  for (int n = 0; n < networks_.count; ++n) {
    const std::vector<float> values = phi(n);
    double sum = 0;
    std::int64_t count = 0;
    const auto add = [&](std::int64_t i) {
      const double sigma = std::log1p(std::exp(static_cast<double>(values[static_cast<std::size_t>(i)])));
      sum += sigma * sigma;
      ++count;
    };
    if (n >= networks_.heterogeneous) {
      add(0);
    } else {
      for (const Layer& layer : layers_) {
        for (std::int64_t i = layer.weights; i < layer.biases; ++i) add(i);
      }
    }
    result.push_back(std::sqrt(sum / static_cast<double>(count)));
  }
  return result;
}

}  // namespace peer
