// See cublas_kernels.h. A thread for each element, blocks along y for the networks.

#include <device/launch.h>

#include "cublas_kernels.h"

namespace peer {
namespace {

using ensyn::kernels::launch;
using ensyn::kernels::LaunchShape;

constexpr int kThreads = 256;

LaunchShape elements(int count, int networks) {
  const auto blocks = static_cast<unsigned>(ensyn::kernels::ceil_divide(count, kThreads));
  return {{blocks, static_cast<unsigned>(networks), 1}, {kThreads, 1, 1}, 0, {}};
}

__device__ inline int element() {
  return static_cast<int>(blockIdx.x) * kThreads + static_cast<int>(threadIdx.x);
}

__device__ inline int network() {
  return static_cast<int>(blockIdx.y);
}

__device__ inline float softplus(float phi) {
  return phi > 20.0f ? phi : log1pf(expf(phi));
}

__device__ inline float sigmoid(float phi) {
  return 1.0f / (1.0f + expf(-phi));
}

__device__ inline float sign(float x) {
  return x > 0.0f ? 1.0f : x < 0.0f ? -1.0f : 0.0f;
}

__device__ inline void adam(float& value, float& moment1, float& moment2, float gradient,
                            const Constants& constants, const Progress& progress) {
  const auto beta1 = static_cast<float>(constants.beta1), beta2 = static_cast<float>(constants.beta2);
  moment1 = beta1 * moment1 + progress.fresh1 * gradient;
  moment2 = beta2 * moment2 + progress.fresh2 * gradient * gradient;
  value -= progress.rate * moment1 / (sqrtf(moment2 / progress.correction2) + constants.epsilon);
}

/// B/N times the gradient of c * sigma^-rho in sigma.
__device__ inline float reliability_slope(const Networks& networks, const Constants& constants, int n,
                                          float sigma) {
  const float rho = networks.rho[n];
  return -constants.cost_scale * networks.c[n] * rho * powf(sigma, -rho - 1.0f);
}

__global__ void begin_step_kernel(Progress* progress, Constants constants) {
  const int step = ++progress->step;
  progress->fresh1 = static_cast<float>(1.0 - constants.beta1);
  progress->fresh2 = static_cast<float>(1.0 - constants.beta2);
  progress->rate = static_cast<float>(constants.learning_rate / (1.0 - pow(constants.beta1, step)));
  progress->correction2 = static_cast<float>(1.0 - pow(constants.beta2, step));
}

__global__ void gather_kernel(Minibatch minibatch, Constants constants, const Progress* progress) {
  const int i = element();
  if (i >= minibatch.size * minibatch.pixels) return;
  const int b = i / minibatch.pixels, pixel = i % minibatch.pixels;
  const std::int64_t example = minibatch.order[(progress->step - 1) * minibatch.size + b];
  const float byte = minibatch.images[example * minibatch.pixels + pixel];
  minibatch.x[i] = (byte / 255.0f - constants.pixel_mean) / constants.pixel_sd;
  if (pixel == 0) minibatch.y[b] = minibatch.labels[example];
}

__global__ void draw_weights_kernel(Networks networks) {
  const int i = element(), n = network();
  if (i >= networks.parameters) return;
  const std::int64_t at = n * networks.stride + i;
  const bool own = n < networks.heterogeneous;
  const float phi = own ? networks.phi[at] : networks.shared_phi[3 * (n - networks.heterogeneous)];
  networks.weights[at] = networks.mu[at] + softplus(phi) * networks.noise[at];
}

__global__ void add_bias_kernel(Networks networks, Layer layer, float* h, int batch, bool relu) {
  const int i = element(), n = network(), count = batch * layer.outputs;
  if (i >= count) return;
  const float bias = networks.weights[n * networks.stride + layer.biases + i % layer.outputs];
  float& value = h[std::int64_t{n} * count + i];
  value += bias;
  if (relu && !(value > 0.0f)) value = 0.0f;
}

/// A thread for each example.
__global__ void cross_entropy_kernel(float* logits, int classes, Minibatch minibatch, double* nll) {
  const int b = element(), n = network();
  if (b >= minibatch.size) return;
  float* row = logits + (std::int64_t{n} * minibatch.size + b) * classes;
  float most = row[0], sum = 0.0f;
  for (int k = 1; k < classes; ++k) most = fmaxf(most, row[k]);
  for (int k = 0; k < classes; ++k) sum += expf(row[k] - most);
  const int label = minibatch.y[b];
  atomicAdd(nll + n, static_cast<double>(logf(sum) + most - row[label]));
  for (int k = 0; k < classes; ++k) row[k] = expf(row[k] - most) / sum - (k == label ? 1.0f : 0.0f);
}

__global__ void relu_backward_kernel(const float* h, float* d, int count) {
  const int i = element();
  if (i >= count) return;
  const std::int64_t at = std::int64_t{network()} * count + i;
  if (!(h[at] > 0.0f)) d[at] = 0.0f;
}

__global__ void bias_gradient_kernel(Networks networks, Layer layer, const float* d, int batch) {
  const int output = element(), n = network();
  if (output >= layer.outputs) return;
  float sum = 0.0f;
  for (int b = 0; b < batch; ++b) sum += d[(std::int64_t{n} * batch + b) * layer.outputs + output];
  networks.gradient[n * networks.stride + layer.biases + output] = sum;
}

__device__ inline void update_mu(const Networks& networks, const Constants& constants,
                                 const Progress& progress, std::int64_t at) {
  const float cost = constants.cost_scale * constants.lambda * sign(networks.mu[at]);
  adam(networks.mu[at], networks.mu_moments[0][at], networks.mu_moments[1][at], networks.gradient[at] + cost,
       constants, progress);
}

__global__ void update_heterogeneous_kernel(Networks networks, Constants constants,
                                            const Progress* progress) {
  const int i = element(), n = network();
  if (i >= networks.parameters) return;
  const std::int64_t at = n * networks.stride + i;
  const float phi = networks.phi[at];
  const float slope =
      networks.gradient[at] * networks.noise[at] + reliability_slope(networks, constants, n, softplus(phi));
  update_mu(networks, constants, *progress, at);
  adam(networks.phi[at], networks.phi_moments[0][at], networks.phi_moments[1][at], slope * sigmoid(phi),
       constants, *progress);
}

__global__ void update_homogeneous_kernel(Networks networks, Constants constants, const Progress* progress) {
  __shared__ float products[kThreads];
  const int i = element(), n = networks.heterogeneous + network(), thread = static_cast<int>(threadIdx.x);
  const std::int64_t at = n * networks.stride + i;
  products[thread] = i < networks.parameters ? networks.gradient[at] * networks.noise[at] : 0.0f;
  if (i < networks.parameters) update_mu(networks, constants, *progress, at);
  __syncthreads();
  for (int width = kThreads / 2; width > 0; width /= 2) {
    if (thread < width) products[thread] += products[thread + width];
    __syncthreads();
  }
  if (thread == 0) atomicAdd(networks.shared_sum + network(), products[0]);
}

__global__ void update_shared_phi_kernel(Networks networks, Constants constants, const Progress* progress) {
  const int k = element();
  if (k >= networks.count - networks.heterogeneous) return;
  float* phi = networks.shared_phi + 3 * k;
  const float cost = reliability_slope(networks, constants, networks.heterogeneous + k, softplus(*phi));
  const float slope = networks.shared_sum[k] + static_cast<float>(networks.parameters) * cost;
  networks.shared_sum[k] = 0.0f;
  adam(phi[0], phi[1], phi[2], slope * sigmoid(*phi) / constants.phi_divisor, constants, *progress);
}

}  // namespace

void begin_step(Progress* progress, const Constants& constants, cudaStream_t stream) {
  launch("begin_step", begin_step_kernel, LaunchShape{}, stream, progress, constants);
}

void gather(const Minibatch& minibatch, const Constants& constants, const Progress* progress,
            cudaStream_t stream) {
  launch("gather", gather_kernel, elements(minibatch.size * minibatch.pixels, 1), stream, minibatch,
         constants, progress);
}

void draw_weights(const Networks& networks, cudaStream_t stream) {
  launch("draw_weights", draw_weights_kernel, elements(networks.parameters, networks.count), stream,
         networks);
}

void add_bias(const Networks& networks, const Layer& layer, float* h, int batch, bool relu,
              cudaStream_t stream) {
  launch("add_bias", add_bias_kernel, elements(batch * layer.outputs, networks.count), stream, networks,
         layer, h, batch, relu);
}

void cross_entropy(const Networks& networks, float* logits, int classes, const Minibatch& minibatch,
                   double* nll, cudaStream_t stream) {
  launch("cross_entropy", cross_entropy_kernel, elements(minibatch.size, networks.count), stream, logits,
         classes, minibatch, nll);
}

void relu_backward(const Networks& networks, const float* h, float* d, int width, int batch,
                   cudaStream_t stream) {
  launch("relu_backward", relu_backward_kernel, elements(batch * width, networks.count), stream, h, d,
         batch * width);
}

void bias_gradient(const Networks& networks, const Layer& layer, const float* d, int batch,
                   cudaStream_t stream) {
  launch("bias_gradient", bias_gradient_kernel, elements(layer.outputs, networks.count), stream, networks,
         layer, d, batch);
}

void update(const Networks& networks, const Constants& constants, const Progress* progress,
            cudaStream_t stream) {
  const int homogeneous = networks.count - networks.heterogeneous;
  launch("update_heterogeneous", update_heterogeneous_kernel,
         elements(networks.parameters, networks.heterogeneous), stream, networks, constants, progress);
  launch("update_homogeneous", update_homogeneous_kernel, elements(networks.parameters, homogeneous), stream,
         networks, constants, progress);
  launch("update_shared_phi", update_shared_phi_kernel, elements(homogeneous, 1), stream, networks, constants,
         progress);
}

}  // namespace peer
