// Which of the ways to train a population on a device is taken.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <string>

#include "ensyn/error.h"
#include "host/cuda/whole_training.h"
#include "host/model/phi_groups.h"

namespace ensyn::cuda {
namespace {

/// Adam's denominators are multiplied with one another, which must not underflow.
constexpr double kSmallestEpsilon = 1e-15;

/// What kernels that train whole networks do not take, whatever the shape; empty when they take all.
std::string unusual(const PopulationConfig& config, const DeviceInfo& device) {
  if (!kernels::trains_whole_networks(device.major, device.minor))
    return "a device of compute capability " + std::to_string(device.major) + "." +
           std::to_string(device.minor) + ", where 8.0, 9.0 and 10.0 are made for";
  if (config.architecture.layers() > kernels::kMaxTiledLayers)
    return "it takes " + std::to_string(kernels::kMaxTiledLayers) + " layers at most";
  for (std::size_t m = 0; m < config.members.size(); ++m) {
    const NetworkConfig& member = config.members[m];
    const std::string which = "network " + std::to_string(m);
    if (member.law != NoiseLaw::gaussian)
      return which + " has noise of the law " + std::string(name(member.law));
    if (member.objective == Objective::variational && member.prior == Prior::laplace)
      return which + " has a Laplace prior";
    if (member.adam.epsilon < kSmallestEpsilon) return which + " has an epsilon of Adam below 1e-15";
  }
  return {};
}

std::ptrdiff_t count_of_kind(const PopulationConfig& config, bool own_phi) {
  return std::count_if(config.members.begin(), config.members.end(), [&](const NetworkConfig& member) {
    return (member.noise == NoiseKind::heterogeneous) == own_phi;
  });
}

kernels::Tiling tiling_of(const PopulationConfig& config) {
  const std::vector<kernels::Layer> layers = device_layers(config.architecture);
  return kernels::tiling_of(layers.data(), static_cast<int>(layers.size()));
}

/// Calls find(own_phi, shapes) for the kinds of networks that there are, until one has a problem; which is
/// returned.
template <class Find>
std::string for_each_kind(const PopulationConfig& config, TrainingChoice& choice, const Find& find) {
  for (const bool own_phi : {true, false}) {
    if (count_of_kind(config, own_phi) == 0) continue;
    std::string problem = find(own_phi, own_phi ? choice.own_phi : choice.shared_phi);
    if (!problem.empty()) return problem;
  }
  return {};
}

std::string find_streamed(const PopulationConfig& config, bool pixels, const DeviceInfo& device,
                          TrainingChoice& choice) {
  kernels::StreamedProblem problem;
  problem.tiling = tiling_of(config);
  problem.batch = config.batch;
  problem.pixels = pixels;
  problem.single = config.precision == Precision::single_precision;
  problem.major = device.major;
  problem.shared_limit = device.shared_bytes;
  return for_each_kind(config, choice, [&](bool own_phi, TrainingChoice::Shapes& shapes) {
    problem.own_phi = own_phi;
    const kernels::StreamedPlan plan = kernels::streamed_plan(problem);
    shapes.streamed = plan.shape;
    return plan.problem;
  });
}

std::string find_resident(const PopulationConfig& config, bool pixels, const DeviceInfo& device,
                          const ClusterCount& clusters_of, TrainingChoice& choice) {
  if (device.major < 9) return "clusters need a device of compute capability 9.0";
  if (config.precision != Precision::single_precision) return "it is made for single precision";
  kernels::ResidentProblem problem;
  problem.tiling = tiling_of(config);
  problem.batch = config.batch;
  problem.pixels = pixels;
  for (const NetworkConfig& member : config.members) {
    problem.most_groups =
        std::max(problem.most_groups, static_cast<int>(phi_group_count(member.noise, config.architecture)));
  }
  problem.shared_limit = device.shared_bytes;
  return for_each_kind(config, choice, [&](bool own_phi, TrainingChoice::Shapes& shapes) {
    problem.own_phi = own_phi;
    const kernels::ResidentPlan plan = kernels::resident_plan(problem);
    shapes.resident = plan.shape;
    if (!plan.problem.empty()) return plan.problem;
    kernels::ResidentTraining args;
    args.of.own_phi = own_phi;
    args.shape = plan.shape;
    args.clusters = 1;
    shapes.clusters = clusters_of(args);
    if (shapes.clusters > 0) return std::string();
    return "the device runs no cluster of " + std::to_string(plan.shape.cluster) + " blocks with " +
           std::to_string(plan.shape.shared_bytes) + " bytes of shared memory each";
  });
}

// What a step of all networks takes, picoseconds. A model for an H200 from instruction counts, bandwidths and
// latencies of literature, not measured; bench/README.md has it in words.

double graph_time(double parameters, double networks) {
  // Ten kernels, and instructions with memory for all.
  return 20e6 + 20.0 * parameters * networks;
}
/// Of networks of one kind: one after another on each multiprocessor, or all by the memory.
double streamed_time(double parameters, double networks, double multiprocessors, bool own_phi) {
  return std::max(750.0 * parameters * std::ceil(networks / multiprocessors),
                  (own_phi ? 11.0 : 5.5) * parameters * networks);
}
/// Of networks of one kind: exchanges, and what the warp with most tiles computes.
double resident_time(const TrainingChoice::Shapes& shapes, int layers, double networks) {
  int tiles = 0;
  for (int c = 0; c < shapes.resident.cluster; ++c)
    tiles = std::max(tiles, shapes.resident.blocks[c].end_tile - shapes.resident.blocks[c].first_tile);
  const double step = 0.6e6 * (2 * layers - 1) + 0.55e6 * std::ceil(tiles / double{kernels::kResidentWarps});
  return step * std::ceil(networks / shapes.clusters);
}

/// The fastest of those without a problem.
TrainingMethod fastest(const PopulationConfig& config, const DeviceInfo& device, const TrainingChoice& choice,
                       bool may_stream, bool may_reside) {
  const auto parameters = static_cast<double>(config.architecture.parameters());
  double streamed = may_stream ? 0 : std::numeric_limits<double>::infinity();
  double resident = may_reside ? 0 : std::numeric_limits<double>::infinity();
  for (const bool own_phi : {true, false}) {
    const auto networks = static_cast<double>(count_of_kind(config, own_phi));
    if (networks == 0) continue;
    streamed += streamed_time(parameters, networks, device.multiprocessors, own_phi);
    if (may_reside)
      resident +=
          resident_time(own_phi ? choice.own_phi : choice.shared_phi, config.architecture.layers(), networks);
  }
  const double graph = graph_time(parameters, static_cast<double>(config.members.size()));
  if (resident < std::min(streamed, graph)) return TrainingMethod::resident;
  return streamed < graph ? TrainingMethod::streamed : TrainingMethod::graph;
}

}  // namespace

TrainingChoice choose_training(const PopulationConfig& config, bool pixels, const DeviceInfo& device,
                               TrainingMethod wanted, const ClusterCount& clusters_of) {
  TrainingChoice choice;
  choice.method = wanted;
  choice.reason = "asked for";
  if (wanted == TrainingMethod::graph) return choice;
  const std::string common = unusual(config, device);
  const auto problem_of = [&](const auto& find) { return common.empty() ? find() : common; };
  const std::string streamed = problem_of([&] { return find_streamed(config, pixels, device, choice); });
  const std::string resident =
      problem_of([&] { return find_resident(config, pixels, device, clusters_of, choice); });
  if (wanted != TrainingMethod::automatic) {
    const std::string& problem = wanted == TrainingMethod::streamed ? streamed : resident;
    if (problem.empty()) return choice;
    throw ConfigError("training_method " + std::string(name(wanted)) +
                      " does not take these networks: " + problem + "; use another, or auto");
  }
  choice.method = fastest(config, device, choice, streamed.empty(), resident.empty());
  choice.reason = "fastest by the model of bench/README.md";
  if (!common.empty()) choice.reason += "; neither resident nor streamed: " + common;
  if (!resident.empty() && common.empty()) choice.reason += "; not resident: " + resident;
  if (!streamed.empty() && common.empty()) choice.reason += "; not streamed: " + streamed;
  return choice;
}

}  // namespace ensyn::cuda
