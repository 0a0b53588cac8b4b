#include "host/cuda/cuda_engine.h"

#include <map>
#include <optional>
#include <utility>

#include "ensyn/device.h"
#include "ensyn/noise.h"
#include "host/cpu/team.h"
#include "host/cuda/evaluator.h"
#include "host/cuda/minibatch_order.h"
#include "host/cuda/population_evaluator.h"
#include "host/cuda/training_step.h"
#include "host/cuda/whole_training.h"

namespace ensyn::cuda {
namespace {

/// Orders of the examples, made on the host. The next epoch's are made while the device is busy with this
/// one's.
class Orders {
 public:
  Orders(std::uint64_t seed, std::vector<std::uint32_t> streams, std::size_t examples)
      : seed_(seed), streams_(std::move(streams)), examples_(examples) {}

  /// One for each stream.
  const std::vector<std::vector<std::uint32_t>>& of(std::uint64_t epoch) {
    if (made_.find(epoch) == made_.end()) {
      made_.clear();
      prepare(epoch);
    }
    return made_[epoch];
  }
  void prepare(std::uint64_t epoch) {
    auto& orders = made_[epoch];
    if (!orders.empty()) return;
    for (const std::uint32_t stream : streams_)
      orders.push_back(minibatch_order(seed_, stream, epoch, examples_));
  }

 private:
  std::uint64_t seed_;
  std::vector<std::uint32_t> streams_;
  std::size_t examples_;
  std::map<std::uint64_t, std::vector<std::vector<std::uint32_t>>> made_;
};

std::vector<std::uint32_t> order_streams(const PopulationConfig& config) {
  if (!config.own_order) return {0};
  std::vector<std::uint32_t> streams;
  for (std::size_t m = 0; m < config.members.size(); ++m) {
    streams.push_back(stream_of(config.members[m], static_cast<int>(m)));
  }
  return streams;
}

template <class T>
class CudaEngine final : public Engine {
 public:
  /// The device must be the current one.
  CudaEngine(const PopulationConfig& config, const Dataset& data, const ExecutionConfig& execution,
             const EngineOptions& options)
      : info_(find_device(execution.device_index)),
        options_(options),
        multiprocessors_(options.multiprocessors > 0 ? options.multiprocessors : info_.multiprocessors),
        config_(config),
        data_(data),
        minibatches_{config.batch, data.size() / static_cast<std::size_t>(config.batch), data.size(),
                     config.own_order},
        orders_(config.data_seed, order_streams(config), data.size()),
        pool_(thread_count(execution)),
        device_data_(data, stream_.get()),
        networks_(config, static_cast<double>(config.batch) / static_cast<double>(data.size()),
                  stream_.get()),
        order_(minibatches_, networks_.count()),
        choice_(choose_training(config, !data.bytes().empty(), info_, execution.training_method)) {
    if (choice_.method == TrainingMethod::graph) {
      step_.emplace(networks_, config.architecture, device_data_, order_, stream_, minibatches_,
                    multiprocessors_, options.products);
    } else {
      whole_.emplace(config, networks_, choice_, stream_, options.clusters);
    }
    stream_.wait();
  }

  void train(std::uint64_t first, std::uint64_t count) override {
    const CurrentDevice current(info_.index);
    const std::uint64_t epoch = first / minibatches_.steps_per_epoch;
    upload_orders(epoch);
    networks_.set_step(first, stream_.get());
    if (whole_) {
      whole_->enqueue(order_.inputs<T>(device_data_), device_data_, count);
    } else {
      step_by_step(count);
    }
    networks_.download_progress(stream_.get());
    if ((first + count) % minibatches_.steps_per_epoch == 0) orders_.prepare(epoch + 1);
    stream_.wait();
    std::vector<std::uint64_t> diverged_at(static_cast<std::size_t>(networks_.count()));
    for (std::size_t m = 0; m < diverged_at.size(); ++m) {
      diverged_at[m] = networks_.mirror(static_cast<int>(m)).diverged_at;
    }
    report_divergence(*this, config_, diverged_at);
  }

  std::vector<Evaluation> evaluate(const Dataset& data, const EvaluationConfig& config) override {
    return of_all<Evaluation>(data, config, evaluate_population<T>, cuda::evaluate<T>);
  }
  std::vector<Prediction> predict(const Dataset& data, const EvaluationConfig& config) override {
    return of_all<Prediction>(data, config, predict_population<T>, cuda::predict<T>);
  }

  [[nodiscard]] std::optional<int> first_not_finite() override {
    const CurrentDevice current(info_.index);
    return networks_.first_not_finite(stream_);
  }

