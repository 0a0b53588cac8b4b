// Kernels of a few numbers for each example or network: losses, log probabilities, the end of a step.

#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include "kernels.h"
#include "kernels/cross_entropy.h"
#include "kernels/finish_step.h"
#include "kernels/squared_error.h"

namespace bench {
namespace {

using ensyn::NoiseKind;
using ensyn::cuda::DeviceBuffer;

template <class E>
std::vector<E> read(const DeviceBuffer<E>& buffer) {
  std::vector<E> values(buffer.size());
  ensyn::cuda::copy_from_device<E>(values, buffer.data(), stream().get());
  stream().wait();
  return values;
}

template <class E>
void write(const DeviceBuffer<E>& buffer, const std::vector<E>& values) {
  ensyn::cuda::copy_to_device<E>(buffer.data(), values, stream().get());
  stream().wait();
}

/// Queues a copy of all elements.
template <class E>
void copy(const DeviceBuffer<E>& to, const DeviceBuffer<E>& from) {
  ensyn::cuda::check(
      cudaMemcpyAsync(to.data(), from.data(), from.bytes(), cudaMemcpyDeviceToDevice, stream().get()),
      "copy");
}

/// Logits of awkward sizes.
template <class T>
std::vector<T> make_logits(const Matrices<T>& of) {
  std::vector<T> values(of.data.size());
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<T>(pattern(i + 3, 5.0));
  return values;
}

struct Softmax {
  double maximum = 0, log_sum = 0;
  int best = 0;
};

template <class T>
Softmax softmax_of(const T* logits, int classes) {
  Softmax result;
  const T* best = std::max_element(logits, logits + classes);
  result.maximum = static_cast<double>(*best);
  result.best = static_cast<int>(best - logits);
  double sum = 0;
  for (int k = 0; k < classes; ++k) sum += std::exp(static_cast<double>(logits[k]) - result.maximum);
  result.log_sum = std::log(sum);
  return result;
}

template <class T>
struct LossBed {
  explicit LossBed(const Setup& setup)
      : layers(setup, NoiseKind::heterogeneous),
        logits(setup.networks, setup.batch, setup.sizes.back()),
        first_logits(make_logits(logits)),
        kept(first_logits.size(), "logits"),
        nll(static_cast<std::size_t>(setup.networks * setup.batch), "losses"),
        correct(nll.size(), "losses") {
    write(kept, first_logits);
  }

  [[nodiscard]] std::string wrong() const {
    const std::vector<T> got = logits.read(), losses = read(nll);
    const std::vector<std::uint8_t> hits = read(correct);
    const std::uint64_t steps = layers.data.size() / static_cast<std::size_t>(layers.setup.batch);
    Comparison comparison(kTolerance<T>);
    for (int m = 0; m < logits.networks; ++m) {
      for (int b = 0; b < logits.rows; ++b) {
        const std::size_t first =
            static_cast<std::size_t>(m * logits.network_stride) + at(b, 0, logits.stride);
        const Softmax softmax = softmax_of(first_logits.data() + first, logits.columns);
        const std::size_t position =
            Layers<T>::kStep % steps * static_cast<std::size_t>(logits.rows) + static_cast<std::size_t>(b);
        const int label = layers.data.labels()[layers.order_values[position]];
        for (int k = 0; k < logits.columns; ++k) {
          const std::size_t i = first + static_cast<std::size_t>(k);
          const double p = std::exp(static_cast<double>(first_logits[i]) - softmax.maximum - softmax.log_sum);
          comparison.add("a gradient", static_cast<double>(got[i]), p - (k == label ? 1 : 0), 1);
        }
        const double z = static_cast<double>(first_logits[first + static_cast<std::size_t>(label)]);
        const std::size_t example = at(m, b, logits.rows);
        comparison.add("a loss", static_cast<double>(losses[example]), softmax.maximum + softmax.log_sum - z,
                       10);
        comparison.add_equal("a hit", hits[example], softmax.best == label ? 1 : 0);
      }
    }
    return comparison.result();
  }

