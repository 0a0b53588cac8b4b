/// \file
/// What a command of the driver is: what it takes and what runs it. Failures leave as exceptions; main.cpp
/// gives them their exit codes and prints them.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "host/driver/settings/options.h"

namespace ensyn::driver {

/// What every command takes besides its table of options.
struct CommonFlags {
  Values given;             ///< from the command line
  std::string config_file;  ///< empty without --config
  bool quiet = false;
  bool json = false;
  bool verbose = false;

  [[nodiscard]] bool prints_text() const { return !quiet && !json; }
  /// Puts --config's file and then the command line over `values`, and what a preset says under them. \throws
  /// ConfigError
  void overlay(Values& values, const OptionTable& table) const {
    if (!config_file.empty()) values.overlay(read_config_file(config_file, table));
    values.overlay(given);
    values.apply_preset(table);
  }
};

/// Of commands that replace a run in `out` only where they are told to.
struct OverwriteFlags : CommonFlags {
  bool overwrite = false;
};

/// A flag without a value.
struct Switch {
  std::string name;
  bool* value;
  std::string help;
};

/// An argument without a flag, which must be given.
struct Argument {
  std::string name;
  std::string* value;
  std::string help;
};

/// Arguments without a flag, of which at least one must be given.
struct Arguments {
  std::string name;
  std::vector<std::string>* values;
  std::string help;
};

/// One subcommand. The parse of the command line fills `flags` and what `switches`, `argument` and
/// `arguments` point to, which are kept alive by `run`.
struct Command {
  std::string name;
  std::string help;
  const OptionTable& options;
  CommonFlags& flags;
  std::vector<Switch> switches;
  std::optional<Argument> argument;
  std::function<void()> run;
  std::optional<Arguments> arguments = std::nullopt;
};

}  // namespace ensyn::driver
