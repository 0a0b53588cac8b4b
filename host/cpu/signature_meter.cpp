#include "host/cpu/signature_meter.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <memory>
#include <new>
#include <string>

#include "ensyn/device.h"
#include "ensyn/error.h"
#include "ensyn/noise.h"
#include "host/base/memory.h"
#include "host/cpu/activations.h"
#include "host/cpu/member.h"
#include "host/cpu/output_curvature.h"
#include "host/cpu/squared_error.h"
#include "host/cpu/team.h"
#include "host/model/step_constants.h"

namespace ensyn::cpu {
namespace {

/// Minibatches whose sums are taken in T before they are added to the totals, which are doubles: few enough
/// that rounding stays within some units.
constexpr std::int64_t kChunk = 32;

/// What the noise contract has numbers for.
constexpr std::uint64_t kMostSteps = std::uint64_t{1} << 40;

/// Sums over minibatches, padded rows x stride, and over examples, per input.
template <class U>
struct LayerSums {
  explicit LayerSums(const LayerShape& shape)
      : squared(shape.elements()),
        absolute(shape.elements()),
        hessian(shape.elements()),
        input_rate(static_cast<std::size_t>(shape.stride())),
        input_square(static_cast<std::size_t>(shape.stride())) {}
  Array<U> squared, absolute, hessian;
  Array<double> input_rate, input_square;
};

template <class T>
void move_into(Array<double>& total, Array<T>& part) {
  for (std::size_t i = 0; i < part.size(); ++i) {
    total[i] += static_cast<double>(part[i]);
    part[i] = T(0);
  }
}

/// What one thread needs.
template <class T>
struct Workspace {
  Workspace(const Architecture& architecture, const std::vector<LayerShape>& shapes, int batch)
      : minibatch(shapes.front(), batch,
                  architecture.likelihood == Likelihood::gaussian ? architecture.outputs() : 0),
        activations(shapes, batch),
        curvature(architecture, batch) {
    const auto examples = static_cast<std::size_t>(batch);
    nll.resize(examples);
    correct.resize(examples);
    for (std::size_t l = 0; l < shapes.size(); ++l) {
      const auto width = static_cast<std::size_t>(activations.output_stride(static_cast<int>(l)));
      weights.emplace_back(shapes[l].elements());
      squared_inputs.emplace_back(examples * static_cast<std::size_t>(shapes[l].stride()));
      squared_deltas.emplace_back(examples * width);
      sums.emplace_back(shapes[l]);
    }
  }
  Minibatch<T> minibatch;
  Activations<T> activations;
  OutputCurvature<T> curvature;
  std::vector<T> nll;
  std::vector<std::uint8_t> correct;
  std::vector<Array<T>> weights;         ///< of each layer, padded rows x stride
  std::vector<Array<T>> squared_inputs;  ///< of each layer, batch x stride
  std::vector<Array<T>> squared_deltas;  ///< of each layer, batch x output stride
  std::vector<LayerSums<T>> sums;        ///< of the chunk at hand
};

/// Lets threads through in the order of their numbers.
class Turn {
 public:
  void wait_for(std::int64_t number) noexcept {
    for (std::int64_t now = next_.load(); now != number; now = next_.load()) next_.wait(now);
  }
  void pass() noexcept {
    next_.fetch_add(1);
    next_.notify_all();
  }

 private:
  std::atomic<std::int64_t> next_{0};
};

template <class T>
class Meter {
 public:
  Meter(const FrozenNetwork& network, const SignatureConfig& config, const KernelTable<T>& kernels)
      : network_(network),
        config_(config),
        kernels_(kernels),
        settings_(network.population.members[static_cast<std::size_t>(network.member)]),
        stream_(stream_of(settings_, network.member)),
        batch_(network.population.batch),
        steps_per_epoch_(static_cast<std::int64_t>(network.data.size()) / batch_),
        fraction_(static_cast<double>(batch_) / static_cast<double>(network.data.size())),
        member_(network.population.architecture, settings_, stream_, fraction_),
        constants_(step_constants<T>(settings_, fraction_)) {
    member_.import_state(network.state);
    for (std::size_t l = 0; l < shapes().size(); ++l) {
      mu_.emplace_back(shapes()[l].elements());
      sigma_.emplace_back(shapes()[l].elements());
      member_.copy_weights(static_cast<int>(l), mu_[l].data(), sigma_[l].data());
      totals_.emplace_back(shapes()[l]);
    }
  }

