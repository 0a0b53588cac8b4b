#include "host/cpu/cpu_engine.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <mutex>
#include <new>

#include "ensyn/device.h"
#include "ensyn/error.h"
#include "ensyn/noise.h"
#include "host/base/memory.h"
#include "host/cpu/evaluator.h"
#include "host/cpu/member.h"
#include "host/cpu/team.h"
#include "host/cpu/trainer.h"

namespace ensyn::cpu {
namespace {

template <class T>
class CpuEngine final : public Engine {
 public:
  CpuEngine(const PopulationConfig& config, const Dataset& data, const InstructionSet& set, int threads)
      : config_(config), data_(data), set_(set), pool_(threads) {
    const double fraction = static_cast<double>(config.batch) / static_cast<double>(data.size());
    for (std::size_t m = 0; m < config.members.size(); ++m) {
      const std::uint32_t stream = stream_of(config.members[m], static_cast<int>(m));
      members_.emplace_back(config.architecture, config.members[m], stream, fraction);
      members_.back().import_state(initial_state(config.architecture, config.members[m], stream));
    }
    // As many networks at once as there are threads; where there are fewer networks, several threads for
    // each.
    const int teams = std::min(threads, static_cast<int>(members_.size()));
    for (int t = 0; t < teams; ++t) {
      const int size = threads * (t + 1) / teams - threads * t / teams;
      teams_.push_back(std::make_unique<Team<T>>(config.architecture, config.batch, size));
    }
  }

  void train(std::uint64_t first, std::uint64_t count) override {
    const std::uint64_t steps_per_epoch = data_.size() / static_cast<std::size_t>(config_.batch);
    prepare_order(first / steps_per_epoch);
    std::vector<std::uint64_t> diverged(members_.size(), kNoDivergence);
    const auto train_member = [&](std::size_t m, Team<T>& team, int rank) {
      const std::vector<std::uint32_t>& order = order_of(m, first / steps_per_epoch);
      const Stretch stretch{order, steps_per_epoch, first, count};
      Trainer<T> trainer(team, members_[m], data_, table_of<T>(set_), stretch, rank);
      const std::uint64_t step = trainer.run();
      if (rank == 0) diverged[m] = step;
    };
    if (teams_.size() == static_cast<std::size_t>(pool_.size())) {
      pool_.for_each(static_cast<std::int64_t>(members_.size()), [&](std::int64_t m, int rank) {
        train_member(static_cast<std::size_t>(m), *teams_[static_cast<std::size_t>(rank)], 0);
      });
    } else {
      // One network for each team.
      pool_.run([&](int rank) {
        std::size_t t = 0;
        for (; rank >= teams_[t]->threads(); ++t) rank -= teams_[t]->threads();
        train_member(t, *teams_[t], rank);
      });
    }
    report_divergence(*this, config_, diverged);
  }

  std::vector<Evaluation> evaluate(const Dataset& data, const EvaluationConfig& config) override {
    std::vector<Evaluation> results;
    for (const auto& member : members_) {
      const Task task{config_.architecture, data, config};
      results.push_back(cpu::evaluate(member, task, table_of<T>(set_), pool_));
    }
    return results;
  }

  std::vector<Prediction> predict(const Dataset& data, const EvaluationConfig& config) override {
    std::vector<Prediction> results;
    for (const auto& member : members_) {
      const Task task{config_.architecture, data, config};
      results.push_back(cpu::predict(member, task, table_of<T>(set_), pool_));
    }
    return results;
  }

  [[nodiscard]] std::optional<int> first_not_finite() override {
    std::vector<std::uint8_t> finite(members_.size());
    pool_.for_each(static_cast<std::int64_t>(members_.size()), [&](std::int64_t m, int /*rank*/) {
      const auto at = static_cast<std::size_t>(m);
      finite[at] = members_[at].is_finite() ? 1 : 0;
    });
    const auto found = std::ranges::find(finite, 0);
    if (found == finite.end()) return std::nullopt;
    return static_cast<int>(found - finite.begin());
  }

