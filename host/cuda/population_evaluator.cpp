#include "host/cuda/population_evaluator.h"

#include <algorithm>
#include <array>
#include <span>

#include "ensyn/noise.h"

namespace ensyn::cuda {
namespace {

/// Device memory for the predictions of one part, and again for weights in tiles. Some ten thousand blocks
/// fill it, and no more, since as much pinned memory takes its time to be had; there are two of them.
constexpr std::size_t kMostBytes = std::size_t{32} << 20;

template <class T>
class PopulationEvaluator {
 public:
  explicit PopulationEvaluator(const EvaluationTask<T>& what)
      : what_(what),
        batch_(static_cast<std::size_t>(what.task.config.batch)),
        examples_(what.task.data.size()),
        batches_(static_cast<std::int64_t>((examples_ + batch_ - 1) / batch_)),
        slots_(static_cast<std::size_t>(what.task.config.samples) + 1),
        per_example_(slots_ * what.task.outputs()) {
    const std::vector<kernels::Layer>& layers = what.networks.layers();
    weights_.networks = what.networks.all();
    weights_.tiling = kernels::tiling_of(layers.data(), static_cast<int>(layers.size()));
    for (int l = 0; l < weights_.tiling.layer_count; ++l) weights_.layers[l] = what.networks.parameters(l);
    const std::size_t of_network =
        static_cast<std::size_t>(weights_.tiling.tiles) * kernels::kWeightFields * kernels::kTileElements;
    parts_ = evaluation_parts(what.most_bytes > 0 ? what.most_bytes : kMostBytes, of_network * sizeof(T),
                              std::min(batch_, examples_) * per_example_ * sizeof(T), what.networks.count(),
                              batches_);
    const auto networks = static_cast<std::size_t>(parts_.networks);
    tiles_ = DeviceBuffer<T>(networks * of_network, "weights in tiles");
    weights_.weights = tiles_.data();
    const std::size_t most =
        networks * std::min(static_cast<std::size_t>(parts_.minibatches) * batch_, examples_) * per_example_;
    for (Buffers& buffers : buffers_) {
      buffers.device = DeviceBuffer<T>(most, "predictions");
      buffers.host = PinnedBuffer<T>(most, "predictions");
    }
    arguments_.tiling = weights_.tiling;
    arguments_.weights = tiles_.data();
    arguments_.inputs = what.data.template inputs<T>();
    arguments_.batch = what.task.config.batch;
    arguments_.batches = batches_;
    arguments_.slots = what.task.config.samples + 1;
    arguments_.purpose = static_cast<std::uint32_t>(Purpose::evaluation);
    arguments_.log_softmax = !what.task.gaussian();
    arguments_.shape = what.shape;
  }

  /// Networks [network, network + networks), minibatches [minibatch, minibatch + minibatches).
  struct Part {
    int network = 0, networks = 0;
    std::int64_t minibatch = 0, minibatches = 0;
    std::size_t first = 0, examples = 0;
  };

  /// Calls begin(part), then from the threads of the pool use(i, network, first example, outputs) for each
  /// minibatch i of each of the part's networks, i going network by network, then end(part): part by part,
  /// each while the device predicts the next.
  template <class Begin, class Use, class End>
  void for_each_part(const Begin& begin, const Use& use, const End& end) {
    std::size_t turn = 0;
    Part part = part_at(0, 0);
    enqueue(part, buffers_[turn]);
    while (part.networks > 0) {
      const Part next = after(part);
      const Buffers& buffers = buffers_[turn];
      turn = 1 - turn;
      if (next.networks > 0) enqueue(next, buffers_[turn]);
      buffers.done.wait();
      begin(part);
      what_.pool.for_each(part.networks * part.minibatches, [&](std::int64_t i, int /*rank*/) {
        const std::int64_t of_part = i / part.minibatches;
        const std::size_t first = static_cast<std::size_t>(i % part.minibatches) * batch_;
        const std::size_t size = std::min(batch_, part.examples - first);
        const std::size_t at = (static_cast<std::size_t>(of_part) * part.examples + first) * per_example_;
        use(static_cast<std::size_t>(i), part.network + static_cast<int>(of_part), part.first + first,
            std::span<const T>(buffers.host.data() + at, size * per_example_));
      });
      end(part);
      part = next;
    }
  }

 private:
  struct Buffers {
    DeviceBuffer<T> device;  ///< network x example x slot x output
    PinnedBuffer<T> host;
    Event done;
  };

