#include "host/backend.h"

#include "ensyn/error.h"
#include "host/cpu/cpu_engine.h"

namespace ensyn {

// The one place that knows which backends this build has.
std::unique_ptr<Engine> make_engine(const PopulationConfig& config, const Dataset& train_data,
                                    const ExecutionConfig& execution) {
  if (execution.device == DeviceKind::cuda) {
    throw DeviceError(
        "device 'cuda' is not there: this build of ensyn has no CUDA backend; use --device cpu or auto");
  }
  return cpu::make_cpu_engine(config, train_data, execution);
}

}  // namespace ensyn
