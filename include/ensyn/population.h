/// \file
/// Training and evaluating a set of networks at once. One network is the special case, see network.h.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "ensyn/config.h"
#include "ensyn/dataset.h"
#include "ensyn/evaluation.h"
#include "ensyn/export.h"
#include "ensyn/signatures.h"

namespace ensyn {

/// Parameters of one layer. Row-major `rows` x `columns`, rows = outputs, columns = inputs + 1; the last
/// column is the bias. sigma = softplus(phi) = log(1 + e^phi). Values of a single-precision network are
/// floats widened.
struct LayerParameters {
  int rows = 0;
  int columns = 0;
  std::vector<double> mu;
  std::vector<double> phi;    ///< where weights share one phi, each has that of its group
  std::vector<double> sigma;  ///< derived from phi; ignored where parameters are set
};

/// What training reports of one network over a stretch of steps.
struct TrainingMetrics {
  std::uint64_t examples = 0;  ///< examples seen
  double nll = 0;              ///< mean NLL per example under the noise of its step, nats
  double accuracy = 0;         ///< fraction right under that noise, in [0, 1]; 0 for a gaussian likelihood
};

/// Where training stands; given to the callbacks.
struct Progress {
  std::uint64_t step = 0;      ///< steps done since initialisation
  std::uint64_t end_step = 0;  ///< steps at which this call of train ends
  std::uint64_t steps_per_epoch = 0;
  bool epoch_ended = false;              ///< true once for each epoch, right after its last step
  std::vector<TrainingMetrics> metrics;  ///< per member, over the current epoch so far
};

/// How a population's training steps are run, and why so.
struct TrainingInfo {
  std::string method;  ///< on a CUDA device the name of a TrainingMethod that is not `auto`; else `cpu`
  std::string reason;  ///< for people
};

/// A population of networks bound to its training set and to a device. Movable, not copyable. Not safe for
/// concurrent use from several threads; distinct populations are independent.
class ENSYN_API Population {
 public:
  /// Initialises every member: mu ~ Uniform(-mu_range, mu_range), sigma = sigma_init.
  /// \throws ConfigError (also when data and architecture do not agree, or batch exceeds the data),
  /// DeviceError, OutOfMemoryError
  Population(PopulationConfig config, Dataset train_data, const ExecutionConfig& execution = {});
  ~Population();
  Population(Population&&) noexcept;
  Population& operator=(Population&&) noexcept;

  /// Reads what `save` wrote; continues bitwise where that population stood. \throws IoError, DataError
  /// (damaged, of another version, or trained on other data: on a set of another size or, unless the file is
  /// of a version that did not note it, of another Dataset::digest), and as the constructor.
  static Population load(const std::filesystem::path& file, Dataset train_data,
                         const ExecutionConfig& execution = {});

  /// As above, but only the members named, by index and in this order; each keeps its noise stream. \throws
  /// ConfigError too, when one is out of range or there is none.
  static Population load(const std::filesystem::path& file, Dataset train_data,
                         const ExecutionConfig& execution, const std::vector<int>& members);

  /// As the first `load`, but for a training set that may be another one, as for fine-tuning: parameters,
  /// Adam's moments and the number of steps done are those of the file, while epochs are counted in steps of
  /// the new set. The metrics of the epoch under way begin anew. \throws as the first `load`, but for other
  /// data
  static Population load_with_other_data(const std::filesystem::path& file, Dataset train_data,
                                         const ExecutionConfig& execution = {});

  /// Runs `steps` minibatches on every member. \throws DivergenceError when a loss is not finite, and as
  /// `check_finite`, which it calls at the end, unless it did so in the last 100 steps, and about every
  /// thousand steps at the end of an epoch; the state then is that after the failing step and not worth
  /// keeping.
  void train_steps(std::uint64_t steps);

  /// Runs until `epochs` epochs are complete since initialisation. `on_progress` is called a few times a
  /// second and at each epoch's end; returning false stops there, and nothing is looked at any more. \returns
  /// true when all epochs were run. \throws as train_steps
  bool train(int epochs, const std::function<bool(const Progress&)>& on_progress = {});

