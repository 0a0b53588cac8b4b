/// \file
/// The oracle: everything that ensyn computes, once more, in double precision and plain loops, for
/// obviousness rather than speed. It includes nothing of the product, so that a mistake in arithmetic that
/// the product's backends share shows here.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace oracle {

// ---- noise -------------------------------------------------------------------------------------------

using Block = std::array<std::uint32_t, 4>;

/// Philox4x32 with ten rounds (Salmon et al. 2011).
Block philox(Block counter, std::array<std::uint32_t, 2> key);

enum Purpose : std::uint64_t { kTraining = 0, kEvaluation = 1, kInitialMu = 2, kShuffling = 3 };

/// What one matrix of noise is drawn for.
struct Draw {
  std::uint64_t seed = 0;
  std::uint64_t stream = 0;
  std::uint64_t step = 0;
  std::uint64_t tensor = 0;
  std::uint64_t purpose = kTraining;
};

/// Whether the uniform under the logarithm is rounded to float on its way, as the single-precision contract
/// has it, or exact. Everything after it is double either way.
enum class Uniform { exact, single };

Block words(const Draw& draw, std::uint64_t quad);

/// The uniform number in (0, 1] that a word stands for.
double uniform(std::uint32_t word, Uniform kind);

/// Two normals from two words: radius * sin, radius * cos.
std::array<double, 2> box_muller(std::uint32_t radius_word, std::uint32_t angle_word, Uniform kind);

/// The word that belongs to an element of a matrix with `columns` columns, and its normal.
std::uint32_t word_at(const Draw& draw, int row, int column, int columns);
double normal_at(const Draw& draw, int row, int column, int columns, Uniform kind);

/// A permutation of 0..count-1 for one epoch.
std::vector<std::uint32_t> order(std::uint64_t seed, std::uint64_t stream, std::uint64_t epoch,
                                 std::size_t count);

// ---- networks ----------------------------------------------------------------------------------------

struct Matrix {
  Matrix() = default;
  Matrix(int row_count, int column_count)
      : rows(row_count),
        columns(column_count),
        values(static_cast<std::size_t>(row_count) * static_cast<std::size_t>(column_count)) {}

  double& at(int row, int column) {
    return values[static_cast<std::size_t>(row) * static_cast<std::size_t>(columns) +
                  static_cast<std::size_t>(column)];
  }
  [[nodiscard]] double at(int row, int column) const {
    return values[static_cast<std::size_t>(row) * static_cast<std::size_t>(columns) +
                  static_cast<std::size_t>(column)];
  }

  int rows = 0;
  int columns = 0;
  std::vector<double> values;
};

/// One matrix per layer, outputs x (inputs + 1); the last column is the bias.
using Layers = std::vector<Matrix>;

Matrix normals(const Draw& draw, int rows, int columns, Uniform kind);
/// The uniform number of each element's own word.
Matrix uniforms(const Draw& draw, int rows, int columns, Uniform kind);

/// Examples as rows.
struct Data {
  Matrix features;
  std::vector<int> labels;
  Matrix targets = {};  ///< of a gaussian likelihood, instead of labels
};

/// How a weight follows from mu, sigma and its noise: a standard normal, or for the binomial law a uniform
/// number.
enum class Law { gaussian, binomial, log_normal };

/// A weight and its derivatives in mu and sigma (for the binomial law, what stands in for them). `margin`
/// says how far, in probability, the noise was from where a binomial count changes.
struct Weight {
  double value = 0;
  double mu_slope = 1;
  double sigma_slope = 0;
  double margin = std::numeric_limits<double>::infinity();
};
Weight draw_weight(Law law, int vesicles, double mu, double sigma, double noise);

/// The rarer of release and failure of one vesicle: its probability, and whether it is failure. Release is
/// given 0.001 at least.
struct Release {
  double rarer = 0;
  bool failures = false;
  bool is_clamped = false;
};
Release release(int vesicles, double mu, double sigma);

/// P(count > k) of `vesicles` that each count with probability `p`, added from the top.
double binomial_tail(int vesicles, double p, int k);

struct Term {
  double rho = 2;
  double c = 1;
};

/// Which weights have one phi in common.
enum class Scope { weight, neuron, layer, network };

/// One network and how it is trained.
struct Settings {
  std::vector<int> sizes;
  std::uint64_t seed = 0;
  std::uint64_t stream = 0;
  Scope scope = Scope::weight;
  bool variational = false;
  bool gaussian = false;  ///< likelihood of real targets, of SD observation_sd
  double observation_sd = 1;
  Law law = Law::gaussian;
  int vesicles = 5;
  std::vector<Term> terms;
  double prior_sigma = std::numeric_limits<double>::infinity();
  double laplace_scale = 0;  ///< of a Laplace prior, where > 0
  double lambda = 0;
  double learning_rate = 1e-4;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double mu_range = 0.1;
  double sigma_init = 1e-4;
  int batch = 20;
  int examples = 0;  ///< N, of the training set
  std::uint64_t data_seed = 0;
  std::uint64_t order_stream = 0;
  Uniform uniform = Uniform::exact;

  [[nodiscard]] int layers() const { return static_cast<int>(sizes.size()) - 1; }
};