  Layers<T> layers;
  Matrices<T> logits;
  std::vector<T> first_logits;
  DeviceBuffer<T> kept, nll;
  DeviceBuffer<std::uint8_t> correct;
};

template <class T>
struct SquaresBed {
  explicit SquaresBed(const Setup& setup)
      : layers(setup, NoiseKind::heterogeneous),
        outputs(setup.networks, setup.batch, setup.sizes.back()),
        first_outputs(make_logits(outputs)),
        target_values(layers.data.size() * static_cast<std::size_t>(setup.sizes.back())),
        kept(first_outputs.size(), "outputs"),
        nll(static_cast<std::size_t>(setup.networks * setup.batch), "losses"),
        targets(target_values.size(), "targets"),
        correct(nll.size(), "losses") {
    for (std::size_t i = 0; i < target_values.size(); ++i) {
      target_values[i] = static_cast<float>(pattern(i + 7, 2.0));
    }
    write(kept, first_outputs);
    write(targets, target_values);
  }

  [[nodiscard]] kernels::SquaredError<T> arguments() const {
    kernels::SquaredError<T> args;
    args.networks = layers.networks.all();
    args.outputs = outputs.data.data();
    args.stride = outputs.stride;
    args.network_stride = outputs.network_stride;
    args.count = outputs.columns;
    args.batch = outputs.rows;
    args.targets = targets.data();
    args.inverse_variance = T(4);
    args.constant = T(0.25);
    args.inputs = layers.inputs(0);
    args.nll = nll.data();
    args.correct = correct.data();
    return args;
  }

  [[nodiscard]] std::string wrong() const {
    const std::vector<T> got = outputs.read(), losses = read(nll);
    const std::uint64_t steps = layers.data.size() / static_cast<std::size_t>(layers.setup.batch);
    Comparison comparison(kTolerance<T>);
    for (int m = 0; m < outputs.networks; ++m) {
      for (int b = 0; b < outputs.rows; ++b) {
        const std::size_t first =
            static_cast<std::size_t>(m * outputs.network_stride) + at(b, 0, outputs.stride);
        const std::size_t position =
            Layers<T>::kStep % steps * static_cast<std::size_t>(outputs.rows) + static_cast<std::size_t>(b);
        const float* y =
            target_values.data() + at(static_cast<int>(layers.order_values[position]), 0, outputs.columns);
        double loss = 0.25;
        for (int k = 0; k < outputs.columns; ++k) {
          const std::size_t i = first + static_cast<std::size_t>(k);
          const double difference = static_cast<double>(first_outputs[i]) - static_cast<double>(y[k]);
          comparison.add("a gradient", static_cast<double>(got[i]), 4 * difference, 20);
          loss += 2 * difference * difference;
        }
        comparison.add("a loss", static_cast<double>(losses[at(m, b, outputs.rows)]), loss, loss);
      }
    }
    return comparison.result();
  }

  Layers<T> layers;
  Matrices<T> outputs;
  std::vector<T> first_outputs;
  std::vector<float> target_values;
  DeviceBuffer<T> kept, nll;
  DeviceBuffer<float> targets;
  DeviceBuffer<std::uint8_t> correct;
};

/// What softmax of so many logits costs: two exponentials each.
template <class T>
Work softmax_work(double logits, double exponentials) {
  Work work;
  add(work, exponentials * logits, Costs<T>::kExponential);
  work.bytes = 2 * sizeof(T) * logits;
  return work;
}

template <class T>
struct FinishBed {
  explicit FinishBed(const Setup& setup) : layers(setup, NoiseKind::homogeneous) {
    const int count = setup.networks, batch = setup.batch;
    for (int i = 0; i < count * batch; ++i) {
      const auto index = static_cast<std::size_t>(i);
      nll_values.push_back(static_cast<T>(1 + pattern(index, 1.0)));
      correct_values.push_back(index % 3 == 0);
    }
    for (int i = 0; i < count * kParts; ++i) {
      part_values.push_back(static_cast<T>(pattern(static_cast<std::size_t>(i), 10)));
    }
    nll = DeviceBuffer<T>(nll_values.size(), "losses");
    correct = DeviceBuffer<std::uint8_t>(correct_values.size(), "losses");
    parts = DeviceBuffer<T>(part_values.size(), "partial sums");
    write(nll, nll_values);
    write(correct, correct_values);
    write(parts, part_values);
    // All parts belong to the one phi of each network.
    write(group, std::vector<kernels::PhiGroup>{
                     {0, kParts, static_cast<double>(layers.config.architecture.parameters())}});
  }

