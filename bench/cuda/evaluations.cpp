// Predictions of whole networks, many in one launch, and the weights in tiles that they begin with.

#include <cmath>
#include <cstdint>
#include <memory>
#include <vector>

#include "ensyn/noise.h"
#include "host/cpu/cpu_engine.h"
#include "host/cuda/runtime.h"
#include "kernels.h"
#include "kernels/whole/population_evaluation.h"

namespace bench {
namespace {

using ensyn::NoiseKind;
using kernels::kTileColumns;
using kernels::kTileElements;
using kernels::kTileRows;
using kernels::kWeightFields;

/// Mean weights and one draw.
constexpr int kSlots = 2;

/// Networks with room for their weights in tiles.
template <class T>
struct WeightBed {
  WeightBed(const Setup& setup, NoiseKind noise)
      : layers(setup, noise, ensyn::AdamConfig{}.epsilon),
        tiling(kernels::tiling_of(layers.networks.layers().data(),
                                  static_cast<int>(layers.networks.layers().size()))),
        of_network(static_cast<std::size_t>(tiling.tiles) * kWeightFields * kTileElements),
        weights(of_network * static_cast<std::size_t>(setup.networks), "weights in tiles") {
    args.networks = layers.networks.all();
    args.count = setup.networks;
    args.tiling = tiling;
    for (int l = 0; l < tiling.layer_count; ++l) args.layers[l] = layers.networks.parameters(l);
    args.weights = weights.data();
  }
  [[nodiscard]] double parameters() const {
    double count = 0;
    for (int l = 0; l < tiling.layer_count; ++l) count += layers.parameters(l);
    return count * layers.setup.networks;
  }

  Layers<T> layers;
  kernels::Tiling tiling;
  std::size_t of_network;
  ensyn::cuda::DeviceBuffer<T> weights;
  kernels::EvaluationWeights<T> args;
};

template <class T>
std::vector<T> read(const ensyn::cuda::DeviceBuffer<T>& buffer) {
  std::vector<T> values(buffer.size());
  ensyn::cuda::copy_from_device<T>(values, buffer.data(), stream().get());
  stream().wait();
  return values;
}

/// Whether the compared networks' tiles hold their mu and sigma where tiles.h says.
template <class T>
std::string compare_weights(const WeightBed<T>& bed) {
  const std::vector<T> got = read(bed.weights);
  Comparison comparison(kTolerance<T>);
  for (const int m : bed.layers.compared()) {
    const T* network = got.data() + static_cast<std::size_t>(m) * bed.of_network;
    const ensyn::NetworkState& state = bed.layers.before(m);
    for (int l = 0; l < bed.tiling.layer_count; ++l) {
      const kernels::TiledLayer& tiled = bed.tiling.layers[l];
      const ensyn::LayerState& from = state.layers[static_cast<std::size_t>(l)];
      for (int r = 0; r < tiled.layer.rows; ++r) {
        for (int k = 0; k < tiled.layer.columns; ++k) {
          const int tile = tiled.first_tile + r / kTileRows * tiled.column_tiles + k / kTileColumns;
          const int lane = 4 * (r % kTileRows / 2) + k % kTileColumns / 2, in_quad = 2 * (r % 2) + k % 2;
          const T* at_mu = network + static_cast<std::ptrdiff_t>(tile) * kWeightFields * kTileElements +
                           4 * lane + in_quad;
          const std::size_t i = at(r, k, tiled.layer.columns);
          const double phi = from.phi.empty() ? state.shared_phi.value[0] : from.phi[i],
                       sigma = std::log1p(std::exp(phi));
          comparison.add_equal("mu", static_cast<double>(at_mu[0]), from.mu[i]);
          comparison.add("sigma", static_cast<double>(at_mu[kTileElements]), sigma, sigma);
        }
      }
    }
  }
  return comparison.result();
}

template <class T>
kernels::EvaluationPlan plan_of(const Setup& setup) {
  const ensyn::cuda::DeviceInfo device = ensyn::cuda::list_devices().usable.at(0);
  if (!kernels::trains_whole_networks(device.major, device.minor)) return {{}, "not made for this device"};
  ensyn::Architecture architecture;
  architecture.sizes = setup.sizes;
  const std::vector<kernels::Layer> layers = ensyn::cuda::device_layers(architecture);
  kernels::EvaluationProblem problem;
  problem.tiling = kernels::tiling_of(layers.data(), static_cast<int>(layers.size()));
  problem.batch = setup.batch;
  problem.pixels = true;
  problem.single = sizeof(T) == sizeof(float);
  problem.shared_limit = device.shared_bytes;
  return kernels::evaluation_plan(problem);
}

template <class T>
struct EvaluationBed {
  EvaluationBed(const Setup& setup, NoiseKind noise)
      : weights(setup, noise),
        data(weights.layers.data.subset(0, is_emulation() ? 11 : weights.layers.data.size())),
        results(static_cast<std::size_t>(setup.networks) * data.size() * kSlots *
                    static_cast<std::size_t>(setup.sizes.back()),
                "predictions") {
    kernels::evaluation_weights(weights.args, stream().get());
    const Layers<T>& layers = weights.layers;
    args.networks = setup.networks;
    args.constants = layers.networks.constants();
    args.tiling = weights.tiling;
    args.weights = weights.weights.data();
    args.inputs = layers.device_data.template inputs<T>();
    args.batch = setup.batch;
    args.examples = static_cast<std::int64_t>(data.size());
    args.batches = (args.examples + setup.batch - 1) / setup.batch;
    args.slots = kSlots;
    args.purpose = static_cast<std::uint32_t>(ensyn::Purpose::evaluation);
    args.results = results.data();
    args.shape = plan_of<T>(setup).shape;
  }

