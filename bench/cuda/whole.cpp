// Kernels that train whole networks, and what moves parameters into their tiles and out of them.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <vector>

#include "host/cpu/cpu_engine.h"
#include "host/cuda/runtime.h"
#include "kernels.h"
#include "kernels/whole/resident/resident_training.h"
#include "kernels/whole/streamed/streamed_training.h"
#include "kernels/whole/tile_state.h"

namespace bench {
namespace {

using ensyn::NoiseKind;
using kernels::kTileColumns;
using kernels::kTileElements;
using kernels::kTileRows;

bool has_own_phi(NoiseKind noise) {
  return noise == NoiseKind::heterogeneous;
}

template <class T>
double all_parameters(const Layers<T>& layers) {
  double count = 0;
  for (std::size_t l = 0; l < layers.networks.layers().size(); ++l)
    count += layers.parameters(static_cast<int>(l));
  return count * layers.setup.networks;
}

/// Networks with their parameters in rows and in tiles.
template <class T>
struct TileBed {
  TileBed(const Setup& setup, NoiseKind noise, double epsilon)
      : layers(setup, noise, epsilon),
        own_phi(has_own_phi(noise)),
        tiling(kernels::tiling_of(layers.networks.layers().data(),
                                  static_cast<int>(layers.networks.layers().size()))),
        of_network(kernels::tiled_elements(tiling, own_phi)),
        state(static_cast<std::size_t>(of_network * setup.networks), "tiles"),
        offsets(static_cast<std::size_t>(setup.networks), "the networks' places") {
    std::vector<std::int64_t> places;
    for (int n = 0; n < setup.networks; ++n) places.push_back(n * of_network);
    ensyn::cuda::copy_to_device<std::int64_t>(offsets.data(), places, stream().get());
    stream().wait();
    args.networks = setup.networks;
    args.constants = layers.networks.constants();
    args.tiling = tiling;
    for (int l = 0; l < tiling.layer_count; ++l) args.layers[l] = layers.networks.parameters(l);
    args.state = state.data();
    args.state_offsets = offsets.data();
  }

  /// Every number of the tiles NaN.
  void poison() const {
    ensyn::cuda::check(cudaMemsetAsync(state.data(), 0xFF, state.bytes(), stream().get()), "cudaMemset");
  }
  /// Bytes of one pass over rows and tiles.
  [[nodiscard]] double bytes() const {
    const double fields = own_phi ? kernels::kOwnPhiFields : kernels::kSharedPhiFields;
    return sizeof(T) * (fields * all_parameters(layers) + static_cast<double>(state.size()));
  }