  [[nodiscard]] NetworkState read(int member) const override {
    return members_[static_cast<std::size_t>(member)].export_state();
  }
  void write(int member, const NetworkState& state) override {
    members_[static_cast<std::size_t>(member)].import_state(state);
  }
  [[nodiscard]] EpochSums epoch_sums(int member) const override {
    return members_[static_cast<std::size_t>(member)].sums;
  }
  void clear_epoch_sums() override {
    for (auto& member : members_) member.sums = {};
  }
  [[nodiscard]] std::string backend() const override { return "cpu"; }
  [[nodiscard]] std::string device() const override { return "cpu, " + means(); }
  [[nodiscard]] TrainingInfo training() const override { return {"cpu", means()}; }

 private:
  [[nodiscard]] std::string means() const {
    return std::string(set_.name) + ", " + std::to_string(pool_.size()) +
           (pool_.size() == 1 ? " thread" : " threads");
  }
  /// The order that all members share; kept from call to call.
  void prepare_order(std::uint64_t epoch) {
    if (config_.own_order || (shared_epoch_ == epoch && !shared_order_.empty())) return;
    shared_order_ = minibatch_order(config_.data_seed, 0, epoch, data_.size());
    shared_epoch_ = epoch;
  }

  const std::vector<std::uint32_t>& order_of(std::size_t member, std::uint64_t epoch) {
    if (!config_.own_order) return shared_order_;
    // One order per member, replaced when the epoch changes; several threads may ask at once.
    const std::lock_guard lock(own_orders_mutex_);
    auto& [stored_epoch, order] = own_orders_[member];
    if (order.empty() || stored_epoch != epoch) {
      order = minibatch_order(config_.data_seed, members_[member].stream(), epoch, data_.size());
      stored_epoch = epoch;
    }
    return order;
  }

  PopulationConfig config_;
  Dataset data_;
  const InstructionSet& set_;
  ThreadPool pool_;
  std::vector<Member<T>> members_;
  std::vector<std::unique_ptr<Team<T>>> teams_;
  std::vector<std::uint32_t> shared_order_;
  std::uint64_t shared_epoch_ = 0;
  std::mutex own_orders_mutex_;
  std::map<std::size_t, std::pair<std::uint64_t, std::vector<std::uint32_t>>> own_orders_;
};

/// Bytes of the state of all members, of one as it is initialised in doubles, and of what each team needs for
/// a step: weights, two minibatches, and activations with their gradients.
double training_bytes(const PopulationConfig& config, int threads) {
  const double element = config.precision == Precision::double_precision ? 8 : 4;
  const auto members = static_cast<double>(config.members.size());
  const auto parameters = static_cast<double>(config.architecture.parameters());
  double width = config.architecture.inputs();
  for (const int size : config.architecture.sizes) width += 2.0 * size;
  const double team = element * (parameters + 2.0 * config.batch * width);
  return parameters * (members * kHeterogeneousFields * element + 6 * 8) + std::fmin(threads, members) * team;
}

}  // namespace

std::unique_ptr<Engine> make_cpu_engine(const PopulationConfig& config, const Dataset& train_data,
                                        const ExecutionConfig& execution) {
  const InstructionSet& set = find_instruction_set(execution.instruction_set);
  const int threads = thread_count(execution);
  const double bytes = training_bytes(config, threads);
  const std::string what = std::to_string(config.members.size()) + " networks of " +
                           std::to_string(config.architecture.parameters()) + " parameters";
  require_memory(bytes, what, "train fewer at once, or narrower layers");
  try {
    if (config.precision == Precision::double_precision) {
      return std::make_unique<CpuEngine<double>>(config, train_data, set, threads);
    }
    return std::make_unique<CpuEngine<float>>(config, train_data, set, threads);
  } catch (const std::bad_alloc&) {
    throw OutOfMemoryError("not enough memory for " + what + " (about " +
                           std::to_string(static_cast<std::uint64_t>(bytes / 1048576)) +
                           " MiB): train fewer at once");
  }
}

}  // namespace ensyn::cpu
