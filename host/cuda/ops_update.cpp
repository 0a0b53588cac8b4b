// The updates of ensyn/ops.h.
#include <algorithm>
#include <vector>

#include "ensyn/detail/step.h"
#include "ensyn/ops.h"
#include "host/cuda/ops_arguments.h"
#include "host/model/step_constants.h"
#include "kernels/finish_step.h"
#include "kernels/homogeneous_update.h"
#include "kernels/parameter_update.h"

namespace ensyn::ops {
namespace {

using cuda::ArgumentCheck;
using cuda::draw_of;
using cuda::inputs_of;
using cuda::network_of;
using cuda::OperationCheck;
using cuda::stream_of;
using cuda::take_parameters;

static_assert(kMaxCostTerms == kernels::kMaxCostTerms);

/// The settings of an update as kernels take them, by value.
template <class T>
kernels::Networks<T> updated_network(const ArgumentCheck& check, const Update<T>& args) {
  check.settings(args.config, "config.");
  check.fraction(args.fraction);
  if (!args.key && !args.adam_step)
    check.fail("neither key nor adam_step is given: give the number of the step");
  if (args.key) check.key(*args.key, 1, static_cast<std::int64_t>(args.layers.size()));
  const std::uint64_t adam_step = args.adam_step ? *args.adam_step : args.key->step;
  check.step("adam_step", adam_step);
  const auto settings = step_constants<T>(args.config, args.fraction);
  const AdamConfig& adam = args.config.adam;
  kernels::Networks<T> networks = network_of<T>(args.key);
  kernels::NetworkConstants<T>& constants = networks.one_constants;
  constants.magnitude = settings.magnitude;
  constants.inverse_variance = settings.inverse_variance;
  constants.inverse_scale = settings.inverse_scale;
  networks.any_laplace = settings.inverse_scale != 0;
  std::copy(settings.terms.begin(), settings.terms.end(), constants.terms);
  constants.term_count = static_cast<int>(settings.terms.size());
  if (args.config.noise == NoiseKind::homogeneous) constants.sharing = kernels::Sharing::network;
  networks.one_progress.adam =
      ensyn::detail::adam_rates<T>(adam.learning_rate, adam.beta1, adam.beta2, adam.epsilon, adam_step);
  return networks;
}

template <class T>
kernels::LayerUpdate<T> take_layer(OperationCheck& check, const LayerUpdate<T>& args, int batch, int tensor,
                                   bool with_phi) {
  const int inputs = args.parameters.inputs, outputs = args.parameters.outputs;
  const int stride = check.stride("stride", args.parameters.stride, inputs + 1);
  kernels::LayerUpdate<T> layer;
  layer.gradient.layer = {outputs, inputs + 1, stride, tensor};
  layer.parameters = take_parameters(check, args.parameters, inputs + 1, stride, with_phi);
  layer.ready_gradient = args.gradient;
  if (args.gradient != nullptr) {
    check.reads("gradient", args.gradient, outputs, inputs + 1, stride);
    return layer;
  }
  layer.gradient.inputs = inputs_of(args.x, check.stride("x_stride", args.x_stride, inputs));
  layer.gradient.delta = args.delta;
  layer.gradient.delta_stride = check.stride("delta_stride", args.delta_stride, outputs);
  check.reads("x", args.x, batch, inputs, layer.gradient.inputs.stride);
  check.reads("delta", args.delta, batch, outputs, layer.gradient.delta_stride);
  return layer;
}

/// Checks the sizes of all layers. \returns P
template <class T>
double count_parameters(ArgumentCheck& check, std::span<const LayerUpdate<T>> layers) {
  if (layers.empty()) check.fail("layers is empty: give one at least");
  double parameters = 0;
  for (std::size_t l = 0; l < layers.size(); ++l) {
    const Parameters<T>& of = layers[l].parameters;
    check.set_layer(static_cast<int>(l));
    check.layer_size(of.inputs, of.outputs);
    parameters += (of.inputs + 1.0) * of.outputs;
  }
  check.set_layer(-1);
  return parameters;
}

/// The launches of an update, of a few layers each.
template <class T>
std::vector<kernels::ParameterUpdate<T>> take_update(OperationCheck& check, const Update<T>& args,
                                                     NoiseKind noise) {
  check.noise("config.noise", args.config.noise);
  if (args.config.noise != noise) {
    check.fail("config.noise is " + std::string(name(args.config.noise)) + ": use " +
               (noise == NoiseKind::homogeneous ? "ops::update" : "ops::homogeneous_update") +
               ", or set it to " + std::string(name(noise)));
  }
  check.size("batch", args.batch, 1, kMaxSize);
  kernels::ParameterUpdate<T> common;
  count_parameters(check, args.layers);
  common.networks = updated_network(check, args);
  common.batch = args.batch;
  common.draw = draw_of(args.key);
  std::vector<kernels::ParameterUpdate<T>> launches;
  for (std::size_t l = 0; l < args.layers.size(); ++l) {
    if (l % kernels::kMaxUpdateLayers == 0) launches.push_back(common);
    const int index = static_cast<int>(l);
    check.set_layer(index);
    kernels::ParameterUpdate<T>& launch = launches.back();
    launch.layers[launch.layer_count++] = take_layer(
        check, args.layers[l], args.batch, (args.key ? static_cast<int>(args.key->tensor) : 0) + index,
        noise == NoiseKind::heterogeneous);
  }
  check.set_layer(-1);
  return launches;
}

template <class T>
void run(const Update<T>& args, cudaStream_t stream) {
  OperationCheck check("update");
  const auto launches = take_update(check, args, NoiseKind::heterogeneous);
  check.overlaps();
  for (const auto& launch : launches) kernels::parameter_update(launch, stream);
}

/// Partial sums, up to a multiple of 8 bytes.
template <class T>
std::size_t workspace_bytes(ArgumentCheck& check, std::span<const LayerUpdate<T>> layers) {
  count_parameters(check, layers);
  std::size_t sums = 0;
  for (const LayerUpdate<T>& layer : layers) {
    kernels::ParameterUpdate<T> one;
    one.layer_count = 1;
    one.layers[0].gradient.layer = {layer.parameters.outputs, layer.parameters.inputs + 1, 0, 0};
    sums += static_cast<std::size_t>(kernels::partial_sum_count(one));
  }
  return (sums * sizeof(T) + sizeof(double) - 1) / sizeof(double) * sizeof(double);
}

template <class T>
void run(const HomogeneousUpdate<T>& args, cudaStream_t stream) {
  OperationCheck check("homogeneous_update");
  const auto launches = take_update(check, args.update, NoiseKind::homogeneous);
  ArgumentCheck sizes("homogeneous_update");
  const std::size_t needed = workspace_bytes(sizes, args.update.layers);
  if (args.workspace_bytes < needed) {
    check.fail("workspace_bytes = " + std::to_string(args.workspace_bytes) + ": give at least " +
               std::to_string(needed) + ", as homogeneous_workspace_bytes says");
  }
  check.writes("shared_phi", args.shared_phi, 1, 3, 3);
  const auto words = static_cast<std::int64_t>(needed / sizeof(std::uint64_t));
  check.writes("workspace", static_cast<std::uint64_t*>(args.workspace), 1, words, words);
  check.overlaps();

  auto* const partial_sums = static_cast<T*>(args.workspace);
  int done = 0;
  for (const auto& launch : launches) {
    kernels::HomogeneousUpdate<T> kernel;
    kernel.update = launch;
    kernel.update.networks.shared_phi = args.shared_phi;
    kernel.partial_sums = partial_sums + done;
    kernel.partial_sum_stride = kernels::partial_sum_count(launch);
    kernels::homogeneous_update(kernel, stream);
    done += kernel.partial_sum_stride;
  }
  kernels::FinishStep<T> finish;
  finish.one_constants = launches.front().networks.one_constants;
  finish.one_constants.group_count = 1;
  finish.one_adam = launches.front().networks.one_progress.adam;
  finish.shared_phi = args.shared_phi;
  finish.partial_sums = partial_sums;
  finish.partial_sum_count = done;
  finish.one_group = {0, done, count_parameters(sizes, args.update.layers)};
  kernels::finish_step(finish, stream);
}

}  // namespace

void update(const Update<float>& args, void* stream) {
  run(args, stream_of(stream));
}
void update(const Update<double>& args, void* stream) {
  run(args, stream_of(stream));
}
void homogeneous_update(const HomogeneousUpdate<float>& args, void* stream) {
  run(args, stream_of(stream));
}
void homogeneous_update(const HomogeneousUpdate<double>& args, void* stream) {
  run(args, stream_of(stream));
}
std::size_t homogeneous_workspace_bytes(std::span<const LayerUpdate<float>> layers) {
  ArgumentCheck check("homogeneous_workspace_bytes");
  return workspace_bytes(check, layers);
}
std::size_t homogeneous_workspace_bytes(std::span<const LayerUpdate<double>> layers) {
  ArgumentCheck check("homogeneous_workspace_bytes");
  return workspace_bytes(check, layers);
}

}  // namespace ensyn::ops
