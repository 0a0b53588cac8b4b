/// \file
/// `ensyn reproduce`.
#pragma once

#include <vector>

#include "host/driver/settings/command.h"

namespace ensyn::driver {

/// \param make_commands makes the commands that a reproduction runs, anew for each run
[[nodiscard]] Command reproduce_command(std::vector<Command> (*make_commands)());

}  // namespace ensyn::driver
