#include "ensyn/population.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <utility>

#include "ensyn/device.h"
#include "ensyn/error.h"
#include "ensyn/network.h"
#include "ensyn/noise.h"
#include "host/base/memory.h"
#include "host/cpu/signature_meter.h"
#include "host/model/divergence.h"
#include "host/model/energy.h"
#include "host/model/phi_groups.h"
#include "host/model/prediction.h"
#include "host/population/backend.h"
#include "host/population/checkpoint.h"

namespace ensyn {
namespace {

/// What the noise contract has numbers for.
constexpr std::uint64_t kMostSteps = std::uint64_t{1} << 40;

void check_features(const Architecture& a, const Dataset& data) {
  if (data.feature_count() != a.inputs()) {
    throw ConfigError("data set '" + data.name() + "' has " + std::to_string(data.feature_count()) +
                      " features, but the architecture has " + std::to_string(a.inputs()) + " inputs");
  }
}

void check_agreement(const PopulationConfig& config, const Dataset& data) {
  const Architecture& a = config.architecture;
  check_features(a, data);
  if (a.likelihood == Likelihood::gaussian) {
    if (data.target_count() == a.outputs()) return;
    throw ConfigError("data set '" + data.name() + "' has " + std::to_string(data.target_count()) +
                      " real targets for each example, but the gaussian likelihood's architecture has " +
                      std::to_string(a.outputs()) + " outputs: give as many");
  }
  if (data.target_count() > 0) {
    throw ConfigError("data set '" + data.name() +
                      "' has real targets and no labels: choose the gaussian likelihood");
  }
  if (data.classes() > a.outputs()) {
    throw ConfigError("data set '" + data.name() + "' has " + std::to_string(data.classes()) +
                      " classes, but the architecture has only " + std::to_string(a.outputs()) + " outputs");
  }
}

/// \throws DataError where the checkpoint is of another training set
void check_training_set(const Checkpoint& checkpoint, const std::filesystem::path& file,
                        const Dataset& data) {
  if (checkpoint.train_examples != data.size()) {
    throw DataError(file.string() + ": was trained on " + std::to_string(checkpoint.train_examples) +
                    " examples, but the training set '" + data.name() + "' has " +
                    std::to_string(data.size()) + ": give the data set it was trained on");
  }
  if (!checkpoint.train_digest.empty() && checkpoint.train_digest != data.digest()) {
    throw DataError(file.string() + ": was trained on data of digest " + checkpoint.train_digest +
                    ", but the training set '" + data.name() + "' has digest " + data.digest() +
                    ": give the data set it was trained on");
  }
}

}  // namespace

struct Population::Impl {
  PopulationConfig config;
  Dataset data;
  ExecutionConfig execution;
  std::unique_ptr<Engine> engine;
  std::uint64_t step = 0;
  std::uint64_t checked_at = 0;  ///< the step after which parameters and moments were last looked at

  Impl(PopulationConfig population, Dataset train_data, ExecutionConfig how)
      : config(std::move(population)), data(std::move(train_data)), execution(std::move(how)) {
    config.validate();
    execution.validate();
    check_agreement(config, data);
    if (static_cast<std::size_t>(config.batch) > data.size()) {
      throw ConfigError("batch " + std::to_string(config.batch) + " is larger than the training set of " +
                        std::to_string(data.size()) + " examples");
    }
    engine = make_engine(config, data, execution);
  }

  /// The population that a checkpoint holds.
  static std::unique_ptr<Impl> from(const Checkpoint& checkpoint, Dataset train_data,
                                    const ExecutionConfig& execution) {
    auto impl = std::make_unique<Impl>(checkpoint.config, std::move(train_data), execution);
    for (std::size_t m = 0; m < checkpoint.members.size(); ++m) {
      impl->engine->write(static_cast<int>(m), checkpoint.members[m]);
    }
    impl->step = checkpoint.step;
    return impl;
  }

  [[nodiscard]] std::uint64_t steps_per_epoch() const {
    return data.size() / static_cast<std::size_t>(config.batch);
  }