  [[nodiscard]] std::string wrong() {
    Comparison comparison(kTolerance<T>);
    layers.networks.download_progress(stream().get());
    const double batch = layers.setup.batch;
    for (const int m : layers.compared()) {
      const ensyn::NetworkState after = layers.networks.read(m, stream());
      double loss = 0, hits = 0, part = 0;
      for (int b = 0; b < layers.setup.batch; ++b) {
        loss += static_cast<double>(nll_values[at(m, b, layers.setup.batch)]);
        hits += correct_values[at(m, b, layers.setup.batch)];
      }
      for (int i = 0; i < kParts; ++i) part += static_cast<double>(part_values[at(m, i, kParts)]);
      comparison.add_equal("the examples", static_cast<double>(after.epoch.examples), batch);
      comparison.add_equal("the hits", static_cast<double>(after.epoch.correct), hits);
      comparison.add("the loss", after.epoch.nll, loss, loss * 1e-6);
      comparison.add_equal("the step", static_cast<double>(layers.networks.mirror(m).step),
                           static_cast<double>(Layers<T>::kStep + 1));
      const ensyn::NetworkConfig& config = layers.config.members.front();
      const double phi = layers.before(m).shared_phi.value[0], sigma = std::log1p(std::exp(phi));
      const ensyn::CostTerm& cost = config.costs.front();
      const double parameters = static_cast<double>(layers.config.architecture.parameters());
      const double g =
          part / parameters - batch / 60000 * cost.c * cost.rho * std::pow(sigma, -(cost.rho + 1));
      const double slope = 1 / (1 + std::exp(-phi));
      comparison.add("the moment of phi", after.shared_phi.moment1[0], (1 - config.adam.beta1) * slope * g,
                     slope * (std::abs(g) + 1));
      const double t = static_cast<double>(Layers<T>::kStep + 2);
      comparison.add("Adam's rate of the next step",
                     static_cast<double>(layers.networks.mirror(m).adam.step_size),
                     config.adam.learning_rate / (1 - std::pow(config.adam.beta1, t)), 1e-3);
    }
    // The mirror is what `restore` sends back.
    layers.networks.set_step(Layers<T>::kStep, stream().get());
    return comparison.result();
  }