  Layers<T> layers;
  bool own_phi;
  kernels::Tiling tiling;
  std::int64_t of_network;
  ensyn::cuda::DeviceBuffer<T> state;
  ensyn::cuda::DeviceBuffer<std::int64_t> offsets;
  kernels::TileState<T> args;
};

/// Where tiles.h says that an element of a field stands in its network's tiles.
std::size_t place_of(const kernels::TiledLayer& layer, int fields, int field, int row, int column) {
  const int tile = layer.first_tile + row / kTileRows * layer.column_tiles + column / kTileColumns;
  const int in_row = row % kTileRows, in_column = column % kTileColumns;
  const int lane = 4 * (in_row / 2) + in_column / 2, of_quad = 2 * (in_row % 2) + in_column % 2;
  return static_cast<std::size_t>((tile * fields + field) * kTileElements + 4 * lane + of_quad);
}

/// Whether the compared networks' tiles hold what their rows held at first.
template <class T>
std::string compare_tiles(const TileBed<T>& bed) {
  std::vector<T> got(bed.state.size());
  ensyn::cuda::copy_from_device<T>(got, bed.state.data(), stream().get());
  stream().wait();
  Comparison comparison(0);
  const int fields = bed.own_phi ? kernels::kOwnPhiFields : kernels::kSharedPhiFields;
  for (const int m : bed.layers.compared()) {
    const T* network = got.data() + m * bed.of_network;
    for (int l = 0; l < bed.tiling.layer_count; ++l) {
      const ensyn::LayerState& from = bed.layers.before(m).layers[static_cast<std::size_t>(l)];
      const std::vector<double>* const want[] = {&from.mu,  &from.mu_moment1,  &from.mu_moment2,
                                                 &from.phi, &from.phi_moment1, &from.phi_moment2};
      const kernels::TiledLayer& tiled = bed.tiling.layers[l];
      for (int f = 0; f < fields; ++f) {
        for (int r = 0; r < tiled.layer.rows; ++r) {
          for (int k = 0; k < tiled.layer.columns; ++k) {
            comparison.add_equal("an element of a tile",
                                 static_cast<double>(network[place_of(tiled, fields, f, r, k)]),
                                 (*want[f])[at(r, k, tiled.layer.columns)]);
          }
        }
      }
    }
  }
  return comparison.result();
}

/// Steps that one launch runs.
std::uint64_t steps_of_launch() {
  return is_emulation() ? 2 : 20;
}

ensyn::cuda::DeviceInfo this_device() {
  return ensyn::cuda::list_devices().usable.at(0);
}

kernels::Tiling tiling_of(const Setup& setup) {
  ensyn::Architecture architecture;
  architecture.sizes = setup.sizes;
  const std::vector<kernels::Layer> layers = ensyn::cuda::device_layers(architecture);
  return kernels::tiling_of(layers.data(), static_cast<int>(layers.size()));
}

template <class T>
kernels::StreamedPlan streamed_plan_of(const Setup& setup, NoiseKind noise) {
  const ensyn::cuda::DeviceInfo device = this_device();
  if (!kernels::trains_whole_networks(device.major, device.minor)) return {{}, "not made for this device"};
  kernels::StreamedProblem problem;
  problem.tiling = tiling_of(setup);
  problem.batch = setup.batch;
  problem.pixels = true;
  problem.single = sizeof(T) == sizeof(float);
  problem.own_phi = has_own_phi(noise);
  problem.major = device.major;
  problem.shared_limit = device.shared_bytes;
  return kernels::streamed_plan(problem);
}

kernels::ResidentPlan resident_plan_of(const Setup& setup, NoiseKind noise) {
  const ensyn::cuda::DeviceInfo device = this_device();
  if (device.major < 9 || !kernels::trains_whole_networks(device.major, device.minor))
    return {{}, "not made for this device"};
  kernels::ResidentProblem problem;
  problem.tiling = tiling_of(setup);
  problem.batch = setup.batch;
  problem.pixels = true;
  problem.own_phi = has_own_phi(noise);
  problem.shared_limit = device.shared_bytes;
  return kernels::resident_plan(problem);
}

/// Networks that one launch trains.
template <class T>
struct WholeBed {
  // With an epsilon of 1 the result is as exact as the sums.
  WholeBed(const Setup& setup, NoiseKind noise)
      : tiles(setup, noise, 1), members(static_cast<std::size_t>(setup.networks), "the networks' numbers") {
    const Layers<T>& layers = tiles.layers;
    std::vector<int> all;
    for (int n = 0; n < setup.networks; ++n) all.push_back(n);
    ensyn::cuda::copy_to_device<int>(members.data(), all, stream().get());
    // The order that an engine would have.
    const std::vector<std::uint32_t> order =
        ensyn::minibatch_order(layers.config.data_seed, 0, 0, layers.data.size());
    ensyn::cuda::copy_to_device<std::uint32_t>(layers.order.data(), order, stream().get());
    stream().wait();
    of.networks = setup.networks;
    of.members = members.data();
    of.own_phi = tiles.own_phi;
    of.constants = layers.networks.constants();
    of.progress = layers.networks.progress();
    of.shared_phi = layers.networks.shared_phi();
    of.groups = layers.networks.phi_groups();
    of.tiling = tiles.tiling;
    of.state = tiles.state.data();
    of.state_offsets = tiles.offsets.data();
    of.inputs = layers.inputs(0);
    of.labels = layers.device_data.labels();
    of.batch = setup.batch;
    of.steps = steps_of_launch();
  }

