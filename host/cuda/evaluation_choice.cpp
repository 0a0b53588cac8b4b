// Which of the ways to evaluate a population on a device is taken, and in which parts.

#include <algorithm>

#include "host/cuda/population_evaluator.h"

namespace ensyn::cuda {
namespace {

/// Why the kernel cannot take these networks; empty where it can.
std::string find_shape(const PopulationConfig& config, int batch, bool pixels, const DeviceInfo& device,
                       kernels::EvaluationShape& shape) {
  if (!kernels::trains_whole_networks(device.major, device.minor))
    return "a device of compute capability " + std::to_string(device.major) + "." +
           std::to_string(device.minor) + ", where 8.0, 9.0 and 10.0 are made for";
  if (config.architecture.layers() > kernels::kMaxTiledLayers)
    return "it takes " + std::to_string(kernels::kMaxTiledLayers) + " layers at most";
  const auto other = std::find_if(config.members.begin(), config.members.end(),
                                  [](const auto& member) { return member.law != NoiseLaw::gaussian; });
  if (other != config.members.end())
    return "network " + std::to_string(other - config.members.begin()) + " has noise of the law " +
           std::string(name(other->law));
  const std::vector<kernels::Layer> layers = device_layers(config.architecture);
  kernels::EvaluationProblem problem;
  problem.tiling = kernels::tiling_of(layers.data(), static_cast<int>(layers.size()));
  problem.batch = batch;
  problem.pixels = pixels;
  problem.single = config.precision == Precision::single_precision;
  problem.shared_limit = device.shared_bytes;
  const kernels::EvaluationPlan plan = kernels::evaluation_plan(problem);
  shape = plan.shape;
  return plan.problem;
}

}  // namespace

EvaluationChoice choose_evaluation(const PopulationConfig& config, int batch, bool pixels,
                                   const DeviceInfo& device, TrainingMethod training) {
  EvaluationChoice choice;
  // Who trains by the graph for the sake of the CPU's bits wants them of evaluations too.
  if (training == TrainingMethod::graph) {
    choice.reason = "trained by the graph, whose bits are the CPU's";
    return choice;
  }
  choice.reason = find_shape(config, batch, pixels, device, choice.shape);
  choice.fused = choice.reason.empty();
  if (choice.fused) choice.reason = "a block for each minibatch of a network keeps the device busy";
  return choice;
}

EvaluationParts evaluation_parts(std::size_t most_bytes, std::size_t network_bytes,
                                 std::size_t minibatch_bytes, int networks, std::int64_t minibatches) {
  EvaluationParts parts;
  parts.minibatches =
      std::clamp(static_cast<std::int64_t>(most_bytes / minibatch_bytes), std::int64_t{1}, minibatches);
  if (parts.minibatches < minibatches) return parts;
  const std::size_t of_network =
      std::max(network_bytes, minibatch_bytes * static_cast<std::size_t>(minibatches));
  parts.networks = static_cast<int>(
      std::clamp(most_bytes / of_network, std::size_t{1}, static_cast<std::size_t>(networks)));
  return parts;
}

}  // namespace ensyn::cuda