  [[nodiscard]] Part part_at(int network, std::int64_t minibatch) const {
    Part part;
    part.network = network;
    part.networks = std::min(parts_.networks, what_.networks.count() - network);
    part.minibatch = minibatch;
    part.minibatches = std::min(parts_.minibatches, batches_ - minibatch);
    part.first = static_cast<std::size_t>(minibatch) * batch_;
    part.examples = std::min(static_cast<std::size_t>(part.minibatches) * batch_, examples_ - part.first);
    return part;
  }
  /// The next part, of no networks behind the last.
  [[nodiscard]] Part after(const Part& part) const {
    const std::int64_t minibatch = part.minibatch + part.minibatches;
    return minibatch < batches_ ? part_at(part.network, minibatch) : part_at(part.network + part.networks, 0);
  }

  /// Queues a part's predictions, their copy to the host, and the event after it.
  void enqueue(const Part& part, const Buffers& to) {
    cudaStream_t stream = what_.stream.get();
    // Of a network's later minibatches the tiles hold the weights already.
    if (part.minibatch == 0) {
      weights_.first = part.network;
      weights_.count = part.networks;
      kernels::evaluation_weights(weights_, stream);
    }
    kernels::PopulationEvaluation<T> args = arguments_;
    args.networks = part.networks;
    args.constants = what_.networks.constants() + part.network;
    args.inputs.first_example = static_cast<std::int64_t>(part.first);
    args.examples = static_cast<std::int64_t>(part.examples);
    args.first_minibatch = part.minibatch;
    args.results = to.device.data();
    kernels::population_evaluation(args, stream);
    const std::size_t size = static_cast<std::size_t>(part.networks) * part.examples * per_example_;
    copy_from_device<T>(std::span(to.host.data(), size), to.device.data(), stream);
    to.done.record(what_.stream);
  }

  const EvaluationTask<T>& what_;
  std::size_t batch_, examples_;
  std::int64_t batches_;
  std::size_t slots_, per_example_;
  EvaluationParts parts_;
  kernels::EvaluationWeights<T> weights_;
  kernels::PopulationEvaluation<T> arguments_;
  DeviceBuffer<T> tiles_;
  std::array<Buffers, 2> buffers_;
};

}  // namespace

template <class T>
std::vector<Evaluation> evaluate_population(const EvaluationTask<T>& what) {
  PopulationEvaluator<T> evaluator(what);
  using Part = typename PopulationEvaluator<T>::Part;
  std::vector<EvaluationSums> totals(static_cast<std::size_t>(what.networks.count()),
                                     EvaluationSums(what.task));
  // Sums of each minibatch are added in order, so that the result does not depend on parts, nor on who
  // measured what.
  std::vector<EvaluationSums> sums;
  evaluator.for_each_part(
      [&](const Part& part) {
        sums.assign(static_cast<std::size_t>(part.networks * part.minibatches), EvaluationSums(what.task));
      },
      [&](std::size_t i, int /*network*/, std::size_t first, std::span<const T> outputs) {
        sums[i].add_minibatch(outputs, what.task.data, first);
      },
      [&](const Part& part) {
        for (std::size_t i = 0; i < sums.size(); ++i)
          totals[static_cast<std::size_t>(part.network) + i / static_cast<std::size_t>(part.minibatches)].add(
              sums[i]);
      });
  std::vector<Evaluation> results;
  results.reserve(totals.size());
  for (const EvaluationSums& total : totals) results.push_back(total.evaluation());
  return results;
}

template <class T>
std::vector<Prediction> predict_population(const EvaluationTask<T>& what) {
  PopulationEvaluator<T> evaluator(what);
  using Part = typename PopulationEvaluator<T>::Part;
  std::vector<Prediction> results(static_cast<std::size_t>(what.networks.count()),
                                  empty_prediction(what.task));
  evaluator.for_each_part([](const Part&) {},
                          [&](std::size_t /*i*/, int network, std::size_t first, std::span<const T> outputs) {
                            add_predictions(what.task, outputs, first,
                                            results[static_cast<std::size_t>(network)]);
                          },
                          [](const Part&) {});
  return results;
}

template std::vector<Evaluation> evaluate_population(const EvaluationTask<float>&);
template std::vector<Evaluation> evaluate_population(const EvaluationTask<double>&);
template std::vector<Prediction> predict_population(const EvaluationTask<float>&);
template std::vector<Prediction> predict_population(const EvaluationTask<double>&);

}  // namespace ensyn::cuda
