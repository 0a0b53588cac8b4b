/// \file
/// The driver's commands. Each failure leaves as an exception; main.cpp gives it its exit code and prints it.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>

#include "host/driver/options.h"

namespace ensyn::driver {

/// A subcommand, and what runs it once its command line is parsed.
struct Command {
  CLI::App* app = nullptr;
  std::function<void()> run;
};

[[nodiscard]] Command add_train(CLI::App& parent);
[[nodiscard]] Command add_evaluate(CLI::App& parent);
[[nodiscard]] Command add_info(CLI::App& parent);

/// What every command takes besides its table of options.
struct CommonFlags {
  Values given;             ///< from the command line
  std::string config_file;  ///< empty without --config
  bool quiet = false;
  bool json = false;

  [[nodiscard]] bool prints_text() const { return !quiet && !json; }
};

/// Declares the table's flags, --config, --quiet and --json; `common` must outlive `app`.
void declare_common(CLI::App& app, const OptionTable& table, CommonFlags& common);

/// Puts --config's file and then the command line over `values`. \throws ConfigError
void overlay_given(Values& values, const CommonFlags& common, const OptionTable& table);

}  // namespace ensyn::driver
