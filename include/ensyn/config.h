/// \file
/// Configuration of networks, training, evaluation and execution: plain structs whose defaults are the
/// `paper` preset (Malkin, O'Donnell, Houghton and Aitchison 2024, eLife RP92595), each with validation and a
/// printed form. The objective per minibatch of B out of N examples is
///
///   sum over the minibatch of NLL + (B/N) * ( lambda * sum |mu| + R(sigma) ),
///
/// with R = sum_k c_k * sum sigma^-rho_k for the energy objective and R = -sum log sigma + sum sigma^2 / (2
/// s^2) for the variational one.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ensyn/export.h"
#include "ensyn/noise_law.h"

namespace ensyn {

/// How sigma is shared: each weight its own (`heterogeneous`), one for each neuron with its bias
/// (`per_neuron`), one for each layer (`per_layer`) or one for the whole network (`homogeneous`).
enum class NoiseKind { heterogeneous, per_neuron, per_layer, homogeneous };

/// Biophysical mechanism of the reliability cost; each fixes the exponent rho (paper, appendix 1).
enum class Mechanism { calcium, membrane, actin, trafficking };

/// What is added to the negative log likelihood: an energy cost, or minus the entropy (the ELBO).
enum class Objective { energy, variational };

/// Prior on each weight, of the variational objective: none, N(0, prior_sigma^2), or Laplace(0, prior_scale).
enum class Prior { flat, gaussian, laplace };

/// Element type of parameters and arithmetic.
enum class Precision { single_precision, double_precision };

/// Non-linearity of the hidden layers; outputs are always linear.
enum class Activation { relu };

/// What the outputs of a network say of a target, which decides the NLL of an example: `categorical`, the
/// outputs are logits of classes; `gaussian`, they are means of real targets y with a known SD eps:
/// NLL = sum over outputs of (y - f)^2 / (2 eps^2) + ln eps + ln(2 pi) / 2, nats.
enum class Likelihood { categorical, gaussian };

/// Where to compute: `automatic` takes CUDA when a usable device answers, else the CPU.
enum class DeviceKind { automatic, cpu, cuda };

/// How a CUDA device trains a population. `graph`: a few kernels for each step, replayed as a graph; takes
/// everything, and gives the bits of the CPU backend. The others train whole networks in one kernel, many
/// steps at a time, and agree with the CPU backend to rounding; `streamed`: a block for each network, whose
/// parameters it reads and writes once a step; `resident`: a cluster of blocks for each, which keeps them on
/// chip. `automatic` takes what is fastest for the population.
enum class TrainingMethod { automatic, graph, streamed, resident };

/// rho of a mechanism: calcium 1/2, membrane 2/3, actin 4/3, trafficking 2.
[[nodiscard]] ENSYN_API double exponent(Mechanism mechanism) noexcept;

/// Names as they stand in files and on the command line (`heterogeneous`, `calcium`, `energy`, `single`,
/// `relu`, `gaussian`, `auto`, ...).
[[nodiscard]] ENSYN_API std::string_view name(NoiseKind value) noexcept;
[[nodiscard]] ENSYN_API std::string_view name(NoiseLaw value) noexcept;
[[nodiscard]] ENSYN_API std::string_view name(Mechanism value) noexcept;
[[nodiscard]] ENSYN_API std::string_view name(Objective value) noexcept;
[[nodiscard]] ENSYN_API std::string_view name(Prior value) noexcept;
[[nodiscard]] ENSYN_API std::string_view name(Precision value) noexcept;
[[nodiscard]] ENSYN_API std::string_view name(Activation value) noexcept;
[[nodiscard]] ENSYN_API std::string_view name(Likelihood value) noexcept;
[[nodiscard]] ENSYN_API std::string_view name(DeviceKind value) noexcept;
[[nodiscard]] ENSYN_API std::string_view name(TrainingMethod value) noexcept;

/// The inverse of `name`; noise kinds may also be written with `-` for `_`. \throws ConfigError that lists
/// the accepted names.
[[nodiscard]] ENSYN_API NoiseKind noise_kind_from(std::string_view text);
/// Takes `log-normal` as well.
[[nodiscard]] ENSYN_API NoiseLaw noise_law_from(std::string_view text);
[[nodiscard]] ENSYN_API Mechanism mechanism_from(std::string_view text);
[[nodiscard]] ENSYN_API Objective objective_from(std::string_view text);
[[nodiscard]] ENSYN_API Prior prior_from(std::string_view text);
[[nodiscard]] ENSYN_API Precision precision_from(std::string_view text);
[[nodiscard]] ENSYN_API Activation activation_from(std::string_view text);
[[nodiscard]] ENSYN_API Likelihood likelihood_from(std::string_view text);
[[nodiscard]] ENSYN_API DeviceKind device_kind_from(std::string_view text);
[[nodiscard]] ENSYN_API TrainingMethod training_method_from(std::string_view text);

/// One term c * sigma^-rho of the reliability cost, relative to the NLL summed over the training set.
struct CostTerm {
  double rho = 2.0;  ///< exponent, > 0 (dimensionless)
  double c = 1.0;    ///< weight, >= 0 (nats times sigma^rho)
  friend bool operator==(const CostTerm&, const CostTerm&) = default;
};

/// Layer widths from input to output, at least two, each >= 1; the last is the number of classes (>= 2), or
/// that of real targets where the likelihood is gaussian.
struct ENSYN_API Architecture {
  std::vector<int> sizes{784, 100, 100, 10};
  Activation hidden = Activation::relu;
  Likelihood likelihood = Likelihood::categorical;
  double observation_sd = 1.0;  ///< eps, known SD of the targets; > 0; gaussian likelihood only

