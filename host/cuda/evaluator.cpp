#include "host/cuda/evaluator.h"

#include <algorithm>
#include <vector>

#include "ensyn/noise.h"
#include "host/prediction.h"
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
  Evaluator(const DeviceNetworks<T>& networks, int member, const Dataset& data, const DeviceData& device_data,
            const EvaluationConfig& config, int multiprocessors, const Stream& stream, cpu::ThreadPool& pool)
      : networks_(networks),
        member_(member),
        data_(data),
        device_data_(device_data),
        config_(config),
        multiprocessors_(multiprocessors),
        stream_(stream),
        pool_(pool),
        batch_(static_cast<std::size_t>(config.batch)),
        batches_(ceil_divide(data.size(), batch_)),
        classes_(static_cast<std::size_t>(networks.layers().back().rows)) {
    std::size_t per_example = classes_ * static_cast<std::size_t>(config.samples + 1);
    for (const kernels::Layer& layer : networks.layers()) per_example += static_cast<std::size_t>(layer.rows);
    part_ = std::clamp<std::size_t>(kMostBytes / (per_example * batch_ * sizeof(T)), 1, batches_);
    const std::size_t examples = std::min(part_ * batch_, data.size());
    for (const kernels::Layer& layer : networks.layers()) {
      outputs_.emplace_back(examples * static_cast<std::size_t>(layer.rows), "activations");
    }
    log_probabilities_ = DeviceBuffer<T>(examples * slots() * classes_, "log probabilities");
    host_.resize(log_probabilities_.size());
  }

  [[nodiscard]] Evaluation run() {
    EvaluationSums total(config_);
    for (std::size_t first = 0; first < batches_; first += part_) {
      const std::size_t count = std::min(part_, batches_ - first);
      const std::size_t examples = std::min(count * batch_, data_.size() - first * batch_);
      for (std::size_t slot = 0; slot < slots(); ++slot) predict(first, examples, slot);
      copy_from_device<T>(std::span(host_).first(examples * slots() * classes_), log_probabilities_.data(),
                          stream_.get());
      stream_.wait();
      measure(first, count, examples, total);
    }
    return total.evaluation();
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
      args.output = outputs_[l].data();
      args.output_stride = layers[l].rows;
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
    const auto classes = static_cast<int>(classes_);
    kernels::log_softmax<T>({outputs_.back().data(), classes, log_probabilities_.data() + slot * classes_,
                             static_cast<int>(slots()) * classes, classes, static_cast<int>(examples)},
                            stream_.get());
  }

  /// Adds minibatch by minibatch, in order, so that the result does not depend on who measured what.
  void measure(std::size_t first, std::size_t count, std::size_t examples, EvaluationSums& total) {
    std::vector<EvaluationSums> sums(count, EvaluationSums(config_));
    const std::size_t per_example = slots() * classes_;
    pool_.for_each(static_cast<std::int64_t>(count), [&](std::int64_t i, int /*rank*/) {
      const std::size_t begin = static_cast<std::size_t>(i) * batch_;
      const std::size_t size = std::min(batch_, examples - begin);
      sums[static_cast<std::size_t>(i)].add_minibatch(
          std::span<const T>(host_).subspan(begin * per_example, size * per_example),
          data_.labels().subspan(first * batch_ + begin, size), classes_);
    });
    for (const EvaluationSums& part : sums) total.add(part);
  }

  const DeviceNetworks<T>& networks_;
  int member_;
  const Dataset& data_;
  const DeviceData& device_data_;
  const EvaluationConfig& config_;
  int multiprocessors_;
  const Stream& stream_;
  cpu::ThreadPool& pool_;
  std::size_t batch_, batches_, classes_;
  std::size_t part_ = 1;  ///< minibatches that are predicted together
  std::vector<DeviceBuffer<T>> outputs_;
  DeviceBuffer<T> log_probabilities_;  ///< example x slot x class
  std::vector<T> host_;
};

}  // namespace

template <class T>
Evaluation evaluate(const DeviceNetworks<T>& networks, int member, const Dataset& data,
                    const DeviceData& device_data, const EvaluationConfig& config, int multiprocessors,
                    const Stream& stream, cpu::ThreadPool& pool) {
  return Evaluator<T>(networks, member, data, device_data, config, multiprocessors, stream, pool).run();
}

template Evaluation evaluate(const DeviceNetworks<float>&, int, const Dataset&, const DeviceData&,
                             const EvaluationConfig&, int, const Stream&, cpu::ThreadPool&);
template Evaluation evaluate(const DeviceNetworks<double>&, int, const Dataset&, const DeviceData&,
                             const EvaluationConfig&, int, const Stream&, cpu::ThreadPool&);

}  // namespace ensyn::cuda
