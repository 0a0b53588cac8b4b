// Kernels that read and write parameters: the updates, the statistics of gradients,
// the start, and the search for values that are not finite.

#include <cmath>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "kernels.h"
#include "kernels/gradient_statistics.h"
#include "kernels/homogeneous_update.h"
#include "kernels/initialize.h"
#include "kernels/not_finite.h"
#include "kernels/parameter_update.h"

namespace bench {
namespace {

using ensyn::NoiseKind;

template <class T>
kernels::ParameterUpdate<T> update_arguments(const Layers<T>& layers) {
  kernels::ParameterUpdate<T> args;
  args.networks = layers.networks.all();
  args.batch = layers.setup.batch;
  for (const int l : layers.setup.layers) {
    args.layers[args.layer_count].gradient = layers.gradient(l);
    args.layers[args.layer_count++].parameters = layers.networks.parameters(l);
  }
  return args;
}

/// What the gradient of the timed layers costs.
template <class T>
Work gradient_work(const Layers<T>& layers) {
  Work work;
  for (const int l : layers.setup.layers) {
    work.bytes += layers.input_bytes(l) + layers.delta_bytes(l);
    work.multiply_adds += layers.parameters(l) * layers.setup.networks * layers.setup.batch;
  }
  add(work, work.multiply_adds, Costs<T>::kMultiplyAdd);
  return work;
}

template <class T>
double updated_parameters(const Layers<T>& layers) {
  double count = 0;
  for (const int l : layers.setup.layers) count += layers.parameters(l) * layers.setup.networks;
  return count;
}

/// One step of Adam at Layers::kStep, from zero moments. The value is judged from the moments that were got:
/// m / sqrt(v) is ill-conditioned where the gradient is small.
template <class T>
class Adam {
 public:
  explicit Adam(const ensyn::AdamConfig& config) : config_(config) {}
  void compare(Comparison& with, const char* what, const Sum& gradient, double before, double after,
               double moment1, double moment2) const {
    const double t = static_cast<double>(Layers<T>::kStep + 1);
    const double step_size = config_.learning_rate / (1 - std::pow(config_.beta1, t));
    const double correction = 1 / std::sqrt(1 - std::pow(config_.beta2, t));
    with.add(what, moment1, (1 - config_.beta1) * gradient.value, gradient.size);
    with.add(what, moment2, (1 - config_.beta2) * gradient.value * gradient.value,
             gradient.size * gradient.size);
    with.add(what, after, before - step_size * moment1 / (std::sqrt(moment2) * correction + config_.epsilon),
             std::abs(before) * 0.01 + step_size);
  }

