#include "host/population/backend.h"

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

}  // namespace ensyn
