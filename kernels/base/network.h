/// \file
/// What kernels know of networks, layers and data: plain structs of numbers and device pointers, passed by
/// value. T is float or double. Matrices are row-major; the parameters of a layer are rows = outputs by
/// columns = inputs + 1, the last column being the bias, whose input is 1.
#pragma once

#include <cstdint>

#include "ensyn/detail/rates.h"
#include "ensyn/noise_law.h"

namespace ensyn::kernels {

inline constexpr int kMaxCostTerms = 8;
inline constexpr std::uint64_t kNoStep = ~std::uint64_t{0};

/// Which weights of a network share one phi: none, those of a row (a neuron), of a layer, or all.
enum class Sharing : int { none, row, layer, network };

/// The weights of one network that share a phi.
struct PhiGroup {
  int first_part = 0, part_count = 0;  ///< of the network's partial sums of dL/dw xi, those that belong to it
  double size = 0;                     ///< number of weights and biases
};

/// What stays the same for one network while it trains.
template <class T>
struct NetworkConstants {
  std::uint64_t seed = 0;    ///< key of the noise
  std::uint64_t stream = 0;  ///< of the noise, already shifted: stream * 2^40
  double learning_rate = 0, beta1 = 0, beta2 = 0, epsilon = 0;
  T magnitude = 0;         ///< lambda B/N
  T inverse_variance = 0;  ///< of the Gaussian prior, times B/N
  T inverse_scale = 0;     ///< of the Laplace prior, times B/N; 0 for another
  detail::CostTermGradient<T> terms[kMaxCostTerms]{};
  int term_count = 0;
  Sharing sharing = Sharing::none;
  /// Where weights share a phi: index of the network's first phi among all networks', and its groups; none
  /// elsewhere.
  std::int64_t first_phi = 0;
  int first_group = 0, group_count = 0;
  NoiseLaw law = NoiseLaw::gaussian;
  int vesicles = 0;  ///< of the binomial law
};

/// What changes from step to step; kernels read it from device memory, so that one captured step serves all.
template <class T>
struct NetworkProgress {
  std::uint64_t step = 0;               ///< zero-based number of the step that is under way
  detail::AdamRates<T> adam{};          ///< of this step
  std::uint64_t examples = 0;           ///< seen in this epoch
  std::uint64_t correct = 0;            ///< of these
  double nll = 0;                       ///< sum over these
  std::uint64_t diverged_at = kNoStep;  ///< first step whose loss was not finite
};

/// One or many networks of one architecture. A single network may be given by value instead of in device
/// memory.
template <class T>
struct Networks {
  int count = 1;
  const NetworkConstants<T>* constants = nullptr;  ///< `count` of them, or null: `one_constants` counts
  const NetworkProgress<T>* progress = nullptr;    ///< `count` of them, or null: `one_progress` counts
  NetworkConstants<T> one_constants{};
  NetworkProgress<T> one_progress{};
  bool any_laplace = false;  ///< whether a network has a Laplace prior
  /// phi, first and second moment of each group of weights that share one: groups of all networks x 3. May be
  /// null where there is none.
  T* shared_phi = nullptr;
  bool other_laws = false;  ///< whether the law of any of them is not the Gaussian one
};

/// Shape of one layer.
struct Layer {
  int rows = 0;     ///< outputs
  int columns = 0;  ///< inputs + 1
  int stride = 0;   ///< elements from one row of parameters to the next, >= columns
  int tensor = 0;   ///< number in the noise contract
  /// Where weights share a phi: the network's group of the layer's weights, and of its first row.
  int layer_group = 0, row_group = 0;
};

/// Parameters of a layer and their Adam moments; each rows x stride. Those of phi are null where all networks
/// share theirs.
template <class T>
struct Parameters {
  T *mu = nullptr, *mu_moment1 = nullptr, *mu_moment2 = nullptr;
  T *phi = nullptr, *phi_moment1 = nullptr, *phi_moment2 = nullptr;
  std::int64_t network_stride = 0;  ///< elements from one network to the next
};

/// Inputs of a layer. Exactly one of `values`, `bytes` and `floats` is not null.
template <class T>
struct Inputs {
  const T* values = nullptr;  ///< activations: network x example x stride
  std::int64_t network_stride = 0;
  int stride = 0;

  const std::uint8_t* bytes = nullptr;  ///< a data set: example x (columns - 1), input = byte * scale + shift
  const float* floats = nullptr;        ///< a data set: example x (columns - 1), taken as it is
  T scale = 0, shift = 0;
  /// Order in which a data set's examples are visited: the minibatch of step s is order[(s mod
  /// steps_per_epoch) * batch + b]. Null: example b of a minibatch is first_example + b.
  const std::uint32_t* order = nullptr;
  std::int64_t order_network_stride = 0;  ///< 0 where all networks share one order
  std::uint64_t steps_per_epoch = 1;
  std::int64_t first_example = 0;
};

/// What the gradient of one layer is computed from: g[r][k] = sum over b of delta[b][r] x[b][k].
template <class T>
struct LayerGradient {
  Layer layer;
  Inputs<T> inputs;
  const T* delta = nullptr;  ///< network x batch x delta_stride
  int delta_stride = 0;
  std::int64_t delta_network_stride = 0;
};

/// One layer of an update.
template <class T>
struct LayerUpdate {
  LayerGradient<T> gradient;
  /// dL/dw as it is, network x rows x layer.stride, when it was computed elsewhere; then the minibatch is not
  /// looked at.
  const T* ready_gradient = nullptr;
  std::int64_t ready_network_stride = 0;
  Parameters<T> parameters;
};

/// Which noise is drawn.
struct Draw {
  bool noisy = true;          ///< false: w = mu
  std::uint32_t purpose = 0;  ///< of the noise contract
  bool from_progress = true;  ///< the step is each network's own; otherwise `step` + number of the minibatch
  std::uint64_t step = 0;
};

}  // namespace ensyn::kernels