  /// Mean, single-sample and K-sample predictions of every member on `data`. Pure: neither parameters nor
  /// training noise change. \throws ConfigError, DataError when `data` does not fit the architecture,
  /// OutOfMemoryError
  [[nodiscard]] std::vector<Evaluation> evaluate(const Dataset& data,
                                                 const EvaluationConfig& config = {}) const;

  /// \throws what `evaluate` would for a configuration that is not valid or asks for more memory than there
  /// is; to be called before a long training.
  void check_evaluation(const Dataset& data, const EvaluationConfig& config) const;

  /// Every member's outputs over config.samples draws of its weights, the draws that `evaluate` makes: a draw
  /// is shared by config.batch examples. Of `data` only the features are looked at. Pure, as `evaluate`.
  /// \throws ConfigError when the features do not fit the architecture.
  [[nodiscard]] std::vector<Prediction> predict(const Dataset& data,
                                                const EvaluationConfig& config = {}) const;

  /// What signatures.h describes, of one member on the training set. Computed on the CPU, wherever the
  /// population trains. Pure: neither parameters nor training noise change. \throws ConfigError (also
  /// for the log_normal law, where dw/dmu is not 1), OutOfMemoryError, DeviceError on an instruction set that
  /// cannot run here, DivergenceError where a gradient is not finite
  [[nodiscard]] Signatures signatures(int member, const SignatureConfig& config = {}) const;

  /// \throws ConfigError when member or layer is out of range.
  [[nodiscard]] LayerParameters parameters(int member, int layer) const;
  /// Replaces mu and phi, keeps Adam's moments. Where weights share one phi, the elements of a group must be
  /// equal (a row for per_neuron, else all); for homogeneous noise they set the phi of the whole network.
  /// \throws ConfigError on wrong sizes, values that are not finite, or values of one group that differ.
  void set_parameters(int member, int layer, const LayerParameters& values);

  [[nodiscard]] Energy energy(int member) const;
  /// Whether all its parameters and moments are finite numbers, as `save` requires. \throws ConfigError when
  /// member is out of range.
  [[nodiscard]] bool finite(int member) const;
  /// \throws DivergenceError unless all parameters and moments of all members are finite numbers. The loss
  /// may be finite where they are not: a moment that has overflowed holds its parameter still.
  void check_finite() const;
  /// Metrics of the current epoch so far, one per member.
  [[nodiscard]] std::vector<TrainingMetrics> metrics() const;

  /// Writes parameters, Adam's moments, step and configuration as safetensors, to a temporary file that is
  /// then renamed. \throws IoError; DataError when a value is not finite, so that a diverged network never
  /// replaces a good one
  void save(const std::filesystem::path& file) const;

  [[nodiscard]] const PopulationConfig& config() const noexcept;
  [[nodiscard]] int size() const noexcept;                       ///< number of members
  [[nodiscard]] std::uint64_t step() const noexcept;             ///< steps done since initialisation
  [[nodiscard]] std::uint64_t steps_per_epoch() const noexcept;  ///< floor(N / B)
  [[nodiscard]] std::string backend() const;                     ///< `cpu` or `cuda`
  /// For example `cpu, avx512, 2 threads`; on CUDA it also names the layers that cuBLAS computes.
  [[nodiscard]] std::string device() const;
  [[nodiscard]] TrainingInfo training() const;

 private:
  struct Impl;
  explicit Population(std::unique_ptr<Impl> impl) noexcept;
  std::unique_ptr<Impl> impl_;
};

/// What a checkpoint says of itself without loading its tensors. \throws IoError, DataError
struct CheckpointInfo {
  PopulationConfig config;
  std::uint64_t step = 0;
  std::uint64_t train_examples = 0;
  int noise_contract = 0;
  std::string train_digest;  ///< Dataset::digest of the training set; empty in files of early versions
};
[[nodiscard]] ENSYN_API CheckpointInfo read_checkpoint_info(const std::filesystem::path& file);

}  // namespace ensyn
