#include "host/cuda/evaluator.h"

#include <algorithm>
#include <vector>

#include "ensyn/noise.h"
#include "host/model/prediction.h"
#include "kernels/cross_entropy.h"
#include "kernels/noisy_forward.h"

namespace ensyn::cuda {
namespace {

/// Device memory that one part of a data set may take.
constexpr std::size_t kMostBytes = std::size_t{256} << 20;
constexpr std::size_t ceil_divide(std::size_t a, std::size_t b) {
  return (a + b - 1) / b;
}

template <class T>
class Evaluator {
 public:
  Evaluator(const DeviceNetworks<T>& networks, int member, const Task& task, const DeviceData& device_data,
            int multiprocessors, const Stream& stream, cpu::ThreadPool& pool)
      : networks_(networks),
        member_(member),
        data_(task.data),
        device_data_(device_data),
        config_(task.config),
        gaussian_(task.gaussian()),
        multiprocessors_(multiprocessors),
        stream_(stream),
        pool_(pool),
        batch_(static_cast<std::size_t>(config_.batch)),
        batches_(ceil_divide(data_.size(), batch_)),
        width_(static_cast<std::size_t>(networks.layers().back().rows)) {
    std::size_t per_example = width_ * slots();
    for (const kernels::Layer& layer : networks.layers()) per_example += static_cast<std::size_t>(layer.rows);
    part_ = std::clamp<std::size_t>(kMostBytes / (per_example * batch_ * sizeof(T)), 1, batches_);
    const std::size_t examples = std::min(part_ * batch_, data_.size());
    for (const kernels::Layer& layer : networks.layers()) {
      outputs_.emplace_back(examples * static_cast<std::size_t>(layer.rows), "activations");
    }
    results_ = DeviceBuffer<T>(examples * slots() * width_, "predictions");
    host_.resize(results_.size());
  }

  [[nodiscard]] std::size_t batches() const { return batches_; }

  /// Calls use(index, first example, outputs) for each minibatch, from the threads of the pool.
  template <class Use>
  void for_each_minibatch(const Use& use) {
    const std::size_t per_example = slots() * width_;
    for (std::size_t first = 0; first < batches_; first += part_) {
      const std::size_t count = std::min(part_, batches_ - first);
      const std::size_t examples = std::min(count * batch_, data_.size() - first * batch_);
      for (std::size_t slot = 0; slot < slots(); ++slot) predict(first, examples, slot);
      copy_from_device<T>(std::span(host_).first(examples * per_example), results_.data(), stream_.get());
      stream_.wait();
      pool_.for_each(static_cast<std::int64_t>(count), [&](std::int64_t i, int /*rank*/) {
        const std::size_t begin = static_cast<std::size_t>(i) * batch_;
        const std::size_t size = std::min(batch_, examples - begin);
        use(first + static_cast<std::size_t>(i), first * batch_ + begin,
            std::span<const T>(host_).subspan(begin * per_example, size * per_example));
      });
    }
  }

 private:
  /// The mean weights, then each draw.
  [[nodiscard]] std::size_t slots() const { return static_cast<std::size_t>(config_.samples) + 1; }