  [[nodiscard]] int layers() const noexcept { return static_cast<int>(sizes.size()) - 1; }
  [[nodiscard]] int inputs() const noexcept { return sizes.front(); }
  [[nodiscard]] int outputs() const noexcept { return sizes.back(); }
  /// Number of weights without biases.
  [[nodiscard]] std::uint64_t weights() const noexcept;
  /// Number of weights and biases; each has its own mu.
  [[nodiscard]] std::uint64_t parameters() const noexcept;
  /// \throws ConfigError
  void validate() const;
  friend bool operator==(const Architecture&, const Architecture&) = default;
};

/// Adam, bias-corrected, the same for mu and phi (Kingma and Ba 2015).
struct AdamConfig {
  double learning_rate = 1e-4;  ///< > 0
  double beta1 = 0.9;           ///< in [0, 1)
  double beta2 = 0.999;         ///< in [0, 1)
  double epsilon = 1e-8;        ///< > 0
  friend bool operator==(const AdamConfig&, const AdamConfig&) = default;
};

/// What may differ between the members of a population.
struct ENSYN_API NetworkConfig {
  std::uint64_t seed = 0;  ///< key of the noise and of the initial mu
  /// Noise stream, < 2^24; the member's index in its population when absent. Equal streams (and seeds) see
  /// the same noise.
  std::optional<std::uint32_t> stream;
  NoiseKind noise = NoiseKind::heterogeneous;
  /// Other laws than the Gaussian need heterogeneous noise and the energy objective.
  NoiseLaw law = NoiseLaw::gaussian;
  int vesicles = 5;  ///< n of the binomial law, from 1 to 64; other laws do not look at it
  Objective objective = Objective::energy;
  /// Terms of the energy objective; may be empty (no reliability cost).
  std::vector<CostTerm> costs = std::vector<CostTerm>(1);
  /// Of the variational objective. Its cost is the expectation of minus its logarithm: (mu^2 + sigma^2) /
  /// 2s^2 for the Gaussian one, E|w| / b = (sigma sqrt(2/pi) e^(-t^2) + mu erf(t)) / b with t = mu / (sigma
  /// sqrt 2) for the Laplace one.
  Prior prior = Prior::gaussian;
  double prior_sigma = std::numeric_limits<double>::infinity();  ///< s, > 0; infinity is a flat prior
  double prior_scale = 1.0;                                      ///< b, > 0
  double lambda = 0.01;                                          ///< weight of sum |mu|, >= 0
  AdamConfig adam;
  double mu_range = 0.1;     ///< mu starts Uniform(-mu_range, mu_range); >= 0
  double sigma_init = 1e-4;  ///< sigma starts here; > 0