/// Something for each parameter of a network: values, a gradient or a moment. `phi` is empty where weights
/// share one: then `shared_phi` has one for each neuron (layer by layer), each layer, or the network.
struct Parameters {
  Layers mu;
  Layers phi;
  std::vector<double> shared_phi;
};

double softplus(double phi);
double inverse_softplus(double sigma);
/// Derivative of softplus.
double sigmoid(double phi);

/// All-zero parameters in the shape of the network.
Parameters zeros(const Settings& settings);
Parameters initial_parameters(const Settings& settings);

/// Index in `shared_phi` of what the weights of a row share.
std::size_t group_of(const Settings& settings, int layer, int row);

/// sigma of one weight.
double sigma_at(const Settings& settings, const Parameters& parameters, int layer, int row, int column);

/// One draw of the noise of every weight, as its law takes it.
Layers draw_noise(const Settings& settings, std::uint64_t step, Purpose purpose);

/// w by the network's law; w = mu where `noise` is empty.
Layers sample_weights(const Settings& settings, const Parameters& parameters, const Layers& noise);

/// Activations of one example, layer by layer from the input; the last are the logits. Hidden ones are before
/// the ReLU in `before` and after it in `after`.
struct Forward {
  std::vector<std::vector<double>> before;
  std::vector<std::vector<double>> after;
};
Forward forward(const Layers& weights, const std::vector<double>& input);

std::vector<double> log_softmax(const std::vector<double>& logits);

/// Index of the largest element, the first of equals.
int argmax(const std::vector<double>& values);

std::vector<double> example(const Data& data, std::uint32_t index);
std::vector<double> target(const Data& data, std::uint32_t index);

/// Minus the log density of targets y, each Normal(output, observation_sd).
double gaussian_nll(const Settings& settings, const std::vector<double>& output,
                    const std::vector<double>& y);

/// R(sigma) of one weight (without lambda |mu| and without the prior on mu), and its derivative.
double reliability(const Settings& settings, double sigma);
/// The expected cost of the prior on one weight, w ~ N(mu, sigma^2).
double prior_cost(const Settings& settings, double mu, double sigma);
double reliability_derivative(const Settings& settings, double sigma);

/// The objective of one minibatch: NLL summed over it + (B/N) * all costs summed over all weights.
double objective(const Settings& settings, const Parameters& parameters, const Layers& noise,
                 const Data& data, const std::vector<std::uint32_t>& minibatch);

/// What one training step saw. The margins say how far the step was from where rounding decides: `kink`, the
/// smallest |input of a ReLU|, and `tie`, the smallest lead of the largest logit. `scale` is the largest
/// |input of a ReLU or logit|, for comparison.
struct StepReport {
  double nll = 0;  ///< summed over the minibatch
  int correct = 0;
  double kink = std::numeric_limits<double>::infinity();
  double tie = std::numeric_limits<double>::infinity();
  double scale = 0;
  double count_margin = std::numeric_limits<double>::infinity();  ///< of Weight
};

/// Gradient of the objective by backpropagation. That of a shared phi is divided by the number of weights
/// that share it.
Parameters gradient(const Settings& settings, const Parameters& parameters, const Layers& noise,
                    const Data& data, const std::vector<std::uint32_t>& minibatch,
                    StepReport* report = nullptr);

/// The examples of minibatch `step`; floor(N / B) steps make an epoch and the rest of the examples are left
/// out.
std::vector<std::uint32_t> minibatch_at(const Settings& settings, std::uint64_t step);

/// A network in training.
struct Training {
  Settings settings;
  Parameters parameters;
  Parameters moment1;
  Parameters moment2;
  std::uint64_t step = 0;
  Parameters last_gradient;
};
Training start(const Settings& settings);
StepReport train_step(Training& training, const Data& data);

// ---- evaluation --------------------------------------------------------------------------------------

struct Quality {
  double accuracy = 0;
  double nll = 0;
  double rmse = 0;
  double brier = 0;
  double ece = 0;
  double entropy = 0;
};

struct EvaluationSettings {
  int samples = 20;
  int batch = 20;
  int bins = 15;
  bool average_log_probabilities = false;
};

struct Evaluation {
  Quality mean;
  Quality sample;
  Quality average;
  double mutual_information = 0;
};

/// Quality of log probabilities, one row of classes per example.
Quality quality(const std::vector<std::vector<double>>& log_probabilities, const std::vector<int>& labels,
                int bins);

Evaluation evaluate(const Settings& settings, const Parameters& parameters, const Data& data,
                    const EvaluationSettings& how);

/// Mean and SD of each output over the draws of `evaluate`, example by example: of the outputs of a gaussian
/// likelihood, of the probabilities of a categorical one.
struct Moments {
  std::vector<double> mean;
  std::vector<double> sd;
  std::vector<double> at_mean_weights;
};
Moments moments(const Settings& settings, const Parameters& parameters, const Data& data,
                const EvaluationSettings& how);

struct Energy {
  double sigma_rms = 0;
  double reliability_sum = 0;
  double reliability_cost = 0;
  double magnitude_cost = 0;
  double prior_cost = 0;
};
Energy energy(const Settings& settings, const Parameters& parameters);

}  // namespace oracle