  WeightBed<T> weights;
  ensyn::Dataset data;  ///< the first examples of what is on the device
  ensyn::cuda::DeviceBuffer<T> results;
  kernels::PopulationEvaluation<T> args;
};

/// The compared networks' probabilities against the CPU engine's.
template <class T>
std::string compare_predictions(const EvaluationBed<T>& bed) {
  const Layers<T>& layers = bed.weights.layers;
  ensyn::PopulationConfig config = layers.config;
  config.precision =
      sizeof(T) == sizeof(float) ? ensyn::Precision::single_precision : ensyn::Precision::double_precision;
  const ensyn::NetworkConfig member = config.members.front();
  config.members.clear();
  for (const int m : layers.compared())
    config.members.emplace_back(member).stream = static_cast<std::uint32_t>(m);
  ensyn::ExecutionConfig execution;
  execution.device = ensyn::DeviceKind::cpu;
  const std::vector<ensyn::Prediction> want = ensyn::cpu::make_cpu_engine(config, bed.data, execution)
                                                  ->predict(bed.data, {kSlots - 1, layers.setup.batch});
  const std::vector<T> got = read(bed.results);
  // A logarithm is off by that of a sum of a thousand products and normals good to 1e-5, a probability by no
  // more.
  Comparison comparison(sizeof(T) == 4 ? 2e-4 : 1e-11);
  const std::size_t outputs = static_cast<std::size_t>(layers.setup.sizes.back()), examples = bed.data.size();
  std::size_t of_want = 0;
  for (const int m : layers.compared()) {
    const ensyn::Prediction& one = want[of_want++];
    for (std::size_t i = 0; i < examples * outputs; ++i) {
      const std::size_t example = static_cast<std::size_t>(m) * examples + i / outputs;
      const T* from = got.data() + example * kSlots * outputs + i % outputs;
      comparison.add("a probability of mean weights", std::exp(static_cast<double>(from[0])),
                     one.at_mean_weights[i], 1);
      comparison.add("a probability of a draw", std::exp(static_cast<double>(from[outputs])), one.mean[i], 1);
    }
  }
  return comparison.result();
}

}  // namespace

template <class T>
Problem evaluation_weights(const Setup& setup, NoiseKind noise) {
  const auto bed = std::make_shared<WeightBed<T>>(setup, noise);
  Problem problem;
  problem.launch = [bed] { kernels::evaluation_weights(bed->args, stream().get()); };
  problem.wrong = [bed] { return compare_weights(*bed); };
  const double parameters = bed->parameters(), read = noise == NoiseKind::heterogeneous ? 2 : 1;
  problem.work.bytes = sizeof(T) * (read * parameters + static_cast<double>(bed->weights.size()));
  add(problem.work, parameters, Costs<T>::kSigma);
  return problem;
}

template <class T>
std::string evaluation_problem(const Setup& setup) {
  return plan_of<T>(setup).problem;
}

template <class T>
Problem population_evaluation(const Setup& setup, NoiseKind noise) {
  const auto bed = std::make_shared<EvaluationBed<T>>(setup, noise);
  Problem problem;
  problem.launch = [bed] { kernels::population_evaluation(bed->args, stream().get()); };
  problem.wrong = [bed] { return compare_predictions(*bed); };
  const double parameters = bed->weights.parameters(), examples = static_cast<double>(bed->args.examples);
  problem.work.bytes = sizeof(T) * static_cast<double>(bed->weights.weights.size() + bed->results.size()) +
                       examples * setup.sizes.front();
  problem.work.multiply_adds = kSlots * examples * parameters;
  problem.work.normals = (kSlots - 1) * static_cast<double>(bed->args.batches) * parameters;
  add(problem.work, problem.work.normals, Costs<T>::kTileNormal);
  return problem;
}

template Problem evaluation_weights<float>(const Setup&, NoiseKind);
template Problem evaluation_weights<double>(const Setup&, NoiseKind);
template std::string evaluation_problem<float>(const Setup&);
template std::string evaluation_problem<double>(const Setup&);
template Problem population_evaluation<float>(const Setup&, NoiseKind);
template Problem population_evaluation<double>(const Setup&, NoiseKind);

}  // namespace bench
