#include "host/cpu/evaluator.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include "ensyn/error.h"
#include "host/cpu/activations.h"
#include "host/model/prediction.h"

namespace ensyn::cpu {
namespace {

template <class T>
struct PlainLayer {
  Array<T> mu, sigma;
};

/// What one thread needs.
template <class T>
struct Workspace {
  Workspace(const std::vector<LayerShape>& shapes, int batch, int samples)
      : minibatch(shapes.front(), batch, 0),
        activations(shapes, batch),
        outputs(static_cast<std::size_t>(batch) * static_cast<std::size_t>(samples + 1) *
                static_cast<std::size_t>(shapes.back().rows)) {
    for (const LayerShape& shape : shapes) weights.emplace_back(shape.elements());
  }
  Minibatch<T> minibatch;
  Activations<T> activations;
  std::vector<Array<T>> weights;
  std::vector<T> outputs;  ///< example-major: mean weights, then each draw
};

template <class T>
class Evaluator {
 public:
  Evaluator(const Member<T>& member, const Task& task, const KernelTable<T>& kernels)
      : member_(member),
        data_(task.data),
        config_(task.config),
        gaussian_(task.gaussian()),
        kernels_(kernels),
        shapes_(member.shapes()) {
    for (std::size_t l = 0; l < shapes_.size(); ++l) {
      layers_.push_back({Array<T>(shapes_[l].elements()), Array<T>(shapes_[l].elements())});
      member.copy_weights(static_cast<int>(l), layers_[l].mu.data(), layers_[l].sigma.data());
    }
  }

  [[nodiscard]] std::int64_t batches() const {
    return (static_cast<std::int64_t>(data_.size()) + config_.batch - 1) / config_.batch;
  }

  /// Calls use(index, first example, outputs) for each minibatch, from the threads of `pool`.
  template <class Use>
  void for_each_minibatch(ThreadPool& pool, const Use& use) const {
    std::vector<std::unique_ptr<Workspace<T>>> workspaces(static_cast<std::size_t>(pool.size()));
    pool.for_each(batches(), [&](std::int64_t batch, int rank) {
      auto& workspace = workspaces[static_cast<std::size_t>(rank)];
      if (!workspace) {
        workspace = std::make_unique<Workspace<T>>(shapes_, config_.batch, config_.samples);
      }
      const auto first = static_cast<std::size_t>(batch) * static_cast<std::size_t>(config_.batch);
      use(static_cast<std::size_t>(batch), first, run(batch, first, *workspace));
    });
  }

 private:
  std::span<const T> run(std::int64_t batch, std::size_t first, Workspace<T>& work) const {
    const int count =
        static_cast<int>(std::min(data_.size() - first, static_cast<std::size_t>(config_.batch)));
    for (int b = 0; b < count; ++b) {
      work.minibatch.gather(data_, kernels_, b, first + static_cast<std::size_t>(b));
    }
    std::vector<const T*> weights;
    for (const auto& layer : layers_) weights.push_back(layer.mu.data());
    predict(work, weights, count, 0);
    for (std::size_t l = 0; l < shapes_.size(); ++l) weights[l] = work.weights[l].data();
    for (int k = 0; k < config_.samples; ++k) {
      draw(work, static_cast<std::uint64_t>(k) * static_cast<std::uint64_t>(batches()) +
                     static_cast<std::uint64_t>(batch));
      predict(work, weights, count, k + 1);
    }
    return std::span<const T>(work.outputs).first(static_cast<std::size_t>(slot_offset(count, 0)));
  }

  void draw(Workspace<T>& work, std::uint64_t step) const {
    const auto noise = member_.noise(step, Purpose::evaluation);
    for (std::size_t l = 0; l < shapes_.size(); ++l) {
      const LayerShape& shape = shapes_[l];
      for (int row = 0; row < shape.rows; row += kRowGroup) {
        const auto at = static_cast<std::size_t>(row) * static_cast<std::size_t>(shape.stride());
        kernels_.sample_plain({nullptr, shape.blocks(), row, shape.columns}, layers_[l].mu.data() + at,
                              layers_[l].sigma.data() + at,
                              member_.sample(noise[l], work.weights[l].data() + at));
      }
    }
  }

  void predict(Workspace<T>& work, const std::vector<const T*>& weights, int count, int slot) const {
    auto& act = work.activations;
    act.forward_first(kernels_, work.minibatch, weights[0], 0, shapes_[0].rows, count);
    act.forward_hidden(kernels_, weights, 0, count);
    const int last = act.layers() - 1, classes = shapes_.back().rows;
    if (!gaussian_) kernels_.log_softmax(act.output(last), act.output_stride(last), classes, count);
    for (int b = 0; b < count; ++b) {
      const T* from = act.output(last) + static_cast<std::ptrdiff_t>(b) * act.output_stride(last);
      std::copy_n(from, classes, work.outputs.begin() + slot_offset(b, slot));
    }
  }

  [[nodiscard]] std::ptrdiff_t slot_offset(int example, int slot) const {
    return (static_cast<std::ptrdiff_t>(example) * (config_.samples + 1) + slot) * shapes_.back().rows;
  }

  const Member<T>& member_;
  const Dataset& data_;
  const EvaluationConfig& config_;
  bool gaussian_;
  const KernelTable<T>& kernels_;
  const std::vector<LayerShape>& shapes_;
  std::vector<PlainLayer<T>> layers_;
};

}  // namespace

template <class T>
Evaluation evaluate(const Member<T>& member, const Task& task, const KernelTable<T>& kernels,
                    ThreadPool& pool) {
  const Evaluator<T> evaluator(member, task, kernels);
  // Sums of each minibatch are kept and added in order, so that the result does not depend on who computed
  // what.
  std::vector<EvaluationSums> sums(static_cast<std::size_t>(evaluator.batches()), EvaluationSums(task));
  evaluator.for_each_minibatch(pool, [&](std::size_t batch, std::size_t first, std::span<const T> outputs) {
    sums[batch].add_minibatch(outputs, task.data, first);
  });
  EvaluationSums total(task);
  for (const auto& part : sums) total.add(part);
  return total.evaluation();
}

template <class T>
Prediction predict(const Member<T>& member, const Task& task, const KernelTable<T>& kernels,
                   ThreadPool& pool) {
  Prediction result = empty_prediction(task);
  Evaluator<T>(member, task, kernels)
      .for_each_minibatch(pool, [&](std::size_t /*batch*/, std::size_t first, std::span<const T> outputs) {
        add_predictions(task, outputs, first, result);
      });
  return result;
}

template Evaluation evaluate(const Member<float>&, const Task&, const KernelTable<float>&, ThreadPool&);
template Evaluation evaluate(const Member<double>&, const Task&, const KernelTable<double>&, ThreadPool&);
template Prediction predict(const Member<float>&, const Task&, const KernelTable<float>&, ThreadPool&);
template Prediction predict(const Member<double>&, const Task&, const KernelTable<double>&, ThreadPool&);

}  // namespace ensyn::cpu