  /// Runs at most `count` steps of those before step `end`, no further than the end of the epoch. \returns
  /// how many
  std::uint64_t advance(std::uint64_t count, std::uint64_t end) {
    const std::uint64_t in_epoch = step % steps_per_epoch();
    if (in_epoch == 0) engine->clear_epoch_sums();
    count = std::min({count, end - step, steps_per_epoch() - in_epoch});
    engine->train(step, count);
    step += count;
    if (is_checked() || (step == end && may_check())) check_finite();
    return count;
  }

  /// Whether parameters and moments are looked at after the step that was last: at the ends of epochs, but
  /// not more often than every kStepsPerCheck steps, so that it costs nothing beside the shortest of epochs.
  /// How steps are cut into calls plays no part.
  [[nodiscard]] bool is_checked() const {
    constexpr std::uint64_t kStepsPerCheck = 1000;
    const std::uint64_t before = step - std::min(step, steps_per_epoch());
    return step % steps_per_epoch() == 0 && step / kStepsPerCheck != before / kStepsPerCheck;
  }

  /// Whether a call that ends here may look at them. To look takes as long as a step or two, so that many
  /// short calls, of one step each for example, do not all do it.
  [[nodiscard]] bool may_check() const {
    constexpr std::uint64_t kStepsBetween = 100;
    return step - checked_at >= std::min(checked_at, kStepsBetween);
  }

  void check_finite() {
    ensyn::check_finite(*engine, config, step);
    checked_at = step;
  }

  /// \throws ConfigError unless the noise contract has numbers for the steps before `end`
  static void check_steps(std::uint64_t end) {
    if (end <= kMostSteps) return;
    throw ConfigError("training would end with step " + std::to_string(end) +
                      ", but there is noise for 2^40 = " + std::to_string(kMostSteps) +
                      " steps: ask for fewer steps or epochs");
  }

  /// `wanted` for `examples` examples, of which a batch holds no more than there are. \throws ConfigError,
  /// OutOfMemoryError where the outputs of all draws would not fit into memory
  [[nodiscard]] EvaluationConfig fitted(EvaluationConfig wanted, std::size_t examples) const {
    wanted.validate();
    wanted.batch = static_cast<int>(std::min(static_cast<std::size_t>(wanted.batch), examples));
    const double bytes = evaluation_bytes(config, wanted, examples, thread_count(execution));
    require_memory(bytes,
                   "an evaluation with samples = " + std::to_string(wanted.samples) +
                       " and batch = " + std::to_string(wanted.batch),
                   "use fewer samples or a smaller batch");
    return wanted;
  }

  void check_member(int member) const {
    if (member < 0 || member >= static_cast<int>(config.members.size())) {
      throw ConfigError("network " + std::to_string(member) + " is not in this population of " +
                        std::to_string(config.members.size()));
    }
  }
  void check_layer(int layer) const {
    if (layer < 0 || layer >= config.architecture.layers()) {
      throw ConfigError("layer " + std::to_string(layer) + " is not in this network of " +
                        std::to_string(config.architecture.layers()) + " layers");
    }
  }
  [[nodiscard]] NoiseKind noise(int member) const {
    return config.members[static_cast<std::size_t>(member)].noise;
  }
  [[nodiscard]] PhiGroups groups(int member) const { return {noise(member), config.architecture}; }

