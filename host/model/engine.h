/// \file
/// The boundary between the API and what computes. An engine owns the state of one population and runs many
/// steps per call, so that a thread pool, a CUDA graph or a persistent kernel can each do it its own way.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "ensyn/config.h"
#include "ensyn/dataset.h"
#include "ensyn/evaluation.h"
#include "ensyn/population.h"
#include "host/model/state.h"

namespace ensyn {

class Engine {
 public:
  Engine() = default;
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;
  virtual ~Engine() = default;

  /// Runs steps [first, first + count) on every member; they must lie within one epoch. \throws
  /// DivergenceError
  virtual void train(std::uint64_t first, std::uint64_t count) = 0;

  /// The three readings of every member; `data` fits the architecture and `config` is valid.
  virtual std::vector<Evaluation> evaluate(const Dataset& data, const EvaluationConfig& config) = 0;

  /// What every member's outputs are under its weights' noise; of `data` only the features are looked at.
  virtual std::vector<Prediction> predict(const Dataset& data, const EvaluationConfig& config) = 0;

  /// The first member whose parameters, moments or sum of losses are not all finite, if there is one.
  [[nodiscard]] virtual std::optional<int> first_not_finite() = 0;

  [[nodiscard]] virtual NetworkState read(int member) const = 0;
  virtual void write(int member, const NetworkState& state) = 0;
  [[nodiscard]] virtual EpochSums epoch_sums(int member) const = 0;
  /// Called between epochs.
  virtual void clear_epoch_sums() = 0;

  [[nodiscard]] virtual std::string backend() const = 0;
  [[nodiscard]] virtual std::string device() const = 0;
  [[nodiscard]] virtual TrainingInfo training() const = 0;
};

/// The step of a network whose losses are all finite.
inline constexpr std::uint64_t kNoDivergence = ~std::uint64_t{0};

/// For engines at the end of `train`. \throws DivergenceError for the first member whose entry, the first
/// step with a loss that is not finite, is not kNoDivergence
void report_divergence(const Engine& engine, const PopulationConfig& config,
                       std::span<const std::uint64_t> diverged_at);

/// Losses may stay finite where a moment of Adam has overflowed and its parameter stands still.
/// \param steps that are done \throws DivergenceError that names the first value which is not finite
void check_finite(Engine& engine, const PopulationConfig& config, std::uint64_t steps);

}  // namespace ensyn