  Signatures run(ThreadPool& pool) {
    std::vector<std::unique_ptr<Workspace<T>>> workspaces;
    for (int r = 0; r < pool.size(); ++r) {
      workspaces.push_back(
          std::make_unique<Workspace<T>>(network_.population.architecture, shapes(), batch_));
      if (config_.at_mean) copy_means(*workspaces.back());
    }
    for (int e = 0; e < config_.epochs; ++e) {
      const std::uint64_t epoch = *config_.first_epoch + static_cast<std::uint64_t>(e);
      const auto order =
          minibatch_order(network_.population.data_seed, network_.population.own_order ? stream_ : 0, epoch,
                          network_.data.size());
      Turn turn;
      const std::int64_t chunks = (steps_per_epoch_ + kChunk - 1) / kChunk;
      pool.for_each(chunks, [&](std::int64_t chunk, int rank) {
        Workspace<T>& work = *workspaces[static_cast<std::size_t>(rank)];
        const std::int64_t end = std::min(steps_per_epoch_, (chunk + 1) * kChunk);
        for (std::int64_t i = chunk * kChunk; i < end; ++i) add_minibatch(work, order, epoch, i);
        // The order of addition must not depend on which thread is done first.
        turn.wait_for(chunk);
        for (std::size_t l = 0; l < totals_.size(); ++l) {
          move_into(totals_[l].squared, work.sums[l].squared);
          move_into(totals_[l].absolute, work.sums[l].absolute);
          move_into(totals_[l].hessian, work.sums[l].hessian);
          move_into(totals_[l].input_rate, work.sums[l].input_rate);
          move_into(totals_[l].input_square, work.sums[l].input_square);
        }
        turn.pass();
      });
    }
    return result();
  }

 private:
  [[nodiscard]] const std::vector<LayerShape>& shapes() const noexcept { return member_.shapes(); }

  void copy_means(Workspace<T>& work) const {
    for (std::size_t l = 0; l < mu_.size(); ++l) {
      std::copy_n(mu_[l].data(), mu_[l].size(), work.weights[l].data());
    }
  }

  void draw(Workspace<T>& work, std::uint64_t step) const {
    const auto noise = member_.noise(step, Purpose::training);
    for (std::size_t l = 0; l < shapes().size(); ++l) {
      const LayerShape& shape = shapes()[l];
      for (int row = 0; row < shape.rows; row += kRowGroup) {
        const auto at = static_cast<std::size_t>(row) * static_cast<std::size_t>(shape.stride());
        kernels_.sample_plain({nullptr, shape.blocks(), row, shape.columns}, mu_[l].data() + at,
                              sigma_[l].data() + at, member_.sample(noise[l], work.weights[l].data() + at));
      }
    }
  }

  void add_minibatch(Workspace<T>& work, const std::vector<std::uint32_t>& order, std::uint64_t epoch,
                     std::int64_t index) const {
    const auto first = static_cast<std::size_t>(index) * static_cast<std::size_t>(batch_);
    for (int b = 0; b < batch_; ++b) {
      work.minibatch.gather(network_.data, kernels_, b, order[first + static_cast<std::size_t>(b)]);
    }
    if (!config_.at_mean) {
      draw(work, epoch * static_cast<std::uint64_t>(steps_per_epoch_) + static_cast<std::uint64_t>(index));
    }
    std::vector<const T*> weights;
    for (const auto& w : work.weights) weights.push_back(w.data());
    auto& act = work.activations;
    act.forward_first(kernels_, work.minibatch, weights[0], 0, shapes()[0].rows, batch_);
    act.forward_hidden(kernels_, weights, 0, batch_);
    loss(work);
    act.backward(kernels_, weights, 0, batch_);
    add_gradients(work);
    add_inputs(work);
    add_hessian(work, weights);
  }

  /// Outputs become their gradients; their curvature is kept.
  void loss(Workspace<T>& work) const {
    auto& act = work.activations;
    const int last = act.layers() - 1, outputs = shapes().back().rows, stride = act.output_stride(last);
    if (network_.population.architecture.likelihood == Likelihood::gaussian) {
      squared_error<T>({.outputs = act.output(last),
                        .stride = stride,
                        .count = outputs,
                        .batch = batch_,
                        .targets = work.minibatch.targets.data(),
                        .constants = GaussianConstants<T>::of(network_.population.architecture),
                        .nll = work.nll.data(),
                        .correct = work.correct.data()});
      return;
    }
    kernels_.loss({.logits = act.output(last),
                   .stride = stride,
                   .classes = outputs,
                   .batch = batch_,
                   .labels = work.minibatch.labels.data(),
                   .nll = work.nll.data(),
                   .correct = work.correct.data()});
    work.curvature.take(act.delta(last), stride, work.minibatch.labels);
  }

