#include "host/backend.h"

#include "ensyn/error.h"
#include "host/cpu/cpu_engine.h"
#include "host/cuda/cuda_engine.h"

namespace ensyn {

// The one place that chooses a backend.
std::unique_ptr<Engine> make_engine(const PopulationConfig& config, const Dataset& train_data,
                                    const ExecutionConfig& execution) {
  const bool wants_cuda = execution.device == DeviceKind::cuda;
  const bool may_use_cuda = execution.device == DeviceKind::automatic && cuda::why_unusable().empty();
  if (wants_cuda || may_use_cuda) return cuda::make_cuda_engine(config, train_data, execution);
  if (execution.training_method != TrainingMethod::automatic) {
    const std::string why = execution.device == DeviceKind::cpu ? "--device cpu" : cuda::why_unusable();
    throw ConfigError("--training-method " + std::string(name(execution.training_method)) +
                      " is one of a CUDA device, and these networks are to train on the CPU (" + why +
                      "): use auto");
  }
  return cpu::make_cpu_engine(config, train_data, execution);
}

void report_divergence(std::span<const std::uint64_t> diverged_at) {
  for (std::size_t member = 0; member < diverged_at.size(); ++member) {
    const std::uint64_t step = diverged_at[member];
    if (step == kNoDivergence) continue;
    throw DivergenceError("the loss of network " + std::to_string(member) + " is not finite at step " +
                              std::to_string(step) + ": lower the learning rate or the cost weights",
                          static_cast<int>(member), step);
  }
}

}  // namespace ensyn
