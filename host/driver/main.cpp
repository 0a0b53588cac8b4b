/// \file
/// The `ensyn` program: finds the command, runs it, and turns its failure into an exit code and one line.
#include <algorithm>
#include <exception>
#include <iostream>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

#include "ensyn/error.h"
#include "host/driver/bayes/bayes.h"
#include "host/driver/commands.h"
#include "host/driver/files/text.h"
#include "host/driver/report/command.h"
#include "host/driver/reproduce/reproduce.h"
#include "host/driver/settings/command_line.h"
#include "host/driver/signatures/signatures.h"
#include "host/driver/sweep/sweep_command.h"
#include "host/driver/terminal/signals.h"
#include "host/driver/terminal/verbose.h"

namespace ensyn::driver {
namespace {

enum ExitCode { kDone = 0, kFailure = 1, kBadUsage = 2, kBadData = 3, kNoDevice = 4 };

constexpr const char* kOutOfMemory =
    "out of memory: use a smaller network, batch, data set or number of samples";

int fail(ExitCode code, std::string message) {
  std::ranges::replace(message, '\n', ' ');
  // What it repeats of files and flags may hold characters that a terminal obeys.
  std::cerr << "ensyn: " << legible(message) << std::endl;
  return code;
}

/// The exit code of the exception in flight, whose text is printed.
int report_current_exception() {
  try {
    throw;
  } catch (const ConfigError& error) {
    return fail(kBadUsage, error.what());
  } catch (const DataError& error) {
    return fail(kBadData, error.what());
  } catch (const DeviceError& error) {
    return fail(kNoDevice, error.what());
  } catch (const std::bad_alloc&) {
    return fail(kFailure, kOutOfMemory);
  } catch (const std::length_error&) {
    return fail(kFailure, kOutOfMemory);
  } catch (const std::exception& error) {
    return fail(kFailure, error.what());
  }
}

/// Those that `reproduce` runs.
std::vector<Command> commands_of_runs() {
  return {sweep_command(),      signatures_command(), bayes_command(),
          regression_command(), biophysics_command(), experiments_command()};
}

/// All of them, in the order of the help.
std::vector<Command> all_commands() {
  return {train_command(),      sweep_command(),
          evaluate_command(),   signatures_command(),
          bayes_command(),      regression_command(),
          biophysics_command(), experiments_command(),
          report_command(),     reproduce_command(commands_of_runs),
          info_command()};
}

int run(int argc, char** argv) {
  const std::vector<Command> commands = all_commands();
  const Command* command = parse_command_line(argc, argv, commands);
  if (command != nullptr) {
    set_verbose(command->flags.verbose);
    command->run();
  }
  std::cout.flush();
  if (!std::cout) return fail(kFailure, "standard output cannot be written");
  return kDone;
}

}  // namespace
}  // namespace ensyn::driver

int main(int argc, char** argv) {
  ensyn::driver::ignore_file_size_signal();
  try {
    return ensyn::driver::run(argc, argv);
  } catch (...) {
    return ensyn::driver::report_current_exception();
  }
}
