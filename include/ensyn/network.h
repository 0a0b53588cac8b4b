/// \file
/// One network: a population of one, with the member index left out.
#pragma once

#include <utility>

#include "ensyn/population.h"

namespace ensyn {

/// A single network; every call is that of Population for member 0.
class Network {
 public:
  /// \param config must have exactly one member. \throws as Population
  Network(PopulationConfig config, Dataset train_data, const ExecutionConfig& execution = {})
      : Network(Population(std::move(config), std::move(train_data), execution)) {}

  /// \throws ConfigError when the checkpoint holds several networks, and as Population::load
  static Network load(const std::filesystem::path& file, Dataset train_data,
                      const ExecutionConfig& execution = {}) {
    return Network(Population::load(file, std::move(train_data), execution));
  }

  /// \throws as `load`, but not for other data; see Population::load_with_other_data
  static Network load_with_other_data(const std::filesystem::path& file, Dataset train_data,
                                      const ExecutionConfig& execution = {}) {
    return Network(Population::load_with_other_data(file, std::move(train_data), execution));
  }

  bool train(int epochs, const std::function<bool(const Progress&)>& on_progress = {}) {
    return population_.train(epochs, on_progress);
  }
  void train_steps(std::uint64_t steps) { population_.train_steps(steps); }
  [[nodiscard]] Evaluation evaluate(const Dataset& data, const EvaluationConfig& config = {}) const {
    return population_.evaluate(data, config).front();
  }
  [[nodiscard]] Prediction predict(const Dataset& data, const EvaluationConfig& config = {}) const {
    return population_.predict(data, config).front();
  }
  [[nodiscard]] Signatures signatures(const SignatureConfig& config = {}) const {
    return population_.signatures(0, config);
  }
  [[nodiscard]] LayerParameters parameters(int layer) const { return population_.parameters(0, layer); }
  void set_parameters(int layer, const LayerParameters& values) {
    population_.set_parameters(0, layer, values);
  }
  [[nodiscard]] Energy energy() const { return population_.energy(0); }
  [[nodiscard]] TrainingMetrics metrics() const { return population_.metrics().front(); }
  void save(const std::filesystem::path& file) const { population_.save(file); }
  [[nodiscard]] Population& population() noexcept { return population_; }
  [[nodiscard]] const Population& population() const noexcept { return population_; }

 private:
  ENSYN_API explicit Network(Population population);
  Population population_;
};

}  // namespace ensyn
