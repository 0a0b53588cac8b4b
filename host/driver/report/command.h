/// \file
/// `ensyn report`.
#pragma once

#include "host/driver/settings/command.h"

namespace ensyn::driver {

[[nodiscard]] Command report_command();

}  // namespace ensyn::driver