  /// Groups of four rows in the paper's network.
  static constexpr int kParts = 53;
  Layers<T> layers;
  std::vector<T> nll_values, part_values;
  std::vector<std::uint8_t> correct_values;
  DeviceBuffer<T> nll, parts;
  DeviceBuffer<kernels::PhiGroup> group{1, "the group"};
  DeviceBuffer<std::uint8_t> correct;
};

}  // namespace

template <class T>
Problem cross_entropy(const Setup& setup) {
  auto bed = std::make_shared<LossBed<T>>(setup);
  const kernels::CrossEntropy<T> args{bed->layers.networks.all(),
                                      bed->logits.data.data(),
                                      bed->logits.stride,
                                      bed->logits.network_stride,
                                      bed->logits.columns,
                                      setup.batch,
                                      bed->layers.device_data.labels(),
                                      bed->layers.inputs(0),
                                      bed->nll.data(),
                                      bed->correct.data()};
  Problem problem;
  problem.launch = [bed, args] { kernels::cross_entropy(args, stream().get()); };
  problem.restore = [bed] { copy(bed->logits.data, bed->kept); };
  problem.wrong = [bed] { return bed->wrong(); };
  const double examples = double{1} * setup.networks * setup.batch;
  problem.work = softmax_work<T>(examples * setup.sizes.back(), 2);
  problem.work.bytes += (sizeof(T) + 1) * examples;
  return problem;
}

template <class T>
Problem squared_error(const Setup& setup) {
  auto bed = std::make_shared<SquaresBed<T>>(setup);
  Problem problem;
  problem.launch = [bed] { kernels::squared_error(bed->arguments(), stream().get()); };
  problem.restore = [bed] { copy(bed->outputs.data, bed->kept); };
  problem.wrong = [bed] { return bed->wrong(); };
  const double examples = double{1} * setup.networks * setup.batch, values = examples * setup.sizes.back();
  problem.work.bytes = (2 * sizeof(T) + sizeof(float)) * values + (sizeof(T) + 1) * examples;
  return problem;
}

template <class T>
Problem log_softmax(const Setup& setup) {
  const int examples = is_emulation() ? 33 : 10000;
  auto logits = std::make_shared<Matrices<T>>(1, examples, setup.sizes.back());
  auto output = std::make_shared<Matrices<T>>(1, examples, setup.sizes.back());
  const std::vector<T> values = make_logits(*logits);
  logits->set(values);
  output->poison();
  const kernels::LogSoftmax<T> args{logits->data.data(), logits->stride,  output->data.data(),
                                    output->stride,      logits->columns, examples};
  Problem problem;
  problem.launch = [logits, output, args] { kernels::log_softmax(args, stream().get()); };
  problem.wrong = [output, values] {
    const std::vector<T> got = output->read();
    Comparison comparison(kTolerance<T>);
    for (int i = 0; i < output->rows; ++i) {
      const std::size_t first = at(i, 0, output->stride);
      const Softmax softmax = softmax_of(values.data() + first, output->columns);
      for (std::size_t k = first; k < first + static_cast<std::size_t>(output->columns); ++k) {
        comparison.add("a log probability", static_cast<double>(got[k]),
                       static_cast<double>(values[k]) - softmax.maximum - softmax.log_sum, 10);
      }
    }
    return comparison.result();
  };
  problem.work = softmax_work<T>(double{1} * examples * setup.sizes.back(), 1);
  return problem;
}

template <class T>
Problem finish_step(const Setup& setup) {
  auto bed = std::make_shared<FinishBed<T>>(setup);
  const kernels::FinishStep<T> args{setup.networks,
                                    bed->layers.networks.constants(),
                                    bed->layers.networks.progress(),
                                    bed->layers.networks.shared_phi(),
                                    bed->parts.data(),
                                    FinishBed<T>::kParts,
                                    bed->nll.data(),
                                    bed->correct.data(),
                                    setup.batch,
                                    {},
                                    {},
                                    bed->group.data()};
  Problem problem;
  problem.launch = [bed, args] { kernels::finish_step(args, stream().get()); };
  problem.restore = [bed] { bed->layers.restore(); };
  problem.wrong = [bed] { return bed->wrong(); };
  problem.work.bytes =
      setup.networks * (2.0 * sizeof(kernels::NetworkProgress<T>) + sizeof(kernels::NetworkConstants<T>) +
                        6 * sizeof(T) + (sizeof(T) + 1.0) * setup.batch + sizeof(T) * FinishBed<T>::kParts);
  return problem;
}

template Problem cross_entropy<float>(const Setup&);
template Problem squared_error<float>(const Setup&);
template Problem log_softmax<float>(const Setup&);
template Problem finish_step<float>(const Setup&);

}  // namespace bench
