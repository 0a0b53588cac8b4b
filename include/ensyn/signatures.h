/// \file
/// Signatures of Bayesian inference in a trained network: how sigma of each synapse relates to the curvature
/// of the loss, to Adam's learning rate and to the activity of its input (paper, figure 5).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "ensyn/config.h"
#include "ensyn/export.h"
#include "ensyn/statistics.h"

namespace ensyn {

/// How signatures are measured: by passing over the training set with mu and phi frozen.
struct ENSYN_API SignatureConfig {
  int epochs = 10;       ///< passes, each in its own order, with a weight draw for each minibatch; >= 1
  bool at_mean = false;  ///< measure at w = mu instead of under the noise
  /// Number of the first pass, which names its order and noise: by default that of the first epoch which
  /// training has not begun. Passes of equal number see the same noise, distinct ones independent noise.
  std::optional<std::uint64_t> first_epoch = std::nullopt;

  /// \throws ConfigError
  void validate() const;
  friend bool operator==(const SignatureConfig&, const SignatureConfig&) = default;
};

/// Of one layer; of biases only what `bias_hessian` says. Matrices are row-major outputs x inputs. Everything
/// measured is a mean per example; with N examples in the training set, N * hessian is the curvature of the
/// summed NLL.
struct LayerSignatures {
  int outputs = 0;
  int inputs = 0;
  std::vector<double> mu;
  std::vector<double> sigma;
  /// Sum over minibatches of g^2 / number of examples, g = dL/dmu of a minibatch, L summed over its examples
  /// and with the costs on mu: the "Hessian" of the paper's scripts, about E[g_n^2] per example. For the
  /// log-normal law, whose dw/dmu is not 1, g is dL/dw of the drawn weight instead.
  std::vector<double> curvature;
  /// Sum over minibatches of |g| / number of examples.
  std::vector<double> mean_absolute_gradient;
  /// Diagonal of the generalised Gauss-Newton matrix of the NLL in w, averaged over examples and noise: the
  /// expectation of the squared gradient over labels that the network itself predicts. It is the diagonal of
  /// the Hessian for a network without hidden layer, and almost everywhere in a network of ReLUs, whose
  /// logits are piecewise linear in each weight: what it leaves out lies at the kinks alone.
  std::vector<double> hessian;
  std::vector<double> bias_hessian;  ///< the same of each output's bias
  std::vector<double> input_rate;    ///< mean |x| of each input
  std::vector<double> input_square;  ///< mean x^2 of each input
};

struct Signatures {
  std::vector<LayerSignatures> layers;  ///< from the input
  std::uint64_t training_examples = 0;  ///< N
  std::uint64_t examples = 0;           ///< examples seen, each once a pass
  std::uint64_t minibatches = 0;
  std::uint64_t end_epoch = 0;  ///< the first pass number after these
};

/// What sigma^2 is set against.
enum class Quantity {
  curvature,          ///< mean squared gradient
  hessian,            ///< noise-averaged diagonal of the Gauss-Newton matrix
  learning_rate,      ///< base / mean |g|, as the paper plots
  learning_rate_rms,  ///< base / sqrt(mean g^2), as its equations say
  input_rate,         ///< mean |x|
  input_square,       ///< mean x^2
};
inline constexpr std::array kQuantities{Quantity::curvature,     Quantity::hessian,
                                        Quantity::learning_rate, Quantity::learning_rate_rms,
                                        Quantity::input_rate,    Quantity::input_square};
[[nodiscard]] ENSYN_API std::string_view name(Quantity value) noexcept;

/// One value for each synapse, outputs x inputs; infinite or 0 where a gradient is 0.
/// \param learning_rate_base numerator of the learning rates (the paper's 1e-4).
[[nodiscard]] ENSYN_API std::vector<double> values_of(const LayerSignatures& layer, Quantity quantity,
                                                      double learning_rate_base = 1e-4);

/// How sigma^2 goes with a quantity over the synapses of a layer where that is finite and above 0.
struct Relation {
  double spearman = 0;
  Regression log_log;  ///< of ln sigma^2 on ln quantity; its n says how many synapses
};
/// Sigmas must differ by more than this factor, from the 5 % quantile to the 95 % one, for a relation to say
/// something: below, they are where they started, or rose all alike, and what tells them apart is chance.
inline constexpr double kLeastSigmaRatio = 1.05;
/// Whether they do. \param p05, p95 those quantiles
[[nodiscard]] constexpr bool sigmas_differ(double p05, double p95) noexcept {
  return p95 > kLeastSigmaRatio * p05;
}
/// The same of all of a layer's synapses. \param sigma of each; not empty
[[nodiscard]] ENSYN_API bool sigmas_differ(std::span<const double> sigma);

/// Absent where a relation has no meaning: fewer than 3 such synapses, one quantity for all, or sigmas that
/// do not differ.
[[nodiscard]] ENSYN_API std::optional<Relation> relation(const LayerSignatures& layer, Quantity quantity);

/// How far each synapse is from its stationary point, as a ratio of two sides of
///   sigma N hessian = sum_k c_k rho_k sigma^-(rho_k + 1)   (energy),
///   sigma (N hessian + P) = 1 / sigma, P of equilibrium.h   (variational):
/// left over right, 1 at the point and below where sigma is too small. outputs x inputs. Empty where weights
/// share sigma, or there is no reliability cost: then no synapse has such a point of its own; and for other
/// laws than the Gaussian, for which Stein's identity, and with it the left sides, does not hold.
[[nodiscard]] ENSYN_API std::vector<double> fixed_point_ratios(const LayerSignatures& layer,
                                                               std::uint64_t training_examples,
                                                               const NetworkConfig& network);

}  // namespace ensyn
