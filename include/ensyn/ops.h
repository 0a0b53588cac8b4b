/// \file
/// Single operations on the caller's own device memory and stream, in the manner of cuBLAS: for a program
/// that has its own buffers, streams and graphs, and wants noisy layers in them.
///
/// Matrices are row-major. A stride is the number of elements from one row to the next; 0 means tight rows.
/// The parameters of a layer have one row for each output and one column more than it has inputs: the last
/// column is the bias, whose input is 1. Inputs `x` are given without that 1. T is float or double.
///
/// What holds for every operation:
/// - Pointers are device memory of the current device (cudaMalloc, cudaMallocAsync) or managed memory, are
///   aligned to their elements, and hold at least (rows - 1) * stride + columns elements; this last is not
///   checked.
/// - What is written overlaps nothing else that the operation is given, unless it says so. Rows of matrices
///   with one stride may lie side by side.
/// - `stream` is a cudaStream_t of the current device; null is the default stream. The operation is queued
///   and the call returns: it allocates no device memory, never waits for the device, and may be captured
///   into a graph. A captured step keeps the numbers it was given, so a replay draws the same noise again:
///   capture several steps, or update the graph.
/// - Results are the same bits each time, whatever else runs and on every GPU that ensyn supports. Elements
///   are computed by the formulas of the CPU backend, sums are added in its order, and ensyn is compiled so
///   that nothing is contracted or reordered: so they are also the bits that Population gives on the CPU for
///   the same numbers in the same precision.
/// - Calls from several threads are independent, as are several streams with buffers of their own.
/// - \throws ConfigError for an argument that is missing, out of range or not what it should be, before
///   anything is queued; DeviceError when there is no usable device or a launch fails. What goes wrong while
///   an operation runs is told by the CUDA call that waits for it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "ensyn/config.h"
#include "ensyn/export.h"
#include "ensyn/noise.h"