 private:
  ensyn::AdamConfig config_;
};

/// dL/dmu with the cost of the magnitude.
Sum with_magnitude(Sum g, double mu, double lambda, double fraction) {
  g.add(lambda * fraction * (mu > 0 ? 1 : mu < 0 ? -1 : 0));
  return g;
}

template <class T>
double fraction_of(const Layers<T>& layers) {
  return layers.setup.batch / 60000.0;
}

/// dL/dphi of one parameter, with the cost c sigma^-2.
Sum phi_gradient(const Sum& g, double xi, double phi, const ensyn::NetworkConfig& config, double fraction) {
  const double sigma = std::log1p(std::exp(phi)), slope = 1 / (1 + std::exp(-phi));
  const ensyn::CostTerm& term = config.costs.front();
  Sum result;
  result.add(slope * g.value * xi);
  result.add(-slope * fraction * term.c * term.rho * std::pow(sigma, -(term.rho + 1)));
  result.size += slope * g.size * (std::abs(xi) + 1);
  return result;
}

template <class T>
std::string compare_update(Layers<T>& layers) {
  Comparison comparison(kTolerance<T>);
  const ensyn::NetworkConfig& config = layers.config.members.front();
  const Adam<T> adam(config.adam);
  for (const int m : layers.compared()) {
    const ensyn::NetworkState after = layers.networks.read(m, stream());
    for (const int l : layers.setup.layers) {
      const auto index = static_cast<std::size_t>(l);
      const ensyn::LayerState &from = layers.before(m).layers[index], &to = after.layers[index];
      const std::vector<Sum> g = layers.weight_gradient(m, l);
      const std::vector<double> xi = layers.normals(m, l);
      for (std::size_t i = 0; i < g.size(); ++i) {
        adam.compare(comparison, "mu", with_magnitude(g[i], from.mu[i], config.lambda, fraction_of(layers)),
                     from.mu[i], to.mu[i], to.mu_moment1[i], to.mu_moment2[i]);
        if (from.phi.empty()) continue;
        adam.compare(comparison, "phi", phi_gradient(g[i], xi[i], from.phi[i], config, fraction_of(layers)),
                     from.phi[i], to.phi[i], to.phi_moment1[i], to.phi_moment2[i]);
      }
    }
  }
  return comparison.result();
}

template <class T>
struct HomogeneousBed {
  explicit HomogeneousBed(const Setup& setup) : layers(setup, NoiseKind::homogeneous) {}
  Layers<T> layers;
  Matrices<T> sums;
};

template <class T>
std::string compare_partial_sums(const HomogeneousBed<T>& bed) {
  const std::vector<T> got = bed.sums.read();
  if (std::string missing = Matrices<T>::unwritten(bed.sums, got); !missing.empty()) return missing;
  Comparison comparison(kTolerance<T>);
  for (const int m : bed.layers.compared()) {
    auto part = static_cast<std::size_t>(m * bed.sums.network_stride);
    for (const int l : bed.layers.setup.layers) {
      const kernels::Layer& layer = bed.layers.layer(l);
      const std::vector<Sum> g = bed.layers.weight_gradient(m, l);
      const std::vector<double> xi = bed.layers.normals(m, l);
      for (int first = 0; first < layer.rows; first += 4, ++part) {
        Sum want;
        for (int row = first; row < std::min(first + 4, layer.rows); ++row) {
          for (int column = 0; column < layer.columns; ++column) {
            const std::size_t i = at(row, column, layer.columns);
            want.add(g[i].value * xi[i]);
            want.size += g[i].size * (std::abs(xi[i]) + 1);
          }
        }
        comparison.add("a partial sum", static_cast<double>(got[part]), want.value, want.size);
      }
    }
  }
  return comparison.result();
}

template <class T>
struct StatisticsBed {
  explicit StatisticsBed(const Setup& setup) : layers(setup, NoiseKind::heterogeneous) {}
  Layers<T> layers;
  Matrices<T> squared, absolute, inputs, absolute_inputs;

  void clear() {
    for (const Matrices<T>* sums : {&squared, &absolute, &inputs, &absolute_inputs}) {
      ensyn::cuda::clear(sums->data, stream().get());
    }
  }
};

template <class T>
std::string compare_statistics(const StatisticsBed<T>& bed, int l) {
  Comparison comparison(kTolerance<T>);
  const kernels::Layer& layer = bed.layers.layer(l);
  const std::vector<T> squared = bed.squared.read(), absolute = bed.absolute.read();
  const std::vector<T> sums = bed.inputs.read(), absolute_sums = bed.absolute_inputs.read();
  for (const int m : bed.layers.compared()) {
    const ensyn::LayerState& state = bed.layers.before(m).layers[static_cast<std::size_t>(l)];
    const std::vector<Sum> gradient = bed.layers.weight_gradient(m, l);
    const std::vector<double> x = bed.layers.x(m, l);
    for (int r = 0; r < layer.rows; ++r) {
      for (int k = 0; k < layer.columns; ++k) {
        const std::size_t i = at(r, k, layer.columns);
        const Sum g = with_magnitude(gradient[i], state.mu[i], bed.layers.config.members.front().lambda,
                                     fraction_of(bed.layers));
        const std::size_t got =
            static_cast<std::size_t>(m * bed.squared.network_stride) + at(r, k, layer.stride);
        comparison.add("a squared gradient", static_cast<double>(squared[got]), g.value * g.value,
                       g.size * g.size);
        comparison.add("an absolute gradient", static_cast<double>(absolute[got]), std::abs(g.value), g.size);
      }
    }
    for (int k = 0; k + 1 < layer.columns; ++k) {
      Sum sum;
      for (int b = 0; b < bed.layers.setup.batch; ++b) sum.add(x[at(b, k, layer.columns)]);
      // Dense: network x inputs.
      const std::size_t got = at(m, k, layer.columns - 1);
      comparison.add("a sum of inputs", static_cast<double>(sums[got]), sum.value, sum.size);
      comparison.add("an absolute sum of inputs", static_cast<double>(absolute_sums[got]), sum.size,
                     sum.size);
    }
  }
  return comparison.result();
}

/// Networks of which the middle one holds an infinity, in the last element of the last layer.
template <class T>
struct NotFiniteBed {
  NotFiniteBed(const Setup& setup, NoiseKind noise)
      : layers(setup, noise),
        planted(setup.networks / 2),
        found(static_cast<std::size_t>(setup.networks), "the networks' flags") {
    const int l = setup.layers.back();
    const kernels::Layer& layer = layers.layer(l);
    const T infinity = std::numeric_limits<T>::infinity();
    ensyn::cuda::copy_to_device<T>(layers.networks.parameters(l, planted).mu_moment2 +
                                       at(layer.rows - 1, layer.columns - 1, layer.stride),
                                   std::span(&infinity, 1), stream().get());
    stream().wait();
  }

