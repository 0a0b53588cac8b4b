// Kernels round the products with noisy weights: forward, backward, and weights written out.

#include <cmath>
#include <memory>
#include <vector>

#include "kernels.h"
#include "kernels/dense.h"
#include "kernels/materialize.h"
#include "kernels/noisy_backward.h"
#include "kernels/noisy_forward.h"

namespace bench {
namespace {

using ensyn::NoiseKind;

int multiprocessors() {
  return ensyn::cuda::list_devices().usable.front().multiprocessors;
}

/// Compares a matrix of every compared member with reference(member)[row * columns + column], after a look
/// at what was left out.
template <class T, class Reference>
std::string compare(const char* what, const Layers<T>& layers, const Matrices<T>& output,
                    const Reference& reference) {
  const std::vector<T> got = output.read();
  if (std::string missing = Matrices<T>::unwritten(output, got); !missing.empty()) return missing;
  Comparison comparison(kTolerance<T>);
  for (const int m : layers.compared()) {
    const std::vector<Sum> want = reference(m);
    for (int row = 0; row < output.rows; ++row) {
      for (int column = 0; column < output.columns; ++column) {
        const Sum& sum = want[at(row, column, output.columns)];
        comparison.add(
            what,
            static_cast<double>(
                got[static_cast<std::size_t>(m * output.network_stride) + at(row, column, output.stride)]),
            sum.value, sum.size);
      }
    }
  }
  return comparison.result();
}

/// What drawing the weights of one layer in all networks costs.
template <class T>
Work weights_work(const Layers<T>& layers, int l) {
  Work work;
  const double count = layers.parameters(l) * layers.setup.networks;
  const bool own_sigma = layers.networks.any_heterogeneous();
  work.bytes = (own_sigma ? 2.0 : 1.0) * sizeof(T) * count;
  work.normals = count;
  add(work, count, Costs<T>::kNormal);
  if (own_sigma) add(work, count, Costs<T>::kSigma);
  return work;
}

template <class T>
void add_product(Work& work, const Layers<T>& layers, int l) {
  work.multiply_adds = layers.parameters(l) * layers.setup.networks * layers.setup.batch;
  add(work, work.multiply_adds, Costs<T>::kMultiplyAdd);
}

template <class T>
struct Output {
  Output(const Setup& setup, NoiseKind noise) : layers(setup, noise) {}
  Layers<T> layers;
  Matrices<T> output;
};

template <class T>
std::vector<Sum> forward_reference(const Layers<T>& layers, int m, int l, bool relu) {
  const kernels::Layer& layer = layers.layer(l);
  const std::vector<double> w = layers.weights(m, l), x = layers.x(m, l);
  std::vector<Sum> z;
  for (int b = 0; b < layers.setup.batch; ++b) {
    for (int r = 0; r < layer.rows; ++r) {
      Sum sum;
      for (int k = 0; k < layer.columns; ++k)
        sum.add(w[at(r, k, layer.columns)] * x[at(b, k, layer.columns)]);
      if (relu && sum.value < 0) sum.value = 0;
      z.push_back(sum);
    }
  }
  return z;
}

template <class T>
std::vector<Sum> backward_reference(const Layers<T>& layers, int m, int l) {
  const kernels::Layer& layer = layers.layer(l);
  const int inputs = layer.columns - 1;
  const std::vector<double> w = layers.weights(m, l), x = layers.x(m, l), delta = layers.delta(m, l);
  std::vector<Sum> out(at(layers.setup.batch, 0, inputs));
  for (int b = 0; b < layers.setup.batch; ++b) {
    for (int r = 0; r < layer.rows; ++r) {
      for (int k = 0; k < inputs; ++k) {
        out[at(b, k, inputs)].add(w[at(r, k, layer.columns)] * delta[at(b, r, layer.rows)]);
      }
    }
    for (int k = 0; k < inputs; ++k) {
      if (!(x[at(b, k, layer.columns)] > 0)) out[at(b, k, inputs)] = {};
    }
  }
  return out;
}

template <class T>
kernels::Materialize<T> materialize_arguments(const Output<T>& bed, int l, bool weights) {
  const kernels::Parameters<T> parameters = bed.layers.networks.parameters(l);
  kernels::Materialize<T> args;
  args.networks = bed.layers.networks.all();
  args.layer = bed.layers.layer(l);
  if (weights) {
    args.mu = parameters.mu;
    args.phi = parameters.phi;
    args.parameter_network_stride = parameters.network_stride;
  }
  args.output = bed.output.data.data();
  args.output_stride = bed.output.stride;
  args.output_network_stride = bed.output.network_stride;
  return args;
}

template <class T>
Problem materialize(const Setup& setup, int l, bool weights) {
  auto bed = std::make_shared<Output<T>>(setup, NoiseKind::heterogeneous);
  const kernels::Layer& layer = bed->layers.layer(l);
  bed->output = Matrices<T>(setup.networks, layer.rows, layer.columns);
  bed->output.poison();
  Problem problem;
  problem.launch = [bed, args = materialize_arguments(*bed, l, weights)] {
    kernels::materialize(args, stream().get());
  };
  problem.wrong = [bed, l, weights] {
    return compare(weights ? "a weight" : "a normal", bed->layers, bed->output, [&](int m) {
      std::vector<Sum> sums;
      for (const double w : weights ? bed->layers.weights(m, l) : bed->layers.normals(m, l)) {
        sums.push_back({w, 1 + std::abs(w)});
      }
      return sums;
    });
  };
  const double count = bed->layers.parameters(l) * setup.networks;
  if (weights) {
    problem.work = weights_work(bed->layers, l);
  } else {
    problem.work.normals = count;
    add(problem.work, count, Costs<T>::kNormal);
  }
  problem.work.bytes += sizeof(T) * count;
  return problem;
}

}  // namespace

template <class T>
Problem noisy_forward(const Setup& setup, NoiseKind noise, int l) {
  auto bed = std::make_shared<Output<T>>(setup, noise);
  const Layers<T>& layers = bed->layers;
  const kernels::Parameters<T> parameters = layers.networks.parameters(l);
  const bool relu = l + 1 < static_cast<int>(layers.networks.layers().size());
  bed->output = Matrices<T>(setup.networks, setup.batch, layers.layer(l).rows);
  bed->output.poison();
  kernels::NoisyForward<T> args;
  args.networks = layers.networks.all();
  args.layer = layers.layer(l);
  args.mu = parameters.mu;
  args.phi = parameters.phi;
  args.parameter_network_stride = parameters.network_stride;
  args.inputs = layers.inputs(l);
  args.output = bed->output.data.data();
  args.output_stride = bed->output.stride;
  args.output_network_stride = bed->output.network_stride;
  args.batch = args.examples = setup.batch;
  args.rectify = relu;
  args.tile = kernels::noisy_forward_tile(args.layer.rows, setup.batch, setup.networks, multiprocessors());
  Problem problem;
  problem.launch = [bed, args] { kernels::noisy_forward(args, stream().get()); };
  problem.wrong = [bed, l, relu] {
    return compare("an output", bed->layers, bed->output,
                   [&](int m) { return forward_reference(bed->layers, m, l, relu); });
  };
  problem.work = weights_work(layers, l);
  problem.work.bytes += layers.input_bytes(l) + layers.delta_bytes(l);
  add_product(problem.work, layers, l);
  return problem;
}

template <class T>
Problem noisy_backward(const Setup& setup, NoiseKind noise, int l) {
  auto bed = std::make_shared<Output<T>>(setup, noise);
  const Layers<T>& layers = bed->layers;
  const kernels::Parameters<T> parameters = layers.networks.parameters(l);
  const kernels::LayerGradient<T> gradient = layers.gradient(l);
  bed->output = Matrices<T>(setup.networks, setup.batch, layers.layer(l).columns - 1);
  bed->output.poison();
  kernels::NoisyBackward<T> args;
  args.networks = layers.networks.all();
  args.layer = layers.layer(l);
  args.mu = parameters.mu;
  args.phi = parameters.phi;
  args.parameter_network_stride = parameters.network_stride;
  args.delta = gradient.delta;
  args.delta_stride = gradient.delta_stride;
  args.delta_network_stride = gradient.delta_network_stride;
  args.activation = gradient.inputs.values;
  args.activation_stride = gradient.inputs.stride;
  args.activation_network_stride = gradient.inputs.network_stride;
  args.output = bed->output.data.data();
  args.output_stride = bed->output.stride;
  args.output_network_stride = bed->output.network_stride;
  args.batch = setup.batch;
  args.tile =
      kernels::noisy_backward_tile(args.layer.columns, setup.batch, setup.networks, multiprocessors());
  Problem problem;
  problem.launch = [bed, args] { kernels::noisy_backward(args, stream().get()); };
  problem.wrong = [bed, l] {
    return compare("a gradient", bed->layers, bed->output,
                   [&](int m) { return backward_reference(bed->layers, m, l); });
  };
  problem.work = weights_work(layers, l);
  problem.work.bytes += 2 * layers.input_bytes(l) + layers.delta_bytes(l);
  add_product(problem.work, layers, l);
  return problem;
}

template <class T>
Problem materialize_weights(const Setup& setup, int l) {
  return materialize<T>(setup, l, true);
}

template <class T>
Problem materialize_noise(const Setup& setup, int l) {
  return materialize<T>(setup, l, false);
}

template <class T>
Problem gather_inputs(const Setup& setup) {
  auto bed = std::make_shared<Output<T>>(setup, NoiseKind::heterogeneous);
  const Layers<T>& layers = bed->layers;
  bed->output = Matrices<T>(setup.networks, setup.batch, layers.layer(0).columns);
  bed->output.poison();
  const kernels::GatherInputs<T> args{
      layers.networks.all(),   layers.inputs(0),   layers.layer(0).columns,   setup.batch,
      bed->output.data.data(), bed->output.stride, bed->output.network_stride};
  Problem problem;
  problem.launch = [bed, args] { kernels::gather_inputs(args, stream().get()); };
  problem.wrong = [bed] {
    return compare("an input", bed->layers, bed->output, [&](int m) {
      std::vector<Sum> sums;
      for (const double x : bed->layers.x(m, 0)) sums.push_back({x, 1 + std::abs(x)});
      return sums;
    });
  };
  problem.work.bytes =
      layers.input_bytes(0) + double{sizeof(T)} * setup.networks * setup.batch * layers.layer(0).columns;
  return problem;
}

template <class T>
Problem rectify(const Setup& setup, int l) {
  // Gradients of a layer's outputs, gated by those outputs; here by gradients of other numbers.
  auto bed = std::make_shared<Output<T>>(setup, NoiseKind::heterogeneous);
  const Matrices<T>& gate = bed->layers.deltas[static_cast<std::size_t>(l)];
  bed->output = Matrices<T>(setup.networks, setup.batch, gate.columns);
  std::vector<T> values(bed->output.data.size());
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<T>(pattern(i + 7, 1.0));
  bed->output.set(values);
  const kernels::Rectify<T> args{setup.networks,      bed->output.data.data(),
                                 bed->output.stride,  bed->output.network_stride,
                                 gate.data.data(),    gate.stride,
                                 gate.network_stride, gate.columns,
                                 setup.batch};
  Problem problem;
  problem.launch = [bed, args] { kernels::rectify(args, stream().get()); };
  problem.wrong = [bed, l, values] {
    return compare("a value", bed->layers, bed->output, [&](int m) {
      const std::vector<double> gates = bed->layers.delta(m, l);
      const Matrices<T>& output = bed->output;
      std::vector<Sum> sums;
      for (std::size_t i = 0; i < gates.size(); ++i) {
        const std::size_t row = i / static_cast<std::size_t>(output.columns);
        const std::size_t from = static_cast<std::size_t>(m * output.network_stride) +
                                 row * static_cast<std::size_t>(output.stride) +
                                 i % static_cast<std::size_t>(output.columns);
        sums.push_back({gates[i] > 0 ? static_cast<double>(values[from]) : 0, 0});
      }
      return sums;
    });
  };
  problem.work.bytes = 3 * bed->layers.delta_bytes(l);
  return problem;
}

template Problem noisy_forward<float>(const Setup&, NoiseKind, int);
template Problem noisy_forward<double>(const Setup&, NoiseKind, int);
template Problem noisy_backward<float>(const Setup&, NoiseKind, int);
template Problem noisy_backward<double>(const Setup&, NoiseKind, int);
template Problem materialize_weights<float>(const Setup&, int);
template Problem materialize_weights<double>(const Setup&, int);
template Problem materialize_noise<float>(const Setup&, int);
template Problem materialize_noise<double>(const Setup&, int);
template Problem gather_inputs<float>(const Setup&);
template Problem rectify<float>(const Setup&, int);

}  // namespace bench