  /// Rows [4 group, 4 group + 4) of a product of `deltas` with `inputs`.
  [[nodiscard]] UpdateInput<T> product(const T* inputs, int input_stride, const T* deltas, int delta_stride,
                                       int group) const {
    return {inputs, input_stride, deltas + group * kRowGroup, delta_stride, batch_};
  }

  [[nodiscard]] const T* inputs_of(Workspace<T>& work, std::size_t layer) const {
    return layer == 0 ? work.minibatch.inputs.data() : work.activations.output(static_cast<int>(layer) - 1);
  }

  void add_gradients(Workspace<T>& work) const {
    auto& act = work.activations;
    for (std::size_t l = 0; l < shapes().size(); ++l) {
      const LayerShape& shape = shapes()[l];
      const int layer = static_cast<int>(l);
      for (int group = 0; group < shape.row_groups(); ++group) {
        const auto at =
            static_cast<std::size_t>(group * kRowGroup) * static_cast<std::size_t>(shape.stride());
        kernels_.add_gradient_powers({.gradient = product(inputs_of(work, l), shape.stride(),
                                                          act.delta(layer), act.output_stride(layer), group),
                                      .blocks = shape.blocks(),
                                      .mu = mu_[l].data() + at,
                                      .magnitude = constants_.magnitude,
                                      .inverse_variance = constants_.inverse_variance,
                                      .squared = work.sums[l].squared.data() + at,
                                      .absolute = work.sums[l].absolute.data() + at});
      }
    }
  }

  void add_inputs(Workspace<T>& work) const {
    for (std::size_t l = 0; l < shapes().size(); ++l) {
      const auto stride = static_cast<std::size_t>(shapes()[l].stride());
      const T* x = inputs_of(work, l);
      T* square = work.squared_inputs[l].data();
      double* rates = work.sums[l].input_rate.data();
      double* squares = work.sums[l].input_square.data();
      for (int b = 0; b < batch_; ++b, x += stride, square += stride) {
        for (std::size_t k = 0; k < stride; ++k) {
          square[k] = x[k] * x[k];
          rates[k] += static_cast<double>(std::fabs(x[k]));
          squares[k] += static_cast<double>(square[k]);
        }
      }
    }
  }

  /// sum over examples n of (J_n^T A_n J_n)_ii, J_n the derivatives of the outputs in the weights and A_n the
  /// loss's curvature in the outputs, as sum over the columns v of a root of A_n of (J_n^T v)_i^2: one
  /// backward pass for each.
  void add_hessian(Workspace<T>& work, const std::vector<const T*>& weights) const {
    auto& act = work.activations;
    const int last = act.layers() - 1;
    for (auto& squares : work.squared_deltas) std::fill_n(squares.data(), squares.size(), T(0));
    for (int k = 0; k < work.curvature.columns(); ++k) {
      work.curvature.column(k, act.delta(last), act.output_stride(last));
      act.backward(kernels_, weights, 0, batch_);
      for (int l = 0; l <= last; ++l) {
        Array<T>& squares = work.squared_deltas[static_cast<std::size_t>(l)];
        const T* delta = act.delta(l);
        for (std::size_t i = 0; i < squares.size(); ++i) squares[i] += delta[i] * delta[i];
      }
    }
    for (std::size_t l = 0; l < shapes().size(); ++l) {
      const LayerShape& shape = shapes()[l];
      for (int group = 0; group < shape.row_groups(); ++group) {
        const auto at =
            static_cast<std::size_t>(group * kRowGroup) * static_cast<std::size_t>(shape.stride());
        kernels_.add_products(
            product(work.squared_inputs[l].data(), shape.stride(), work.squared_deltas[l].data(),
                    act.output_stride(static_cast<int>(l)), group),
            shape.blocks(), work.sums[l].hessian.data() + at);
      }
    }
  }

  [[nodiscard]] Signatures result() const {
    Signatures result;
    result.training_examples = network_.data.size();
    result.minibatches =
        static_cast<std::uint64_t>(config_.epochs) * static_cast<std::uint64_t>(steps_per_epoch_);
    result.examples = result.minibatches * static_cast<std::uint64_t>(batch_);
    result.end_epoch = *config_.first_epoch + static_cast<std::uint64_t>(config_.epochs);
    for (std::size_t l = 0; l < shapes().size(); ++l) {
      result.layers.push_back(layer_result(l, static_cast<double>(result.examples)));
    }
    return result;
  }

