// The operations of a build without CUDA.
#include "ensyn/error.h"
#include "ensyn/ops.h"

namespace ensyn::ops {
namespace {

[[noreturn]] void absent() {
  throw DeviceError(
      "ensyn::ops: this build of ensyn has no CUDA backend; build it with -DENSYN_ENABLE_CUDA=ON, or train "
      "with "
      "Population on the CPU");
}

}  // namespace

void noise(const Noise<float>& /*args*/, void* /*stream*/) {
  absent();
}
void noise(const Noise<double>& /*args*/, void* /*stream*/) {
  absent();
}
void sample_weights(const SampleWeights<float>& /*args*/, void* /*stream*/) {
  absent();
}
void sample_weights(const SampleWeights<double>& /*args*/, void* /*stream*/) {
  absent();
}
void forward(const Forward<float>& /*args*/, void* /*stream*/) {
  absent();
}
void forward(const Forward<double>& /*args*/, void* /*stream*/) {
  absent();
}
void backward(const Backward<float>& /*args*/, void* /*stream*/) {
  absent();
}
void backward(const Backward<double>& /*args*/, void* /*stream*/) {
  absent();
}
void cross_entropy(const CrossEntropy<float>& /*args*/, void* /*stream*/) {
  absent();
}
void cross_entropy(const CrossEntropy<double>& /*args*/, void* /*stream*/) {
  absent();
}
void log_softmax(const LogSoftmax<float>& /*args*/, void* /*stream*/) {
  absent();
}
void log_softmax(const LogSoftmax<double>& /*args*/, void* /*stream*/) {
  absent();
}
void initialize(const Initialize<float>& /*args*/, void* /*stream*/) {
  absent();
}
void initialize(const Initialize<double>& /*args*/, void* /*stream*/) {
  absent();
}
void initialize_shared_phi(const InitializeSharedPhi<float>& /*args*/, void* /*stream*/) {
  absent();
}
void initialize_shared_phi(const InitializeSharedPhi<double>& /*args*/, void* /*stream*/) {
  absent();
}
void update(const Update<float>& /*args*/, void* /*stream*/) {
  absent();
}
void update(const Update<double>& /*args*/, void* /*stream*/) {
  absent();
}
void homogeneous_update(const HomogeneousUpdate<float>& /*args*/, void* /*stream*/) {
  absent();
}
void homogeneous_update(const HomogeneousUpdate<double>& /*args*/, void* /*stream*/) {
  absent();
}
void gradient_statistics(const GradientStatistics<float>& /*args*/, void* /*stream*/) {
  absent();
}
void gradient_statistics(const GradientStatistics<double>& /*args*/, void* /*stream*/) {
  absent();
}
std::size_t homogeneous_workspace_bytes(std::span<const LayerUpdate<float>> /*layers*/) {
  absent();
}
std::size_t homogeneous_workspace_bytes(std::span<const LayerUpdate<double>> /*layers*/) {
  absent();
}

}  // namespace ensyn::ops
