#include "ensyn/ops.h"

#include <algorithm>

#include "host/cuda/ops_arguments.h"
#include "host/model/state.h"
#include "host/model/step_constants.h"
#include "kernels/cross_entropy.h"
#include "kernels/gradient_statistics.h"
#include "kernels/initialize.h"
#include "kernels/materialize.h"
#include "kernels/noisy_backward.h"
#include "kernels/noisy_forward.h"

namespace ensyn::ops {
namespace {

using cuda::draw_of;
using cuda::inputs_of;
using cuda::network_of;
using cuda::OperationCheck;
using cuda::stream_of;
using cuda::take_parameters;

constexpr const char* kFewerExamples = "give the examples in several calls";
constexpr const char* kFewerInputs = "use a layer of fewer inputs";
constexpr const char* kFewerOutputs = "use a layer of fewer outputs";

/// Fills what all kernels that draw weights have in common: networks, layer, mu, phi and draw.
template <class T, class Arguments>
void take_weights(OperationCheck& check, const Weights<T>& weights, std::int64_t steps, Arguments& args) {
  check.layer_size(weights.inputs, weights.outputs);
  const int columns = weights.inputs + 1, stride = check.stride("stride", weights.stride, columns);
  check.reads("mu", weights.mu, weights.outputs, columns, stride);
  args.networks = network_of<T>(weights.key);
  args.layer = {weights.outputs, columns, stride, 0};
  args.mu = weights.mu;
  args.draw = draw_of(weights.key);
  if (!weights.key) return;
  check.key(*weights.key, steps, 1);
  check.noise("noise", weights.noise);
  args.layer.tensor = static_cast<int>(weights.key->tensor);
  if (weights.noise == NoiseKind::homogeneous) {
    check.reads("phi", weights.phi, 1, 1, 1);
    args.networks.one_constants.sharing = kernels::Sharing::network;
    args.networks.shared_phi = const_cast<T*>(weights.phi);  // read only
  } else {
    check.reads("phi", weights.phi, weights.outputs, columns, stride);
    args.phi = weights.phi;
  }
}

template <class T>
void run(const Noise<T>& args, cudaStream_t stream) {
  OperationCheck check("noise");
  check.size("rows", args.rows, 1, kMaxSize);
  check.size("columns", args.columns, 1, kMaxSize);
  check.key(args.key, 1, 1);
  kernels::Materialize<T> kernel;
  kernel.networks = network_of<T>(args.key);
  kernel.layer = {args.rows, args.columns, args.columns, static_cast<int>(args.key.tensor)};
  kernel.draw = draw_of(args.key);
  kernel.output = args.output;
  kernel.output_stride = check.stride("output_stride", args.output_stride, args.columns);
  check.grid(kernels::materialize_shape(kernel), kFewerInputs);
  check.writes("output", args.output, args.rows, args.columns, kernel.output_stride);
  kernels::materialize(kernel, stream);
}

template <class T>
void run(const SampleWeights<T>& args, cudaStream_t stream) {
  OperationCheck check("sample_weights");
  kernels::Materialize<T> kernel;
  take_weights(check, args.weights, 1, kernel);
  kernel.output = args.output;
  kernel.output_stride = check.stride("output_stride", args.output_stride, kernel.layer.columns);
  check.grid(kernels::materialize_shape(kernel), kFewerInputs);
  check.writes("output", args.output, kernel.layer.rows, kernel.layer.columns, kernel.output_stride);
  check.overlaps();
  kernels::materialize(kernel, stream);
}

template <class T>
void run(const Forward<T>& args, cudaStream_t stream) {
  OperationCheck check("forward");
  check.size("batch", args.batch, 1, kMaxSize);
  const int examples = args.examples == 0 ? args.batch : args.examples;
  check.size("examples", examples, 1, kMaxSize);
  if (args.activation && *args.activation != Activation::relu) check.fail("activation is unknown: use relu");
  const int minibatches = kernels::ceil_divide(examples, args.batch);
  kernels::NoisyForward<T> kernel;
  take_weights(check, args.weights, minibatches, kernel);
  const int inputs = args.weights.inputs, outputs = args.weights.outputs;
  kernel.inputs = inputs_of(args.x, check.stride("x_stride", args.x_stride, inputs));
  kernel.output = args.output;
  kernel.output_stride = check.stride("output_stride", args.output_stride, outputs);
  kernel.batch = std::min(args.batch, examples);
  kernel.examples = examples;
  kernel.rectify = args.activation.has_value();
  kernel.tile = kernels::noisy_forward_tile(outputs, kernel.batch, minibatches, check.multiprocessors());
  check.grid(kernels::noisy_forward_shape(kernel), kFewerOutputs);
  check.reads("x", args.x, examples, inputs, kernel.inputs.stride);
  check.writes("output", args.output, examples, outputs, kernel.output_stride);
  check.overlaps();
  kernels::noisy_forward(kernel, stream);
}

template <class T>
void run(const Backward<T>& args, cudaStream_t stream) {
  OperationCheck check("backward");
  check.size("batch", args.batch, 1, kMaxSize);
  kernels::NoisyBackward<T> kernel;
  take_weights(check, args.weights, 1, kernel);
  const int inputs = args.weights.inputs, outputs = args.weights.outputs;
  kernel.delta = args.delta;
  kernel.delta_stride = check.stride("delta_stride", args.delta_stride, outputs);
  kernel.activation = args.activation;
  kernel.activation_stride = check.stride("activation_stride", args.activation_stride, inputs);
  kernel.output = args.output;
  kernel.output_stride = check.stride("output_stride", args.output_stride, inputs);
  kernel.batch = args.batch;
  kernel.tile = kernels::noisy_backward_tile(inputs + 1, args.batch, 1, check.multiprocessors());
  check.grid(kernels::noisy_backward_shape(kernel), kFewerExamples);
  check.reads("delta", args.delta, args.batch, outputs, kernel.delta_stride);
  if (args.activation != nullptr) {
    check.reads("activation", args.activation, args.batch, inputs, kernel.activation_stride);
  }
  check.writes("output", args.output, args.batch, inputs, kernel.output_stride);
  check.overlaps();
  kernels::noisy_backward(kernel, stream);
}

template <class T>
void run(const CrossEntropy<T>& args, cudaStream_t stream) {
  OperationCheck check("cross_entropy");
  check.size("classes", args.classes, 2, kMaxClasses);
  check.size("batch", args.batch, 1, kMaxSize);
  kernels::CrossEntropy<T> kernel;
  kernel.logits = args.logits;
  kernel.stride = check.stride("stride", args.stride, args.classes);
  kernel.classes = args.classes;
  kernel.batch = args.batch;
  kernel.labels = args.labels;
  kernel.nll = args.nll;
  kernel.correct = args.correct;
  check.writes("logits", args.logits, args.batch, args.classes, kernel.stride);
  check.reads("labels", args.labels, 1, args.batch, args.batch);
  check.writes("nll", args.nll, 1, args.batch, args.batch);
  check.writes("correct", args.correct, 1, args.batch, args.batch);
  check.overlaps();
  kernels::cross_entropy(kernel, stream);
}

template <class T>
void run(const LogSoftmax<T>& args, cudaStream_t stream) {
  OperationCheck check("log_softmax");
  check.size("classes", args.classes, 2, kMaxClasses);
  check.size("examples", args.examples, 1, kMaxSize);
  const int from = check.stride("logits_stride", args.logits_stride, args.classes);
  const int to = check.stride("output_stride", args.output_stride, args.classes);
  const bool in_place = args.logits == args.output && from == to;
  if (!in_place) check.reads("logits", args.logits, args.examples, args.classes, from);
  check.writes("output", args.output, args.examples, args.classes, to);
  check.overlaps();
  kernels::log_softmax<T>({args.logits, from, args.output, to, args.classes, args.examples}, stream);
}

template <class T>
void run(const Initialize<T>& args, cudaStream_t stream) {
  OperationCheck check("initialize");
  const Parameters<T>& parameters = args.parameters;
  check.settings(args.config, "config.");
  check.layer_size(parameters.inputs, parameters.outputs);
  const NoiseKey key{args.config.seed, args.config.stream.value_or(0), 0, args.tensor, Purpose::initial_mu};
  check.key(key, 1, 1);
  const int columns = parameters.inputs + 1, stride = check.stride("stride", parameters.stride, columns);
  kernels::Initialize<T> kernel;
  kernel.networks = network_of<T>(key);
  kernel.one_value = {args.config.mu_range, inverse_softplus(args.config.sigma_init)};
  kernel.layer = {parameters.outputs, columns, stride, static_cast<int>(args.tensor)};
  check.grid(kernels::initialize_shape(kernel), kFewerInputs);
  kernel.parameters =
      take_parameters(check, parameters, stride, stride, args.config.noise == NoiseKind::heterogeneous);
  check.overlaps();
  kernels::initialize(kernel, stream);
}

template <class T>
void run(const InitializeSharedPhi<T>& args, cudaStream_t stream) {
  OperationCheck check("initialize_shared_phi");
  NetworkConfig config;
  config.sigma_init = args.sigma_init;
  check.settings(config, "");
  check.writes("shared_phi", args.shared_phi, 1, 3, 3);
  // A layer of one weight, whose mu, written first, lies where the first moment is written afterwards.
  T *phi = args.shared_phi, *moment1 = phi + 1, *moment2 = phi + 2;
  kernels::Initialize<T> kernel;
  kernel.one_value = {0.0, inverse_softplus(args.sigma_init)};
  kernel.layer = {1, 1, 1, 0};
  kernel.parameters = {moment1, moment1, moment2, phi, moment1, moment2, 0};
  kernels::initialize(kernel, stream);
}

template <class T>
void run(const GradientStatistics<T>& args, cudaStream_t stream) {
  OperationCheck check("gradient_statistics");
  check.layer_size(args.inputs, args.outputs);
  check.size("batch", args.batch, 1, kMaxSize);
  const int columns = args.inputs + 1, stride = check.stride("stride", args.stride, columns);
  kernels::GradientStatistics<T> kernel;
  kernel.gradient.layer = {args.outputs, columns, stride, 0};
  kernel.gradient.inputs = inputs_of(args.x, check.stride("x_stride", args.x_stride, args.inputs));
  kernel.gradient.delta = args.delta;
  kernel.gradient.delta_stride = check.stride("delta_stride", args.delta_stride, args.outputs);
  if (args.mu != nullptr) {
    NetworkConfig config;
    config.lambda = args.lambda;
    check.settings(config, "");
    check.fraction(args.fraction);
    kernel.networks.one_constants.magnitude = step_constants<T>(config, args.fraction).magnitude;
    check.reads("mu", args.mu, args.outputs, columns, stride);
  }
  kernel.mu = args.mu;
  kernel.squared_gradient = args.squared_gradient;
  kernel.absolute_gradient = args.absolute_gradient;
  kernel.input_sum = args.input_sum;
  kernel.absolute_input_sum = args.absolute_input_sum;
  kernel.batch = args.batch;
  check.grid(kernels::gradient_statistics_shape(kernel), kFewerInputs);
  check.reads("x", args.x, args.batch, args.inputs, kernel.gradient.inputs.stride);
  check.reads("delta", args.delta, args.batch, args.outputs, kernel.gradient.delta_stride);
  check.writes("squared_gradient", args.squared_gradient, args.outputs, columns, stride);
  check.writes("absolute_gradient", args.absolute_gradient, args.outputs, columns, stride);
  if (args.input_sum != nullptr || args.absolute_input_sum != nullptr) {
    check.writes("input_sum", args.input_sum, 1, args.inputs, args.inputs);
    check.writes("absolute_input_sum", args.absolute_input_sum, 1, args.inputs, args.inputs);
  }
  check.overlaps();
  kernels::gradient_statistics(kernel, stream);
}

}  // namespace

void noise(const Noise<float>& args, void* stream) {
  run(args, stream_of(stream));
}
void noise(const Noise<double>& args, void* stream) {
  run(args, stream_of(stream));
}
void sample_weights(const SampleWeights<float>& args, void* stream) {
  run(args, stream_of(stream));
}
void sample_weights(const SampleWeights<double>& args, void* stream) {
  run(args, stream_of(stream));
}
void forward(const Forward<float>& args, void* stream) {
  run(args, stream_of(stream));
}
void forward(const Forward<double>& args, void* stream) {
  run(args, stream_of(stream));
}
void backward(const Backward<float>& args, void* stream) {
  run(args, stream_of(stream));
}
void backward(const Backward<double>& args, void* stream) {
  run(args, stream_of(stream));
}
void cross_entropy(const CrossEntropy<float>& args, void* stream) {
  run(args, stream_of(stream));
}
void cross_entropy(const CrossEntropy<double>& args, void* stream) {
  run(args, stream_of(stream));
}
void log_softmax(const LogSoftmax<float>& args, void* stream) {
  run(args, stream_of(stream));
}
void log_softmax(const LogSoftmax<double>& args, void* stream) {
  run(args, stream_of(stream));
}
void initialize(const Initialize<float>& args, void* stream) {
  run(args, stream_of(stream));
}
void initialize(const Initialize<double>& args, void* stream) {
  run(args, stream_of(stream));
}
void initialize_shared_phi(const InitializeSharedPhi<float>& args, void* stream) {
  run(args, stream_of(stream));
}
void initialize_shared_phi(const InitializeSharedPhi<double>& args, void* stream) {
  run(args, stream_of(stream));
}
void gradient_statistics(const GradientStatistics<float>& args, void* stream) {
  run(args, stream_of(stream));
}
void gradient_statistics(const GradientStatistics<double>& args, void* stream) {
  run(args, stream_of(stream));
}

}  // namespace ensyn::ops
