/// \file
/// The command line: flags, subcommands and help.
#pragma once

#include <vector>

#include "host/driver/settings/command.h"

namespace ensyn::driver {

/// Parses the command line into the flags of the command that it names.
/// \returns that command; null when help or the version was asked for, which is then printed.
/// \throws ConfigError on anything that is not a command line of these commands
[[nodiscard]] const Command* parse_command_line(int argc, char** argv, const std::vector<Command>& commands);

}  // namespace ensyn::driver