  /// \throws ConfigError
  void validate() const;
  friend bool operator==(const NetworkConfig&, const NetworkConfig&) = default;
};

/// A set of networks of one architecture that train together on one data set.
struct ENSYN_API PopulationConfig {
  Architecture architecture;
  std::vector<NetworkConfig> members = std::vector<NetworkConfig>(1);
  int batch = 20;               ///< examples per minibatch, >= 1 and at most the size of the training set
  std::uint64_t data_seed = 0;  ///< decides the order of the minibatches
  bool own_order = false;       ///< each member its own order of minibatches, instead of one for all
  Precision precision = Precision::single_precision;

  /// \throws ConfigError
  void validate() const;
  friend bool operator==(const PopulationConfig&, const PopulationConfig&) = default;
};

/// How predictions of several weight draws are combined.
enum class Averaging {
  probabilities,      ///< mean of the predicted probabilities: the Bayesian predictive distribution
  log_probabilities,  ///< mean of the log probabilities, renormalised: as in the authors' scripts
};
[[nodiscard]] ENSYN_API std::string_view name(Averaging value) noexcept;
[[nodiscard]] ENSYN_API Averaging averaging_from(std::string_view text);

/// Draws that an evaluation may average at most: their outputs are kept until they are averaged.
inline constexpr int kMostSamples = 1'000'000;

/// How a data set is evaluated.
struct ENSYN_API EvaluationConfig {
  /// K, weight draws averaged per example, from 1 to kMostSamples; the first is the single sample
  int samples = 20;
  int batch = 20;  ///< examples that share one weight draw, >= 1; more than there are means all of them
  int calibration_bins = 15;  ///< equal-width bins of the expected calibration error, from 1 to 1,000,000
  Averaging averaging = Averaging::probabilities;

  /// \throws ConfigError
  void validate() const;
  friend bool operator==(const EvaluationConfig&, const EvaluationConfig&) = default;
};

/// Where and with what to compute; changes speed, and results by no more than rounding: the CPU backend and a
/// CUDA device's `graph` give the same bits but for layers whose products cuBLAS computes (large ones, see
/// `Population::device`).
struct ENSYN_API ExecutionConfig {
  DeviceKind device = DeviceKind::automatic;
  int device_index = 0;  ///< which CUDA device, >= 0
  int threads = 0;  ///< CPU threads, see `thread_count`; 0 takes every processor that this process may use
  /// CPU instruction set: `auto` (the best this machine has), `avx512`, `avx2`, `neon` or `portable`.
  std::string instruction_set = "auto";
  TrainingMethod training_method = TrainingMethod::automatic;  ///< of a CUDA device; the CPU has its own

  /// \throws ConfigError
  void validate() const;
  friend bool operator==(const ExecutionConfig&, const ExecutionConfig&) = default;
};

/// The preset of the paper: 784-100-100-10, batch 20, lambda 0.01, one cost term.
[[nodiscard]] ENSYN_API PopulationConfig paper_preset(double rho, double c,
                                                      NoiseKind noise = NoiseKind::heterogeneous);

/// One `name = value` per line, for logs and people.
[[nodiscard]] ENSYN_API std::string to_string(const Architecture& value);
[[nodiscard]] ENSYN_API std::string to_string(const NetworkConfig& value);
[[nodiscard]] ENSYN_API std::string to_string(const PopulationConfig& value);
[[nodiscard]] ENSYN_API std::string to_string(const EvaluationConfig& value);
[[nodiscard]] ENSYN_API std::string to_string(const ExecutionConfig& value);

}  // namespace ensyn