  /// Queues the predictions of `examples` examples, from minibatch `first` on.
  void predict(std::size_t first, std::size_t examples, std::size_t slot) {
    const auto& layers = networks_.layers();
    for (std::size_t l = 0; l < layers.size(); ++l) {
      const kernels::Parameters<T> parameters = networks_.parameters(static_cast<int>(l), member_);
      kernels::NoisyForward<T> args;
      args.networks = networks_.one(member_);
      args.layer = layers[l];
      args.mu = parameters.mu;
      args.phi = parameters.phi;
      args.parameter_network_stride = parameters.network_stride;
      if (l == 0) {
        args.inputs = device_data_.inputs<T>();
        args.inputs.first_example = static_cast<std::int64_t>(first * batch_);
      } else {
        args.inputs.values = outputs_[l - 1].data();
        args.inputs.stride = layers[l - 1].rows;
      }
      // What a gaussian likelihood predicts is ready as the last layer gives it.
      const bool to_results = gaussian_ && l + 1 == layers.size();
      args.output = to_results ? results_.data() + slot * width_ : outputs_[l].data();
      args.output_stride = to_results ? static_cast<int>(slots() * width_) : layers[l].rows;
      args.batch = config_.batch;
      args.examples = static_cast<int>(examples);
      args.draw.noisy = slot > 0;
      args.draw.purpose = static_cast<std::uint32_t>(Purpose::evaluation);
      args.draw.from_progress = false;
      args.draw.step = slot > 0 ? (slot - 1) * batches_ + first : 0;
      args.rectify = l + 1 < layers.size();
      args.tile = kernels::noisy_forward_tile(layers[l].rows, config_.batch,
                                              static_cast<std::int64_t>(ceil_divide(examples, batch_)),
                                              multiprocessors_);
      kernels::noisy_forward(args, stream_.get());
    }
    if (gaussian_) return;
    const auto classes = static_cast<int>(width_);
    kernels::log_softmax<T>({outputs_.back().data(), classes, results_.data() + slot * width_,
                             static_cast<int>(slots()) * classes, classes, static_cast<int>(examples)},
                            stream_.get());
  }

  const DeviceNetworks<T>& networks_;
  int member_;
  const Dataset& data_;
  const DeviceData& device_data_;
  const EvaluationConfig& config_;
  bool gaussian_;
  int multiprocessors_;
  const Stream& stream_;
  cpu::ThreadPool& pool_;
  std::size_t batch_, batches_, width_;
  std::size_t part_ = 1;  ///< minibatches that are predicted together
  std::vector<DeviceBuffer<T>> outputs_;
  DeviceBuffer<T> results_;  ///< example x slot x output
  std::vector<T> host_;
};

}  // namespace

template <class T>
Evaluation evaluate(const DeviceNetworks<T>& networks, int member, const Task& task,
                    const DeviceData& device_data, int multiprocessors, const Stream& stream,
                    cpu::ThreadPool& pool) {
  Evaluator<T> evaluator(networks, member, task, device_data, multiprocessors, stream, pool);
  // Added in order, so that the result does not depend on who measured what.
  std::vector<EvaluationSums> sums(evaluator.batches(), EvaluationSums(task));
  evaluator.for_each_minibatch([&](std::size_t batch, std::size_t first, std::span<const T> outputs) {
    sums[batch].add_minibatch(outputs, task.data, first);
  });
  EvaluationSums total(task);
  for (const EvaluationSums& part : sums) total.add(part);
  return total.evaluation();
}

template <class T>
Prediction predict(const DeviceNetworks<T>& networks, int member, const Task& task,
                   const DeviceData& device_data, int multiprocessors, const Stream& stream,
                   cpu::ThreadPool& pool) {
  Prediction result = empty_prediction(task);
  Evaluator<T>(networks, member, task, device_data, multiprocessors, stream, pool)
      .for_each_minibatch([&](std::size_t /*batch*/, std::size_t first, std::span<const T> outputs) {
        add_predictions(task, outputs, first, result);
      });
  return result;
}

template Evaluation evaluate(const DeviceNetworks<float>&, int, const Task&, const DeviceData&, int,
                             const Stream&, cpu::ThreadPool&);
template Evaluation evaluate(const DeviceNetworks<double>&, int, const Task&, const DeviceData&, int,
                             const Stream&, cpu::ThreadPool&);
template Prediction predict(const DeviceNetworks<float>&, int, const Task&, const DeviceData&, int,
                            const Stream&, cpu::ThreadPool&);
template Prediction predict(const DeviceNetworks<double>&, int, const Task&, const DeviceData&, int,
                            const Stream&, cpu::ThreadPool&);

}  // namespace ensyn::cuda
