/// \file
/// The kernels of the peer that a CUDA programmer would write on top of cuBLAS and cuRAND: one for each
/// elementwise operation, over all networks at once. Nothing of ensyn's own kernels is in them.
///
/// A network's parameters lie one layer after another, weights (outputs x inputs) before biases; the
/// heterogeneous networks come before the homogeneous ones.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

namespace peer {

struct Layer {
  int inputs = 0, outputs = 0;
  std::int64_t weights = 0, biases = 0;  ///< where they begin among a network's parameters
};

struct Constants {
  float pixel_mean = 0, pixel_sd = 1;
  double learning_rate = 0, beta1 = 0, beta2 = 0;
  float epsilon = 0;
  float lambda = 0;       ///< weight of the magnitude cost
  float cost_scale = 0;   ///< B/N
  float phi_divisor = 1;  ///< of the gradient of a phi that all weights share
};

/// Device memory. A row of each network is `stride` elements.
struct Networks {
  int count = 0, heterogeneous = 0;
  int parameters = 0;
  std::int64_t stride = 0;
  const float* rho = nullptr;
  const float* c = nullptr;
  float* mu = nullptr;
  float* mu_moments[2] = {};
  float* phi = nullptr;  ///< of the heterogeneous networks
  float* phi_moments[2] = {};
  float* shared_phi = nullptr;  ///< of the homogeneous networks: phi and its moments, three of each
  float* shared_sum = nullptr;  ///< of the homogeneous networks: sum of gradient times noise
  float* noise = nullptr;
  float* weights = nullptr;
  float* gradient = nullptr;
};

/// What a graph advances from step to step.
struct Progress {
  int step = 0;                     ///< steps begun
  float fresh1 = 0, fresh2 = 0;     ///< 1 - beta
  float rate = 0, correction2 = 0;  ///< learning rate / (1 - beta1^step), and 1 - beta2^step
};

/// The minibatch that all networks share.
struct Minibatch {
  int size = 0, pixels = 0;
  const std::uint8_t* images = nullptr;
  const std::uint8_t* labels = nullptr;
  const int* order = nullptr;  ///< a row for each step
  float* x = nullptr;
  int* y = nullptr;
};

void begin_step(Progress* progress, const Constants& constants, cudaStream_t stream);
void gather(const Minibatch& minibatch, const Constants& constants, const Progress* progress,
            cudaStream_t stream);
/// w = mu + sigma * noise
void draw_weights(const Networks& networks, cudaStream_t stream);
/// h = max(h + bias, 0), or h + bias
void add_bias(const Networks& networks, const Layer& layer, float* h, int batch, bool relu,
              cudaStream_t stream);
/// Adds the NLL to each network's sum and replaces logits by their gradient.
void cross_entropy(const Networks& networks, float* logits, int classes, const Minibatch& minibatch,
                   double* nll, cudaStream_t stream);
/// d = 0 where h is not above 0
void relu_backward(const Networks& networks, const float* h, float* d, int width, int batch,
                   cudaStream_t stream);
void bias_gradient(const Networks& networks, const Layer& layer, const float* d, int batch,
                   cudaStream_t stream);
/// Costs and Adam.
void update(const Networks& networks, const Constants& constants, const Progress* progress,
            cudaStream_t stream);

}  // namespace peer
