// The CUDA backend of a build without CUDA.
#include "ensyn/error.h"
#include "host/cuda/cuda_engine.h"

namespace ensyn::cuda {
namespace {

constexpr const char* kProblem =
    "this build of ensyn has no CUDA backend; use --device cpu, or build with -DENSYN_ENABLE_CUDA=ON";

}  // namespace

bool is_built() noexcept {
  return false;
}

std::vector<std::string> device_descriptions() {
  return {};
}

std::string why_unusable() {
  return kProblem;
}

std::unique_ptr<Engine> make_cuda_engine(const PopulationConfig& /*config*/, const Dataset& /*train_data*/,
                                         const ExecutionConfig& /*execution*/,
                                         const EngineOptions& /*options*/) {
  throw DeviceError(std::string("device 'cuda' is not there: ") + kProblem);
}

}  // namespace ensyn::cuda
