/// \file
/// A population of noisy networks on cuBLAS and the kernels of cublas_kernels.h.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "cublas_kernels.h"
#include "host/cuda/blas_library.h"
#include "host/cuda/memory.h"

namespace peer {

struct Network {
  float rho = 0, c = 0;
  float initial_phi = 0;
  bool homogeneous = false;
};

/// As problem.py writes it.
struct Problem {
  std::vector<int> sizes;
  int batch = 0;
  Constants constants;
  std::vector<Network> networks;  ///< heterogeneous ones first
  std::vector<std::uint8_t> images, labels;
  std::vector<int> order;
  std::vector<float> mu;  ///< weights and biases, layer after layer; a row for each of the first networks
};

class Population {
 public:
  /// \throws std::invalid_argument where the problem's parts do not fit
  Population(const Problem& problem, cudaStream_t stream);

  /// Back to the problem's initial state.
  void reset();
  /// What `step` takes its noise from: `noise_size` normals, to be drawn anew before each step.
  [[nodiscard]] float* noise() const { return networks_.noise; }
  [[nodiscard]] std::size_t noise_size() const { return noise_.size(); }
  /// Queues a training step; may be captured.
  void step();

  /// The sums of NLL since the last call. Waits.
  std::vector<double> take_nll();
  /// Root mean square of sigma over each network's weights without biases. Waits.
  [[nodiscard]] std::vector<double> sigma() const;
  /// A network's mu, and its phi or, of a homogeneous one, the shared one. Waits.
  [[nodiscard]] std::vector<float> mu(int network) const;
  [[nodiscard]] std::vector<float> phi(int network) const;

 private:
  struct Destroy {
    void operator()(cublasHandle_t handle) const noexcept;
  };
  struct Matrix {
    float* data;
    int stride;
    std::int64_t network_stride;
  };
  void place_settings(const Problem& problem);
  void place_parameters();
  void place_minibatch(const Problem& problem);
  void start_blas();
  [[nodiscard]] Matrix weights_of(const Layer& layer, float* data) const;
  [[nodiscard]] Matrix activations(std::size_t layer) const;
  [[nodiscard]] Matrix slopes(std::size_t layer) const;
  /// Row-major c (m x n) = op(a) op(b) for every network, k terms.
  void multiply(bool transpose_a, bool transpose_b, int m, int n, int k, Matrix a, Matrix b, Matrix c) const;
  void forward();
  void backward();

  cudaStream_t stream_;
  Constants constants_;
  std::vector<Layer> layers_;
  std::vector<float> initial_mu_, initial_phi_, initial_shared_;
  Networks networks_;
  Minibatch minibatch_;
  ensyn::cuda::DeviceBuffer<float> rho_, c_, mu_, mu_moments_[2], phi_, phi_moments_[2], shared_, sums_,
      noise_, weights_, gradient_, x_;
  ensyn::cuda::DeviceBuffer<int> order_, y_;
  ensyn::cuda::DeviceBuffer<std::uint8_t> images_, labels_;
  ensyn::cuda::DeviceBuffer<double> nll_;
  ensyn::cuda::DeviceBuffer<Progress> progress_;
  std::vector<ensyn::cuda::DeviceBuffer<float>> activations_, slopes_;  ///< of each layer's outputs
  ensyn::cuda::DeviceBuffer<std::uint8_t> workspace_;
  std::unique_ptr<cublasContext, Destroy> blas_;
};

}  // namespace peer