  TileBed<T> tiles;
  ensyn::cuda::DeviceBuffer<int> members;
  kernels::TiledTraining<T> of;
};

/// The compared networks alone, on the CPU, where B/N is of the data set as it is: costs make up for it.
template <class T>
std::unique_ptr<ensyn::Engine> reference_of(const Layers<T>& layers) {
  ensyn::PopulationConfig config = layers.config;
  config.precision =
      sizeof(T) == sizeof(float) ? ensyn::Precision::single_precision : ensyn::Precision::double_precision;
  const double factor = static_cast<double>(layers.data.size()) / Layers<T>::kTrainingExamples;
  const ensyn::NetworkConfig member = config.members.front();
  config.members.clear();
  for (const int m : layers.compared()) {
    ensyn::NetworkConfig& one = config.members.emplace_back(member);
    one.stream = static_cast<std::uint32_t>(m);
    one.lambda *= factor;
    for (ensyn::CostTerm& term : one.costs) term.c *= factor;
  }
  ensyn::ExecutionConfig execution;
  execution.device = ensyn::DeviceKind::cpu;
  return ensyn::cpu::make_cpu_engine(config, layers.data, execution);
}

/// Compares one array after `steps` steps: its moments are sums of gradients, of which the largest element
/// is the size, and a value moves with its moments.
template <class T>
void compare_array(Comparison& comparison, const char* what, const std::vector<double>& got,
                   const std::vector<double>& want, double steps) {
  double largest = 0;
  for (const double value : want) largest = std::max(largest, std::abs(value));
  for (std::size_t i = 0; i < want.size(); ++i) comparison.add(what, got[i], want[i], steps * largest);
}

/// Against the CPU engine. Sums of K products of split operands are off by a few 2^-22 sqrt(K) of their size
/// (tests/cuda/whole_training_test.cpp); a second moment doubles the relative error.
template <class T>
std::string compare_training(const WholeBed<T>& bed) {
  const Layers<T>& layers = bed.tiles.layers;
  const auto reference = reference_of(layers);
  const auto steps = static_cast<double>(bed.of.steps);
  reference->train(Layers<T>::kStep, bed.of.steps);
  Comparison comparison(64 * (sizeof(T) == 4 ? 0x1p-22 : 0x1p-50));
  int i = 0;
  for (const int m : layers.compared()) {
    const ensyn::NetworkState got = layers.networks.read(m, stream()), want = reference->read(i++);
    for (std::size_t l = 0; l < want.layers.size(); ++l) {
      const ensyn::LayerState &a = got.layers[l], &b = want.layers[l];
      compare_array<T>(comparison, "mu", a.mu, b.mu, 1);
      compare_array<T>(comparison, "a first moment of mu", a.mu_moment1, b.mu_moment1, steps);
      compare_array<T>(comparison, "a second moment of mu", a.mu_moment2, b.mu_moment2, steps);
      compare_array<T>(comparison, "phi", a.phi, b.phi, 1);
      compare_array<T>(comparison, "a first moment of phi", a.phi_moment1, b.phi_moment1, steps);
      compare_array<T>(comparison, "a second moment of phi", a.phi_moment2, b.phi_moment2, steps);
    }
    compare_array<T>(comparison, "a shared phi", got.shared_phi.value, want.shared_phi.value, 1);
    compare_array<T>(comparison, "a shared phi's moment", got.shared_phi.moment1, want.shared_phi.moment1,
                     steps);
  }
  return comparison.result();
}

/// What the steps of one launch have to do: each number of the state read and written once a step, each
/// weight drawn once.
template <class T>
Work training_work(const Layers<T>& layers, bool own_phi, double steps) {
  const double parameters = all_parameters(layers), batch = layers.setup.batch;
  const double first = layers.parameters(0) * layers.setup.networks;
  const double fields = own_phi ? kernels::kOwnPhiFields : kernels::kSharedPhiFields;
  Work work;
  work.bytes = steps * (2 * fields * sizeof(T) * parameters + layers.input_bytes(0) * layers.setup.networks);
  // Forward and the gradient in the weights, and that in the inputs but for the first layer.
  work.multiply_adds = steps * batch * (2 * parameters + (parameters - first));
  work.normals = steps * parameters;
  add(work, steps * parameters, own_phi ? Costs<T>::kWholeStep : Costs<T>::kSharedWholeStep);
  return work;
}

/// The launch that trains the networks of a bed, with what is done before and checked after it.
template <class T, class Launch>
Problem training_problem(const std::shared_ptr<WholeBed<T>>& bed, const Launch& launch) {
  Problem problem;
  problem.launch = launch;
  problem.restore = [bed] {
    bed->tiles.layers.restore();
    kernels::to_tiles(bed->tiles.args, stream().get());
  };
  problem.wrong = [bed] {
    kernels::from_tiles(bed->tiles.args, stream().get());
    stream().wait();
    return compare_training(*bed);
  };
  problem.work = training_work(bed->tiles.layers, bed->tiles.own_phi, static_cast<double>(steps_of_launch()));
  return problem;
}

}  // namespace

template <class T>
Problem to_tiles(const Setup& setup, NoiseKind noise) {
  auto bed = std::make_shared<TileBed<T>>(setup, noise, ensyn::AdamConfig{}.epsilon);
  Problem problem;
  problem.launch = [bed] { kernels::to_tiles(bed->args, stream().get()); };
  problem.restore = [bed] { bed->poison(); };
  problem.wrong = [bed] { return compare_tiles(*bed); };
  problem.work.bytes = bed->bytes();
  return problem;
}

template <class T>
Problem from_tiles(const Setup& setup, NoiseKind noise) {
  auto bed = std::make_shared<TileBed<T>>(setup, noise, ensyn::AdamConfig{}.epsilon);
  Problem problem;
  problem.launch = [bed] { kernels::from_tiles(bed->args, stream().get()); };
  // Rows to tiles, and other rows, so that the check sees what the kernel wrote.
  problem.restore = [bed] {
    bed->layers.restore();
    kernels::to_tiles(bed->args, stream().get());
    bed->layers.poison_parameters();
  };
  problem.wrong = [bed] {
    Comparison comparison(0);
    for (const int m : bed->layers.compared()) {
      const ensyn::NetworkState got = bed->layers.networks.read(m, stream());
      for (std::size_t l = 0; l < got.layers.size(); ++l) {
        const ensyn::LayerState &a = got.layers[l], &b = bed->layers.before(m).layers[l];
        for (std::size_t i = 0; i < b.mu.size(); ++i) comparison.add_equal("mu", a.mu[i], b.mu[i]);
        for (std::size_t i = 0; i < b.phi.size(); ++i)
          comparison.add_equal("a moment of phi", a.phi_moment2[i], b.phi_moment2[i]);
      }
    }
    return comparison.result();
  };
  problem.work.bytes = bed->bytes();
  return problem;
}

template <class T>
std::string streamed_problem(const Setup& setup, NoiseKind noise) {
  return streamed_plan_of<T>(setup, noise).problem;
}

template <class T>
Problem streamed_training(const Setup& setup, NoiseKind noise) {
  const auto bed = std::make_shared<WholeBed<T>>(setup, noise);
  const kernels::StreamedTraining<T> args{bed->of, streamed_plan_of<T>(setup, noise).shape};
  return training_problem(bed, [bed, args] { kernels::streamed_training(args, stream().get()); });
}

std::string resident_problem(const Setup& setup, NoiseKind noise) {
  return resident_plan_of(setup, noise).problem;
}

Problem resident_training(const Setup& setup, NoiseKind noise) {
  const auto bed = std::make_shared<WholeBed<float>>(setup, noise);
  const auto queue = std::make_shared<ensyn::cuda::DeviceBuffer<unsigned>>(1, "a queue");
  kernels::ResidentTraining args{bed->of, resident_plan_of(setup, noise).shape};
  args.clusters = 1;
  args.clusters = std::min(setup.networks, kernels::resident_clusters(args));
  args.queue = queue->data();
  return training_problem(bed, [bed, queue, args] {
    ensyn::cuda::clear(*queue, stream().get());
    kernels::resident_training(args, stream().get());
  });
}

template Problem to_tiles<float>(const Setup&, NoiseKind);
template Problem to_tiles<double>(const Setup&, NoiseKind);
template Problem from_tiles<float>(const Setup&, NoiseKind);
template Problem from_tiles<double>(const Setup&, NoiseKind);
template std::string streamed_problem<float>(const Setup&, NoiseKind);
template std::string streamed_problem<double>(const Setup&, NoiseKind);
template Problem streamed_training<float>(const Setup&, NoiseKind);
template Problem streamed_training<double>(const Setup&, NoiseKind);

}  // namespace bench