  /// Names the first network whose flag is not right.
  [[nodiscard]] std::string wrong() const {
    std::vector<unsigned> flags(found.size());
    ensyn::cuda::copy_from_device<unsigned>(flags, found.data(), stream().get());
    stream().wait();
    for (int m = 0; m < layers.setup.networks; ++m) {
      const unsigned want = m == planted ? 1 : 0, got = flags[static_cast<std::size_t>(m)];
      if (got != want)
        return "the flag of network " + std::to_string(m) + " is " + std::to_string(got) + ", not " +
               std::to_string(want);
    }
    return "";
  }

  Layers<T> layers;
  int planted;
  ensyn::cuda::DeviceBuffer<unsigned> found;
};

}  // namespace

template <class T>
Problem parameter_update(const Setup& setup) {
  auto layers = std::make_shared<Layers<T>>(setup, NoiseKind::heterogeneous);
  Problem problem;
  problem.launch = [layers, args = update_arguments(*layers)] {
    kernels::parameter_update(args, stream().get());
  };
  problem.restore = [layers] { layers->restore(); };
  problem.wrong = [layers] { return compare_update(*layers); };
  problem.work = gradient_work(*layers);
  const double count = updated_parameters(*layers);
  problem.work.bytes += 12 * sizeof(T) * count;
  problem.work.normals = count;
  add(problem.work, count, Costs<T>::kNormal);
  add(problem.work, count, Costs<T>::kUpdate);
  return problem;
}

template <class T>
Problem homogeneous_update(const Setup& setup) {
  auto bed = std::make_shared<HomogeneousBed<T>>(setup);
  const kernels::ParameterUpdate<T> update = update_arguments(bed->layers);
  bed->sums = Matrices<T>(setup.networks, 1, kernels::partial_sum_count(update));
  bed->sums.poison();
  Problem problem;
  problem.launch = [bed,
                    args = kernels::HomogeneousUpdate<T>{update, bed->sums.data.data(), bed->sums.stride}] {
    kernels::homogeneous_update(args, stream().get());
  };
  problem.restore = [bed] { bed->layers.restore(); };
  problem.wrong = [bed] {
    const std::string wrong = compare_update(bed->layers);
    return wrong.empty() ? compare_partial_sums(*bed) : wrong;
  };
  problem.work = gradient_work(bed->layers);
  const double count = updated_parameters(bed->layers);
  problem.work.bytes += 6 * sizeof(T) * count;
  problem.work.normals = count;
  add(problem.work, count, Costs<T>::kNormal);
  add(problem.work, count, Costs<T>::kMuUpdate);
  add(problem.work, count, Costs<T>::kMultiplyAdd);
  return problem;
}

template <class T>
Problem gradient_statistics(const Setup& setup, int l) {
  auto bed = std::make_shared<StatisticsBed<T>>(setup);
  const Layers<T>& layers = bed->layers;
  const kernels::Layer& layer = layers.layer(l);
  bed->squared = Matrices<T>(setup.networks, layer.rows, layer.columns);
  bed->absolute = Matrices<T>(setup.networks, layer.rows, layer.columns);
  bed->inputs = Matrices<T>(1, setup.networks, layer.columns);
  bed->absolute_inputs = Matrices<T>(1, setup.networks, layer.columns);
  kernels::GradientStatistics<T> args;
  args.networks = layers.networks.all();
  args.gradient = layers.gradient(l);
  args.mu = layers.networks.parameters(l).mu;
  args.mu_network_stride = layers.networks.parameters(l).network_stride;
  args.squared_gradient = bed->squared.data.data();
  args.absolute_gradient = bed->absolute.data.data();
  args.network_stride = bed->squared.network_stride;
  args.input_sum = bed->inputs.data.data();
  args.absolute_input_sum = bed->absolute_inputs.data.data();
  args.batch = setup.batch;
  Problem problem;
  problem.launch = [bed, args] { kernels::gradient_statistics(args, stream().get()); };
  problem.restore = [bed] { bed->clear(); };
  problem.wrong = [bed, l] { return compare_statistics(*bed, l); };
  const double count = layers.parameters(l) * setup.networks;
  problem.work.bytes = layers.input_bytes(l) + layers.delta_bytes(l) + 5 * sizeof(T) * count;
  problem.work.multiply_adds = count * setup.batch;
  add(problem.work, problem.work.multiply_adds, Costs<T>::kMultiplyAdd);
  return problem;
}

template <class T>
Problem initialize(const Setup& setup, int l) {
  auto layers = std::make_shared<Layers<T>>(setup, NoiseKind::heterogeneous);
  const ensyn::NetworkConfig& config = layers->config.members.front();
  kernels::Initialize<T> args;
  args.networks = layers->networks.all();
  args.one_value = {config.mu_range, std::log(std::expm1(config.sigma_init))};
  args.layer = layers->layer(l);
  args.parameters = layers->networks.parameters(l);
  Problem problem;
  problem.launch = [layers, args] { kernels::initialize(args, stream().get()); };
  problem.wrong = [layers, l, args] {
    Comparison comparison(kTolerance<T>);
    const kernels::Layer& layer = layers->layer(l);
    for (const int m : layers->compared()) {
      const ensyn::LayerState got = layers->networks.read(m, stream()).layers[static_cast<std::size_t>(l)];
      const int across = (layer.columns + 1) / 2;
      for (int r = 0; r < layer.rows; ++r) {
        for (int k = 0; k < layer.columns; ++k) {
          const std::size_t i = at(r, k, layer.columns);
          const auto words =
              ensyn::noise_words({layers->config.members.front().seed, static_cast<std::uint32_t>(m), 0,
                                  static_cast<std::uint32_t>(l), ensyn::Purpose::initial_mu},
                                 at(r / 2, k / 2, across));
          const auto word = static_cast<std::int32_t>(words[static_cast<std::size_t>(2 * (r % 2) + k % 2)]);
          comparison.add("mu", got.mu[i], args.one_value.mu_range * (word * 0x1p-31 + 0x1p-32), 1);
          comparison.add("phi", got.phi[i], args.one_value.phi, 10);
          for (const double moment :
               {got.mu_moment1[i], got.mu_moment2[i], got.phi_moment1[i], got.phi_moment2[i]}) {
            comparison.add_equal("a moment", moment, 0);
          }
        }
      }
    }
    return comparison.result();
  };
  // Other parameters first, so that the check sees what the kernel wrote.
  problem.restore = [layers, args] {
    for (T* field : {args.parameters.mu, args.parameters.phi, args.parameters.mu_moment1,
                     args.parameters.mu_moment2, args.parameters.phi_moment1, args.parameters.phi_moment2}) {
      const std::size_t row = static_cast<std::size_t>(args.layer.stride) * sizeof(T);
      ensyn::cuda::check(
          cudaMemsetAsync(field, 0xFF, row * static_cast<std::size_t>(args.layer.rows), stream().get()),
          "cudaMemset");
    }
  };
  problem.work.bytes = 6 * sizeof(T) * layers->parameters(l) * setup.networks;
  return problem;
}

template <class T>
Problem not_finite(const Setup& setup, NoiseKind noise) {
  auto bed = std::make_shared<NotFiniteBed<T>>(setup, noise);
  Problem problem;
  problem.launch = [bed] {
    for (const int l : bed->layers.setup.layers) {
      kernels::not_finite<T>({bed->layers.networks.all(), bed->layers.layer(l),
                              bed->layers.networks.parameters(l), bed->found.data()},
                             stream().get());
    }
  };
  problem.restore = [bed] { ensyn::cuda::clear(bed->found, stream().get()); };
  problem.wrong = [bed] { return bed->wrong(); };
  const double values = (noise == NoiseKind::heterogeneous ? 6 : 3) * updated_parameters(bed->layers);
  problem.work.bytes = sizeof(T) * values;
  // The exponent's bits, whether they are all set, and what was found so far.
  problem.work.issue = 3 * values;
  return problem;
}

template Problem parameter_update<float>(const Setup&);
template Problem parameter_update<double>(const Setup&);
template Problem homogeneous_update<float>(const Setup&);
template Problem homogeneous_update<double>(const Setup&);
template Problem gradient_statistics<float>(const Setup&, int);
template Problem initialize<float>(const Setup&, int);
template Problem not_finite<float>(const Setup&, NoiseKind);
template Problem not_finite<double>(const Setup&, NoiseKind);

}  // namespace bench