  [[nodiscard]] std::vector<TrainingMetrics> metrics() const {
    std::vector<TrainingMetrics> all;
    for (int m = 0; m < static_cast<int>(config.members.size()); ++m) {
      const EpochSums sums = engine->epoch_sums(m);
      const auto examples = static_cast<double>(std::max<std::uint64_t>(sums.examples, 1));
      all.push_back({sums.examples, sums.nll / examples, static_cast<double>(sums.correct) / examples});
    }
    return all;
  }
};

Population::Population(PopulationConfig config, Dataset train_data, const ExecutionConfig& execution)
    : impl_(std::make_unique<Impl>(std::move(config), std::move(train_data), execution)) {}
Population::Population(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
Population::~Population() = default;
Population::Population(Population&&) noexcept = default;
Population& Population::operator=(Population&&) noexcept = default;

Population Population::load(const std::filesystem::path& file, Dataset train_data,
                            const ExecutionConfig& execution) {
  const Checkpoint checkpoint = read_checkpoint(file);
  check_training_set(checkpoint, file, train_data);
  return Population(Impl::from(checkpoint, std::move(train_data), execution));
}

Population Population::load_with_other_data(const std::filesystem::path& file, Dataset train_data,
                                            const ExecutionConfig& execution) {
  Checkpoint checkpoint = read_checkpoint(file);
  for (NetworkState& member : checkpoint.members) member.epoch = {};
  return Population(Impl::from(checkpoint, std::move(train_data), execution));
}

Population Population::load(const std::filesystem::path& file, Dataset train_data,
                            const ExecutionConfig& execution, const std::vector<int>& members) {
  Checkpoint all = read_checkpoint(file);
  check_training_set(all, file, train_data);
  Checkpoint some{all.config, all.step, all.train_examples, all.train_digest, {}};
  some.config.members.clear();
  for (const int member : members) {
    if (member < 0 || member >= static_cast<int>(all.members.size())) {
      throw ConfigError("network " + std::to_string(member) + " is not in " + file.string() +
                        ", which holds " + std::to_string(all.members.size()));
    }
    const auto m = static_cast<std::size_t>(member);
    some.config.members.push_back(all.config.members[m]);
    some.config.members.back().stream = stream_of(all.config.members[m], member);
    some.members.push_back(all.members[m]);
  }
  return Population(Impl::from(some, std::move(train_data), execution));
}

void Population::train_steps(std::uint64_t steps) {
  Impl::check_steps(steps);
  const std::uint64_t end = impl_->step + steps;
  Impl::check_steps(end);
  while (impl_->step < end) impl_->advance(steps, end);
}

bool Population::train(int epochs, const std::function<bool(const Progress&)>& on_progress) {
  if (epochs < 0) throw ConfigError("epochs " + std::to_string(epochs) + " is negative");
  using Clock = std::chrono::steady_clock;
  constexpr double kSecondsPerCall = 0.2;
  const std::uint64_t end = static_cast<std::uint64_t>(epochs) * steps_per_epoch();
  Impl::check_steps(end);
  std::uint64_t chunk = 16;
  while (impl_->step < end) {
    const auto start = Clock::now();
    const std::uint64_t done = impl_->advance(chunk, end);
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    const double wanted = kSecondsPerCall * static_cast<double>(done) / std::max(seconds, 1e-9);
    chunk = static_cast<std::uint64_t>(std::clamp(wanted, 1.0, 4.0 * static_cast<double>(chunk)));
    if (!on_progress) continue;
    Progress progress;
    progress.step = impl_->step;
    progress.end_step = end;
    progress.steps_per_epoch = steps_per_epoch();
    progress.epoch_ended = impl_->step % steps_per_epoch() == 0;
    progress.metrics = impl_->metrics();
    if (!on_progress(progress)) return impl_->step >= end;
  }
  if (impl_->checked_at != impl_->step) impl_->check_finite();
  return true;
}

std::vector<Evaluation> Population::evaluate(const Dataset& data, const EvaluationConfig& config) const {
  check_agreement(impl_->config, data);
  return impl_->engine->evaluate(data, impl_->fitted(config, data.size()));
}

void Population::check_evaluation(const Dataset& data, const EvaluationConfig& config) const {
  static_cast<void>(impl_->fitted(config, data.size()));
}

std::vector<Prediction> Population::predict(const Dataset& data, const EvaluationConfig& config) const {
  check_features(impl_->config.architecture, data);
  return impl_->engine->predict(data, impl_->fitted(config, data.size()));
}

Signatures Population::signatures(int member, const SignatureConfig& config) const {
  impl_->check_member(member);
  if (impl_->config.members[static_cast<std::size_t>(member)].law == NoiseLaw::log_normal) {
    throw ConfigError(
        "signatures need dw/dmu = 1, which the log_normal law has not: use gaussian or binomial");
  }
  SignatureConfig complete = config;
  complete.validate();
  if (!complete.first_epoch) {
    complete.first_epoch = (impl_->step + steps_per_epoch() - 1) / steps_per_epoch();
  }
  const NetworkState state = impl_->engine->read(member);
  return cpu::measure_signatures({impl_->config, member, state, impl_->data, impl_->step}, complete,
                                 impl_->execution);
}

LayerParameters Population::parameters(int member, int layer) const {
  impl_->check_member(member);
  impl_->check_layer(layer);
  const NetworkState state = impl_->engine->read(member);
  const LayerState& from = state.layers[static_cast<std::size_t>(layer)];
  LayerParameters to{from.rows, from.columns, from.mu, from.phi, {}};
  if (to.phi.empty()) {
    const PhiGroups groups = impl_->groups(member);
    for (int row = 0; row < to.rows; ++row) {
      to.phi.insert(to.phi.end(), static_cast<std::size_t>(to.columns),
                    state.shared_phi.value[groups.of(layer, row)]);
    }
  }
  to.sigma.resize(to.phi.size());
  std::transform(to.phi.begin(), to.phi.end(), to.sigma.begin(), softplus);
  return to;
}

void Population::set_parameters(int member, int layer, const LayerParameters& values) {
  impl_->check_member(member);
  impl_->check_layer(layer);
  NetworkState state = impl_->engine->read(member);
  LayerState& to = state.layers[static_cast<std::size_t>(layer)];
  if (values.mu.size() != to.mu.size() || values.phi.size() != to.mu.size()) {
    throw ConfigError("layer " + std::to_string(layer) + " has " + std::to_string(to.rows) + " x " +
                      std::to_string(to.columns) + " parameters, but " + std::to_string(values.mu.size()) +
                      " values of mu and " + std::to_string(values.phi.size()) + " of phi were given");
  }
  const auto finite = [](double x) { return std::isfinite(x); };
  if (!std::all_of(values.mu.begin(), values.mu.end(), finite) ||
      !std::all_of(values.phi.begin(), values.phi.end(), finite)) {
    throw ConfigError("mu and phi of layer " + std::to_string(layer) + " must be finite numbers");
  }
  to.mu = values.mu;
  if (impl_->noise(member) == NoiseKind::heterogeneous) {
    to.phi = values.phi;
  } else {
    const PhiGroups groups = impl_->groups(member);
    for (std::size_t i = 0; i < values.phi.size(); ++i) {
      const auto row = i / static_cast<std::size_t>(to.columns);
      const auto first = groups.by_row() ? row * static_cast<std::size_t>(to.columns) : 0;
      if (values.phi[i] != values.phi[first]) {
        throw ConfigError("the noise of network " + std::to_string(member) + " is " +
                          std::string(name(impl_->noise(member))) + ": all values of phi" +
                          (groups.by_row() ? " in one row" : "") + " must be equal");
      }
      state.shared_phi.value[groups.of(layer, static_cast<int>(row))] = values.phi[i];
    }
  }
  impl_->engine->write(member, state);
}

Energy Population::energy(int member) const {
  impl_->check_member(member);
  return energy_of(impl_->config.architecture, impl_->config.members[static_cast<std::size_t>(member)],
                   impl_->engine->read(member));
}

bool Population::finite(int member) const {
  impl_->check_member(member);
  return !find_not_finite(impl_->config, member, impl_->engine->read(member));
}

void Population::check_finite() const {
  ensyn::check_finite(*impl_->engine, impl_->config, impl_->step);
}

std::vector<TrainingMetrics> Population::metrics() const {
  return impl_->metrics();
}

void Population::save(const std::filesystem::path& file) const {
  Checkpoint checkpoint{impl_->config, impl_->step, impl_->data.size(), impl_->data.digest(), {}};
  for (int m = 0; m < size(); ++m) checkpoint.members.push_back(impl_->engine->read(m));
  write_checkpoint(file, checkpoint);
}

const PopulationConfig& Population::config() const noexcept {
  return impl_->config;
}
int Population::size() const noexcept {
  return static_cast<int>(impl_->config.members.size());
}
std::uint64_t Population::step() const noexcept {
  return impl_->step;
}
std::uint64_t Population::steps_per_epoch() const noexcept {
  return impl_->steps_per_epoch();
}
std::string Population::backend() const {
  return impl_->engine->backend();
}
std::string Population::device() const {
  return impl_->engine->device();
}
TrainingInfo Population::training() const {
  return impl_->engine->training();
}

Network::Network(Population population) : population_(std::move(population)) {
  if (population_.size() != 1) {
    throw ConfigError("a Network is a population of one, but this one has " +
                      std::to_string(population_.size()) + " members: use Population");
  }
}

}  // namespace ensyn
