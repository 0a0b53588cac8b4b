/// \file
/// The `ensyn` program: finds the command, runs it, and turns its failure into an exit code and one line.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <exception>
#include <iostream>
#include <new>
#include <string>

#include "ensyn/ensyn.h"
#include "host/driver/command.h"
#include "host/driver/signals.h"

namespace ensyn::driver {
namespace {

enum ExitCode { kDone = 0, kFailure = 1, kBadUsage = 2, kBadData = 3, kNoDevice = 4 };

constexpr const char* kFooter =
    "exit codes: 0 done; 2 bad usage or configuration; 3 bad or missing data; 4 no such device;\n"
    "            1 anything else, such as a folder that cannot be written, divergence, or an interruption";

int fail(ExitCode code, std::string message) {
  std::ranges::replace(message, '\n', ' ');
  std::cerr << "ensyn: " << message << std::endl;
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
    return fail(kFailure, "out of memory: use a smaller network, batch or data set");
  } catch (const std::exception& error) {
    return fail(kFailure, error.what());
  }
}

std::string usage_error(const CLI::App& app, const CLI::ParseError& error) {
  const auto chosen = app.get_subcommands();
  if (!chosen.empty())
    return std::string(error.what()) + "; see ensyn " + chosen.front()->get_name() + " --help";
  const auto unknown = app.remaining();
  const std::string what = unknown.empty() ? "no command is given" : unknown.front() + " is no command";
  return what + "; see ensyn --help";
}

int run(int argc, char** argv) {
  CLI::App app("Trains and evaluates networks of noisy, energy-efficient synapses.", "ensyn");
  app.set_version_flag("--version", "ensyn " + build_info().version);
  app.require_subcommand(1);
  app.footer(kFooter);
  const std::array commands = {add_train(app), add_evaluate(app), add_info(app)};
  for (const Command& command : commands) command.app->footer(kFooter);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    return fail(kBadUsage, usage_error(app, error));
  }
  for (const Command& command : commands) {
    if (command.app->parsed()) command.run();
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