  [[nodiscard]] NetworkState read(int member) const override {
    const CurrentDevice current(info_.index);
    return networks_.read(member, stream_);
  }
  void write(int member, const NetworkState& state) override {
    const CurrentDevice current(info_.index);
    networks_.write(member, state, stream_);
  }
  [[nodiscard]] EpochSums epoch_sums(int member) const override {
    const auto& progress = networks_.mirror(member);
    return {progress.examples, progress.correct, progress.nll};
  }
  void clear_epoch_sums() override {
    const CurrentDevice current(info_.index);
    networks_.clear_epoch_sums(stream_.get());
  }
  [[nodiscard]] std::string backend() const override { return "cuda"; }
  [[nodiscard]] std::string device() const override {
    if (!step_) return describe(info_) + ", training " + std::string(name(choice_.method));
    std::string layers;
    for (std::size_t l = 0; l < step_->by_cublas().size(); ++l) {
      if (step_->by_cublas()[l]) layers += (layers.empty() ? "" : ", ") + std::to_string(l);
    }
    if (!layers.empty()) layers = ", cuBLAS for layers " + layers;
    if (step_->misses_cublas()) layers = ", without cuBLAS, which was not found and would be faster here";
    return describe(info_) + layers;
  }
  [[nodiscard]] TrainingInfo training() const override {
    return {std::string(name(choice_.method)), choice_.reason};
  }

 private:
  void step_by_step(std::uint64_t count) {
    if (options_.graph && !graph_) graph_ = Graph(stream_, [this] { step_->enqueue(); });
    for (std::uint64_t i = 0; i < count; ++i) {
      if (options_.graph) {
        graph_.launch(stream_);
      } else {
        step_->enqueue();
      }
    }
  }
  /// What one of the two ways to evaluate gives of each network: all of them at a time, or one by one.
  template <class Result, class AtATime, class OneByOne>
  std::vector<Result> of_all(const Dataset& data, const EvaluationConfig& config, const AtATime& at_a_time,
                             const OneByOne& one_by_one) {
    const CurrentDevice current(info_.index);
    std::optional<DeviceData> other;
    // The training set is on the device already.
    const bool same =
        data.bytes().data() == data_.bytes().data() && data.floats().data() == data_.floats().data();
    if (!same) other.emplace(data, stream_.get());
    const DeviceData& device_data = other ? *other : device_data_;
    const Task task{config_.architecture, data, config};
    const EvaluationChoice choice =
        choose_evaluation(config_, config.batch, data.holds_bytes(), info_, choice_.method);
    if (choice.fused)
      return at_a_time(
          {networks_, task, device_data, choice.shape, options_.evaluation_bytes, stream_, pool_});
    std::vector<Result> results;
    results.reserve(static_cast<std::size_t>(networks_.count()));
    for (int m = 0; m < networks_.count(); ++m)
      results.push_back(one_by_one(networks_, m, task, device_data, multiprocessors_, stream_, pool_));
    return results;
  }
  void upload_orders(std::uint64_t epoch) {
    if (order_epoch_ == epoch) return;
    const auto& orders = orders_.of(epoch);
    for (std::size_t i = 0; i < orders.size(); ++i) order_.set(static_cast<int>(i), orders[i], stream_.get());
    order_epoch_ = epoch;
  }

  DeviceInfo info_;
  EngineOptions options_;
  int multiprocessors_;
  PopulationConfig config_;
  Dataset data_;
  Minibatches minibatches_;
  Orders orders_;
  std::optional<std::uint64_t> order_epoch_;
  cpu::ThreadPool pool_;
  Stream stream_;
  DeviceData device_data_;
  DeviceNetworks<T> networks_;
  MinibatchOrder order_;
  TrainingChoice choice_;
  // One of the two.
  std::optional<TrainingStep<T>> step_;
  std::optional<WholeTraining<T>> whole_;
  Graph graph_;
};

}  // namespace

bool is_built() noexcept {
  return true;
}

std::vector<std::string> device_descriptions() {
  std::vector<std::string> lines;
  for (const DeviceInfo& device : list_devices().usable) lines.push_back(describe(device));
  return lines;
}

std::string why_unusable() {
  const DeviceList list = list_devices();
  return list.usable.empty() ? list.problem : std::string();
}

std::unique_ptr<Engine> make_cuda_engine(const PopulationConfig& config, const Dataset& train_data,
                                         const ExecutionConfig& execution, const EngineOptions& options) {
  const CurrentDevice current(find_device(execution.device_index).index);
  if (config.precision == Precision::double_precision) {
    return std::make_unique<CudaEngine<double>>(config, train_data, execution, options);
  }
  return std::make_unique<CudaEngine<float>>(config, train_data, execution, options);
}

}  // namespace ensyn::cuda
