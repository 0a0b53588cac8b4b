// Which of the ways to train a population on a device is taken.

#include <algorithm>
#include <cmath>
#include <string>

#include "ensyn/error.h"
#include "host/cuda/whole_training.h"

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

bool has_kind(const PopulationConfig& config, bool own_phi) {
  return std::any_of(config.members.begin(), config.members.end(), [&](const NetworkConfig& member) {
    return (member.noise == NoiseKind::heterogeneous) == own_phi;
  });
}

/// Shapes for the kinds of networks that there are; a problem instead where one has none.
std::string find_shapes(const PopulationConfig& config, bool pixels, const DeviceInfo& device,
                        TrainingChoice& choice) {
  const std::vector<kernels::Layer> layers = device_layers(config.architecture);
  kernels::StreamedProblem problem;
  problem.tiling = kernels::tiling_of(layers.data(), static_cast<int>(layers.size()));
  problem.batch = config.batch;
  problem.pixels = pixels;
  problem.single = config.precision == Precision::single_precision;
  problem.major = device.major;
  problem.shared_limit = device.shared_bytes;
  for (const bool own_phi : {true, false}) {
    if (!has_kind(config, own_phi)) continue;
    problem.own_phi = own_phi;
    const kernels::StreamedPlan plan = kernels::streamed_plan(problem);
    if (!plan.problem.empty()) return plan.problem;
    (own_phi ? choice.own_phi : choice.shared_phi) = plan.shape;
  }
  return {};
}

/// Whether a block for each network is faster than the graph's kernels, which spread every network over the
/// device. A model for an H200 from instruction counts and bandwidths, not measured: picoseconds of a step,
/// `parameters` those of one network.
bool streaming_pays(double parameters, double networks, double multiprocessors) {
  // Of one network on one multiprocessor, 110 instructions a parameter, and of all by the memory.
  constexpr double kOnOne = 750, kByMemory = 11;
  // Ten kernels, and instructions with memory for all.
  constexpr double kLaunches = 20e6, kOnAll = 20;
  const double turns = std::ceil(networks / multiprocessors);
  const double streamed = std::max(kOnOne * parameters * turns, kByMemory * parameters * networks);
  return streamed < kLaunches + kOnAll * parameters * networks;
}

}  // namespace

TrainingChoice choose_training(const PopulationConfig& config, bool pixels, const DeviceInfo& device,
                               TrainingMethod wanted) {
  TrainingChoice choice;
  if (wanted == TrainingMethod::graph) {
    choice.reason = "asked for";
    return choice;
  }
  std::string problem = unusual(config, device);
  if (problem.empty()) problem = find_shapes(config, pixels, device, choice);
  if (wanted == TrainingMethod::streamed) {
    if (!problem.empty())
      throw ConfigError("training_method streamed does not take these networks: " + problem +
                        "; use graph, or auto");
    choice.method = TrainingMethod::streamed;
    choice.reason = "asked for";
    return choice;
  }
  if (!problem.empty()) {
    choice.reason = "not streamed: " + problem;
    return choice;
  }
  const auto networks = static_cast<double>(config.members.size());
  if (!streaming_pays(static_cast<double>(config.architecture.parameters()), networks,
                      device.multiprocessors)) {
    choice.reason = "not streamed: " + std::to_string(config.members.size()) +
                    " networks of this size do not fill the device";
    return choice;
  }
  choice.method = TrainingMethod::streamed;
  choice.reason = "fastest by the model of bench/README.md";
  return choice;
}

}  // namespace ensyn::cuda
