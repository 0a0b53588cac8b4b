#include "host/driver/sweep/chunk.h"

#include <algorithm>
#include <new>
#include <utility>

#include "host/driver/terminal/signals.h"
#include "host/driver/terminal/verbose.h"

namespace ensyn::driver {

std::filesystem::path partial_file(const std::filesystem::path& folder, std::size_t chunk) {
  return folder / (std::to_string(chunk) + ".safetensors");
}

double network_bytes(const PopulationConfig& config) {
  const bool single = config.precision == Precision::single_precision;
  const double trained = single ? 32 : 64, saved = single ? 7 * (8 + 4) : 7 * (8 + 8);
  return static_cast<double>(config.architecture.parameters()) * (trained + saved);
}

using Clock = std::chrono::steady_clock;

/// The training of one chunk.
class ChunkTrainer::Run {
 public:
  Run(ChunkTrainer& trainer, const Chunk& chunk, const Watch& watch, const Deliver& deliver)
      : trainer_(trainer),
        settings_(trainer.settings_),
        id_(chunk.id),
        networks_(chunk.networks),
        saved_(chunk.saved),
        file_(partial_file(trainer.partial_, chunk.id)),
        watch_(watch),
        deliver_(deliver) {
    begin();
  }

  void train_and_evaluate() {
    while (!networks_.empty() && epochs_done() < settings_.base.epochs) run_epoch();
    if (networks_.empty()) return;
    const auto evaluations = population_->evaluate(trainer_.data_.test, settings_.base.evaluation);
    Delivery delivery{{}, id_};
    for (std::size_t m = 0; m < networks_.size(); ++m) {
      const Energy energy = population_->energy(static_cast<int>(m));
      delivery.results.push_back({networks_[m], result_cells(evaluations[m], energy, population_->step())});
    }
    deliver_(delivery);
  }

 private:
  /// From the partial file, or from the beginning. \throws OutOfMemoryError
  void begin() {
    population_.reset();
    if (saved_.empty()) {
      population_.emplace(trainer_.grid_.population(networks_), trainer_.data_.train, trainer_.execution_);
    } else {
      std::vector<int> members;
      for (const std::size_t network : networks_) {
        members.push_back(static_cast<int>(std::ranges::find(saved_, network) - saved_.begin()));
      }
      population_.emplace(Population::load(file_, trainer_.data_.train, trainer_.execution_, members));
    }
    announce(*population_);
    population_->check_evaluation(trainer_.data_.test, settings_.base.evaluation);
    trainer_.device_ = population_->device();
    trainer_.training_method_ = population_->training().method;
    last_step_ = population_->step();
  }

  [[nodiscard]] int epochs_done() const {
    return static_cast<int>(population_->step() / population_->steps_per_epoch());
  }

  void run_epoch() {
    const int epoch = epochs_done() + 1;
    const auto watch = [&](const Progress& progress) {
      trainer_.trained_ += (progress.step - last_step_) * networks_.size();
      last_step_ = progress.step;
      watch_(progress.step * networks_.size(), trainer_.trained_);
      return !InterruptGuard::interrupted();
    };
    try {
      population_->train(epoch, watch);
    } catch (const DivergenceError& error) {
      drop(static_cast<std::size_t>(error.member()), error.step());
      return;
    }
    const bool ended = epochs_done() == epoch, last = ended && epoch == settings_.base.epochs;
    const bool stop = InterruptGuard::interrupted() && !last;
    if (stop || (ended && !last && save_is_due(epoch))) save();
    if (stop) throw Interrupted("interrupted");
  }

  /// Small networks have epochs that are shorter than saving takes: at most a fiftieth of the time goes to
  /// it.
  [[nodiscard]] bool save_is_due(int epoch) const {
    const int every = settings_.base.checkpoint_every;
    return every > 0 && epoch % every == 0 && Clock::now() - trainer_.saved_at_ >= 49 * trainer_.save_time_;
  }

  void save() {
    const auto start = Clock::now();
    try {
      population_->save(file_);
      saved_ = networks_;
      trainer_.saved_at_ = Clock::now();
      trainer_.save_time_ = trainer_.saved_at_ - start;
    } catch (const DataError&) {
      // In the middle of an epoch a network may have diverged unnoticed: what was saved before is kept.
    }
  }

  /// Takes a network that diverged at `step` out of the chunk; the others go on from where they last were
  /// known to be good.
  void drop(std::size_t member, std::uint64_t step) {
    const bool last = networks_.size() == 1;
    deliver_({{{networks_[member], divergence_cells(step)}}, last ? std::optional(id_) : std::nullopt});
    networks_.erase(networks_.begin() + static_cast<std::ptrdiff_t>(member));
    if (!networks_.empty()) begin();
  }

  ChunkTrainer& trainer_;
  const SweepSettings& settings_;
  std::size_t id_;
  std::vector<std::size_t> networks_;  ///< by member of the population
  std::vector<std::size_t> saved_;     ///< by member of the partial file's
  std::filesystem::path file_;
  const Watch& watch_;
  const Deliver& deliver_;
  std::optional<Population> population_;
  std::uint64_t last_step_ = 0;
};

ChunkTrainer::ChunkTrainer(const SweepSettings& settings, ExecutionConfig execution, const TrainTest& data,
                           const Grid& grid, std::filesystem::path partial)
    : settings_(settings),
      execution_(std::move(execution)),
      data_(data),
      grid_(grid),
      partial_(std::move(partial)) {}

void ChunkTrainer::train(const Chunk& chunk, const Watch& watch, const Deliver& deliver) {
  std::vector<std::size_t> rest = chunk.networks;  // without a result
  const Deliver deliver_and_strike = [&](const Delivery& delivery) {
    deliver(delivery);
    for (const SweepResult& result : delivery.results) std::erase(rest, result.network);
  };
  // Memory may run out at any time: evaluation takes some of its own, and so do other processes.
  try {
    Run(*this, chunk, watch, deliver_and_strike).train_and_evaluate();
    return;
  } catch (const OutOfMemoryError&) {
    if (rest.size() < 2) throw;
  } catch (const std::bad_alloc&) {
    if (rest.size() < 2) throw;
  }
  // Both halves start anew: the partial file, if there is one, is of them together.
  const auto half = static_cast<std::ptrdiff_t>(rest.size() / 2);
  const auto middle = rest.begin() + half;
  limit_ = static_cast<std::size_t>(half);
  train({chunk.id, {rest.begin(), middle}, {}}, watch, deliver);
  train({*middle, {middle, rest.end()}, {}}, watch, deliver);
}

}  // namespace ensyn::driver
