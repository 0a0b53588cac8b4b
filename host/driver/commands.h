/// \file
/// The driver's commands that are one source each; the others stand in folders of their own.
#pragma once

#include "host/driver/settings/command.h"

namespace ensyn::driver {

[[nodiscard]] Command train_command();
[[nodiscard]] Command evaluate_command();
[[nodiscard]] Command regression_command();
[[nodiscard]] Command biophysics_command();
[[nodiscard]] Command experiments_command();
[[nodiscard]] Command info_command();

}  // namespace ensyn::driver