  [[nodiscard]] LayerSignatures layer_result(std::size_t l, double examples) const {
    const LayerShape& shape = shapes()[l];
    const LayerSums<double>& totals = totals_[l];
    LayerSignatures layer;
    layer.outputs = shape.rows;
    layer.inputs = shape.columns - 1;
    const auto mean = [&](double sum) {
      if (std::isfinite(sum)) return sum / examples;
      throw DivergenceError("network " + std::to_string(network_.member) + " diverged by step " +
                                std::to_string(network_.step) + ": gradients of layer " + std::to_string(l) +
                                " are not finite: lower the learning rate or the cost weights",
                            network_.member, network_.step);
    };
    for (int k = 0; k < layer.inputs; ++k) {
      layer.input_rate.push_back(mean(totals.input_rate[static_cast<std::size_t>(k)]));
      layer.input_square.push_back(mean(totals.input_square[static_cast<std::size_t>(k)]));
    }
    for (int r = 0; r < layer.outputs; ++r) {
      const auto bias = static_cast<std::size_t>(r) * static_cast<std::size_t>(shape.stride()) +
                        static_cast<std::size_t>(layer.inputs);
      layer.bias_hessian.push_back(mean(totals.hessian[bias]));
      for (int k = 0; k < layer.inputs; ++k) {
        const auto at = static_cast<std::size_t>(r) * static_cast<std::size_t>(shape.stride()) +
                        static_cast<std::size_t>(k);
        layer.mu.push_back(static_cast<double>(mu_[l][at]));
        layer.sigma.push_back(static_cast<double>(sigma_[l][at]));
        layer.curvature.push_back(mean(totals.squared[at]));
        layer.mean_absolute_gradient.push_back(mean(totals.absolute[at]));
        layer.hessian.push_back(mean(totals.hessian[at]));
      }
    }
    return layer;
  }

  const FrozenNetwork& network_;
  const SignatureConfig& config_;
  const KernelTable<T>& kernels_;
  const NetworkConfig& settings_;
  std::uint32_t stream_;
  int batch_;
  std::int64_t steps_per_epoch_;
  double fraction_;  ///< B/N
  Member<T> member_;
  StepConstants<T> constants_;
  std::vector<Array<T>> mu_, sigma_;  ///< of each layer, padded rows x stride
  std::vector<LayerSums<double>> totals_;
};

template <class T>
Signatures measure(const FrozenNetwork& network, const SignatureConfig& config, const InstructionSet& set,
                   ThreadPool& pool) {
  return Meter<T>(network, config, table_of<T>(set)).run(pool);
}

}  // namespace

Signatures measure_signatures(const FrozenNetwork& network, const SignatureConfig& config,
                              const ExecutionConfig& execution) {
  const std::uint64_t steps = network.data.size() / static_cast<std::size_t>(network.population.batch);
  if (*config.first_epoch > (kMostSteps / steps) - static_cast<std::uint64_t>(config.epochs)) {
    throw ConfigError("pass " + std::to_string(*config.first_epoch) + " of the measurement and " +
                      std::to_string(config.epochs) + " more have no noise: it ends with step 2^40");
  }
  const InstructionSet& set = find_instruction_set(execution.instruction_set);
  const int threads = thread_count(execution);
  // Each thread has weights and three sums; means, deviations and totals are there once.
  const double bytes = static_cast<double>(network.population.architecture.parameters()) *
                       (network.population.precision == Precision::double_precision ? 8 : 4) *
                       (4.0 * threads + 18);
  require_memory(bytes,
                 "measuring the signatures of " +
                     std::to_string(network.population.architecture.parameters()) + " parameters with " +
                     std::to_string(threads) + " threads",
                 "use fewer threads, or a smaller network");
  ThreadPool pool(threads);
  try {
    return network.population.precision == Precision::double_precision
               ? measure<double>(network, config, set, pool)
               : measure<float>(network, config, set, pool);
  } catch (const std::bad_alloc&) {
    throw OutOfMemoryError("not enough memory to measure the signatures of " +
                           std::to_string(network.population.architecture.parameters()) +
                           " parameters with " + std::to_string(pool.size()) +
                           " threads: each thread takes several copies; use fewer threads");
  }
}

}  // namespace ensyn::cpu