namespace ensyn::ops {

/// The largest number of inputs, outputs, examples or elements of a row.
inline constexpr int kMaxSize = 1 << 30;
/// The largest number of cost terms of one network.
inline constexpr int kMaxCostTerms = 8;
/// The largest number of classes: labels are bytes.
inline constexpr int kMaxClasses = 256;

/// output[r][k] = xi, the standard normals of a key, which `noise_normals` gives too.
template <class T>
struct Noise {
  NoiseKey key = {};
  int rows = 0;         ///< outputs, 1 to kMaxSize
  int columns = 0;      ///< inputs + 1: the bias counts; 1 to kMaxSize
  T* output = nullptr;  ///< rows x columns
  int output_stride = 0;
};
ENSYN_API void noise(const Noise<float>& args, void* stream = nullptr);
ENSYN_API void noise(const Noise<double>& args, void* stream = nullptr);

/// The weights of one layer and how they are drawn: w = mu + sigma xi, sigma = softplus(phi). The same values
/// give the same w in each operation, which draws them where they are used: they are stored nowhere.
template <class T>
struct Weights {
  int inputs = 0;          ///< without the bias, 1 to kMaxSize
  int outputs = 0;         ///< 1 to kMaxSize
  const T* mu = nullptr;   ///< outputs x (inputs + 1)
  const T* phi = nullptr;  ///< heterogeneous: outputs x (inputs + 1); homogeneous: one element
  int stride = 0;          ///< of mu, and of phi where it is a matrix
  NoiseKind noise = NoiseKind::heterogeneous;  ///< that or homogeneous
  /// Which noise: `purpose` tells training from evaluation, `tensor` is the number of the layer. Without a
  /// key w = mu, and phi is not looked at.
  std::optional<NoiseKey> key = {};
};

/// output[r][k] = w[r][k].
template <class T>
struct SampleWeights {
  Weights<T> weights = {};
  T* output = nullptr;  ///< outputs x (inputs + 1)
  int output_stride = 0;
};
ENSYN_API void sample_weights(const SampleWeights<float>& args, void* stream = nullptr);
ENSYN_API void sample_weights(const SampleWeights<double>& args, void* stream = nullptr);

/// output[b][r] = f(sum over k of w[r][k] x[b][k] + w[r][inputs]), one draw of w for each minibatch.
template <class T>
struct Forward {
  Weights<T> weights = {};
  const T* x = nullptr;  ///< examples x inputs
  int x_stride = 0;
  T* output = nullptr;  ///< examples x outputs
  int output_stride = 0;
  int batch = 0;  ///< examples that share one draw, 1 to kMaxSize
  /// 0 is one minibatch. Otherwise there are ceil(examples / batch) minibatches, of which the last may be
  /// shorter, and minibatch m draws by step key.step + m, as evaluation does.
  int examples = 0;
  std::optional<Activation> activation = {};  ///< f; the identity without one
};
ENSYN_API void forward(const Forward<float>& args, void* stream = nullptr);
ENSYN_API void forward(const Forward<double>& args, void* stream = nullptr);

/// output[b][k] = (activation[b][k] > 0) * sum over r of delta[b][r] w[r][k]: the gradient of the loss in
/// what the layer's inputs were before their ReLU. Give the `weights` of the forward pass, and give them
/// before an update changes them.
template <class T>
struct Backward {
  Weights<T> weights = {};
  const T* delta = nullptr;  ///< batch x outputs: gradient of the loss in the layer's outputs, before f
  int delta_stride = 0;
  const T* activation = nullptr;  ///< batch x inputs: the layer's `x`; null where it comes from no ReLU
  int activation_stride = 0;
  T* output = nullptr;  ///< batch x inputs
  int output_stride = 0;
  int batch = 0;  ///< 1 to kMaxSize
};
ENSYN_API void backward(const Backward<float>& args, void* stream = nullptr);
ENSYN_API void backward(const Backward<double>& args, void* stream = nullptr);

/// For each example, with p = softmax(logits): nll = -log p[label], and logits are replaced by p -
/// onehot(label), the gradient of the NLL summed over the minibatch (it is not divided by the batch).
template <class T>
struct CrossEntropy {
  T* logits = nullptr;  ///< batch x classes, replaced by the gradient
  int stride = 0;
  int classes = 0;  ///< 2 to kMaxClasses
  int batch = 0;    ///< 1 to kMaxSize
  const std::uint8_t* labels =
      nullptr;       ///< batch, each below `classes`; nll and correct of another are not written
  T* nll = nullptr;  ///< batch, nats
  std::uint8_t* correct =
      nullptr;  ///< batch: 1 where the most probable class, the first of equals, is the label
};
ENSYN_API void cross_entropy(const CrossEntropy<float>& args, void* stream = nullptr);
ENSYN_API void cross_entropy(const CrossEntropy<double>& args, void* stream = nullptr);

/// output[i][k] = logits[i][k] - log sum over j of e^logits[i][j].
template <class T>
struct LogSoftmax {
  const T* logits = nullptr;  ///< examples x classes
  int logits_stride = 0;
  T* output = nullptr;  ///< examples x classes; may be `logits`, with the same stride
  int output_stride = 0;
  int classes = 0;   ///< 2 to kMaxClasses
  int examples = 0;  ///< 1 to kMaxSize
};
ENSYN_API void log_softmax(const LogSoftmax<float>& args, void* stream = nullptr);
ENSYN_API void log_softmax(const LogSoftmax<double>& args, void* stream = nullptr);

/// The parameters of one layer and Adam's moments, each outputs x (inputs + 1).
template <class T>
struct Parameters {
  int inputs = 0;   ///< without the bias, 1 to kMaxSize
  int outputs = 0;  ///< 1 to kMaxSize
  T* mu = nullptr;
  T* mu_moment1 = nullptr;
  T* mu_moment2 = nullptr;
  T* phi = nullptr;  ///< this and its moments are not looked at where noise is homogeneous
  T* phi_moment1 = nullptr;
  T* phi_moment2 = nullptr;
  int stride = 0;  ///< of all six
};

/// mu[r][k] uniform in (-mu_range, mu_range) by the noise contract, sigma = sigma_init, moments 0: as a
/// Population begins. What lies between the end of a row and its stride becomes 0 too, so each matrix holds
/// outputs * stride elements here.
template <class T>
struct Initialize {
  Parameters<T> parameters = {};
  std::uint32_t tensor = 0;  ///< number of the layer
  /// Of it count seed, stream (0 without one), noise, mu_range and sigma_init.
  NetworkConfig config = {};
};
ENSYN_API void initialize(const Initialize<float>& args, void* stream = nullptr);
ENSYN_API void initialize(const Initialize<double>& args, void* stream = nullptr);

/// Begins the one phi of a homogeneous network, with sigma = sigma_init and moments 0.
template <class T>
struct InitializeSharedPhi {
  T* shared_phi = nullptr;   ///< 3 elements: phi, first moment, second moment
  double sigma_init = 1e-4;  ///< > 0
};
ENSYN_API void initialize_shared_phi(const InitializeSharedPhi<float>& args, void* stream = nullptr);
ENSYN_API void initialize_shared_phi(const InitializeSharedPhi<double>& args, void* stream = nullptr);

/// One layer of an update.
template <class T>
struct LayerUpdate {
  Parameters<T> parameters = {};
  const T* x = nullptr;  ///< batch x inputs
  int x_stride = 0;
  const T* delta = nullptr;  ///< batch x outputs: gradient of the loss in the layer's outputs, before f
  int delta_stride = 0;
  /// dL/dw summed over the minibatch, outputs x (inputs + 1) with the stride of the parameters, where
  /// something else computed it, such as cuBLAS; x and delta are then not looked at. Null: it is computed
  /// from these.
  const T* gradient = nullptr;
};

/// One step of Adam on the parameters of layers with heterogeneous noise, each read and written once. With
/// g[r][k] = sum over b of delta[b][r] x[b][k] and xi drawn again,
///   mu  <- Adam(mu,  g + B/N (lambda sign(mu) + mu / prior_sigma^2)),
///   phi <- Adam(phi, (g xi + B/N dR/dsigma) dsigma/dphi),
/// R as in ensyn/config.h; the prior is that of the variational objective.
template <class T>
struct Update {
  /// One or more; layer i draws by tensor key.tensor + i. Together at most 2^38 parameters.
  std::span<const LayerUpdate<T>> layers = {};
  int batch = 0;  ///< B, 1 to kMaxSize
  /// The key of the forward pass of layers[0]. Without one xi is 0, as after a forward pass without.
  std::optional<NoiseKey> key = {};
  /// Zero-based number of the step for Adam's correction of bias, below 2^40; key.step where absent.
  std::optional<std::uint64_t> adam_step = {};
  double fraction = 0;  ///< B/N, in (0, 1]
  /// Of it count noise (of the gaussian law), objective, costs (at most kMaxCostTerms), prior_sigma, lambda
  /// and adam.
  NetworkConfig config = {};
};
ENSYN_API void update(const Update<float>& args, void* stream = nullptr);
ENSYN_API void update(const Update<double>& args, void* stream = nullptr);

/// As Update, for homogeneous noise: mu likewise, and with the sum over all P parameters of the layers, which
/// must be all layers of the network,
///   phi <- Adam(phi, (sum of g xi / P + B/N dR/dsigma) dsigma/dphi),   R of one parameter.
/// Two steps of one network follow each other; the workspace holds nothing from one to the next.
template <class T>
struct HomogeneousUpdate {
  Update<T> update = {};            ///< config.noise is homogeneous
  T* shared_phi = nullptr;          ///< 3 elements: phi, first moment, second moment
  void* workspace = nullptr;        ///< device memory, aligned to 8 bytes, of one update at a time
  std::size_t workspace_bytes = 0;  ///< at least what homogeneous_workspace_bytes says
};
ENSYN_API void homogeneous_update(const HomogeneousUpdate<float>& args, void* stream = nullptr);
ENSYN_API void homogeneous_update(const HomogeneousUpdate<double>& args, void* stream = nullptr);

/// Bytes of workspace for an update of these layers, of which only inputs and outputs are looked at. Needs no
/// device. \throws ConfigError
[[nodiscard]] ENSYN_API std::size_t homogeneous_workspace_bytes(std::span<const LayerUpdate<float>> layers);
[[nodiscard]] ENSYN_API std::size_t homogeneous_workspace_bytes(std::span<const LayerUpdate<double>> layers);

/// What the signatures of Bayesian inference are measured from, added up over calls. With
/// g[r][k] = sum over b of delta[b][r] x[b][k] + lambda B/N sign(mu[r][k]):
///   squared_gradient += g^2,  absolute_gradient += |g|,
///   input_sum[k] += sum over b of x[b][k],  absolute_input_sum[k] += sum over b of |x[b][k]|.
/// The sums are T: n additions lose at most n rounding units, so read and clear them now and then.
template <class T>
struct GradientStatistics {
  int inputs = 0;        ///< without the bias, 1 to kMaxSize
  int outputs = 0;       ///< 1 to kMaxSize
  int batch = 0;         ///< B, 1 to kMaxSize
  const T* x = nullptr;  ///< batch x inputs
  int x_stride = 0;
  const T* delta = nullptr;  ///< batch x outputs
  int delta_stride = 0;
  const T* mu = nullptr;            ///< outputs x (inputs + 1); null leaves the magnitude cost out
  double lambda = 0;                ///< weight of the magnitude cost, >= 0; looked at with mu only
  double fraction = 0;              ///< B/N, in (0, 1]; looked at with mu only
  T* squared_gradient = nullptr;    ///< outputs x (inputs + 1)
  T* absolute_gradient = nullptr;   ///< outputs x (inputs + 1)
  int stride = 0;                   ///< of mu and of both sums
  T* input_sum = nullptr;           ///< inputs; null, together with the next, leaves inputs out
  T* absolute_input_sum = nullptr;  ///< inputs
};
ENSYN_API void gradient_statistics(const GradientStatistics<float>& args, void* stream = nullptr);
ENSYN_API void gradient_statistics(const GradientStatistics<double>& args, void* stream = nullptr);

}  // namespace ensyn::ops
