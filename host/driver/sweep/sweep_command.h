/// \file
/// `ensyn sweep`.
#pragma once

#include "host/driver/settings/command.h"

namespace ensyn::driver {

[[nodiscard]] Command sweep_command();

}  // namespace ensyn::driver
