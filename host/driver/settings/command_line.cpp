#include "host/driver/settings/command_line.h"

#include <CLI/CLI.hpp>
#include <filesystem>
#include <string>
#include <system_error>

#include "ensyn/device.h"
#include "host/driver/files/text.h"

namespace ensyn::driver {
namespace {

constexpr const char* kFooter =
    "exit codes: 0 done; 2 bad usage or configuration; 3 bad or missing data; 4 no such device;\n"
    "            1 anything else, such as a folder that cannot be written, divergence, or an interruption";

void declare_options(CLI::App& app, const OptionTable& table, Values& values) {
  for (const Option& option : table) {
    if (option.kind == Kind::boolean) {
      const std::string flag = flag_name(option.key);
      app.add_flag_callback(
          flag, [&option, &values, flag] { values.set(option.key, true, flag); }, option.help);
      continue;
    }
    const auto take = [&option, &values](const std::vector<std::string>& words) {
      values.set(option.key, from_command_line(option, words), flag_name(option.key));
    };
    CLI::Option* declared =
        app.add_option_function<std::vector<std::string>>(flag_name(option.key), take, option.help);
    declared->allow_extra_args(false)->option_text(
        option.value_name + (option.fallback.empty() ? "" : " [" + option.fallback + "]"));
    // As in most programs the last of several is taken, so that a script's flags can be appended to.
    if (!is_repeated(option.kind)) declared->expected(1)->take_last();
  }
}

void declare(CLI::App& parent, const Command& command) {
  CLI::App& app = *parent.add_subcommand(command.name, command.help);
  app.footer(kFooter);
  if (command.argument) {
    const Argument& argument = *command.argument;
    app.add_option(argument.name, *argument.value, argument.help)->required()->option_text(" ");
  }
  if (command.arguments) {
    const Arguments& arguments = *command.arguments;
    app.add_option(arguments.name, *arguments.values, arguments.help)->required()->option_text("...");
  }
  declare_options(app, command.options, command.flags.given);
  app.add_option("--config", command.flags.config_file,
                 "JSON file of settings, flags' names with _ for -; flags go before it")
      ->option_text("FILE");
  app.add_flag("--quiet", command.flags.quiet, "no progress and no summary");
  app.add_flag("--json", command.flags.json,
               "the summary as JSON on standard output, and nothing else there");
  app.add_flag("--verbose", command.flags.verbose,
               "says on standard error where each population computes, how it trains, and why");
  for (const Switch& flag : command.switches) app.add_flag(flag.name, *flag.value, flag.help);
}

std::string usage_error(const CLI::App& app, const CLI::ParseError& error) {
  const auto chosen = app.get_subcommands();
  if (!chosen.empty())
    return std::string(error.what()) + "; see ensyn " + chosen.front()->get_name() + " --help";
  const auto unknown = app.remaining();
  const std::string what = unknown.empty() ? "no command is given" : unknown.front() + " is no command";
  return what + "; see ensyn --help";
}

/// Paths and names end up in JSON files, of which a run must be found and resumed again; so they are refused
/// here, before anything is done, where JSON cannot hold them.
void check_utf8(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    if (is_utf8(argv[i])) continue;
    throw ConfigError("argument " + std::to_string(i) + ", '" + legible(argv[i]) +
                      "', is not UTF-8: give another, or rename the file or folder that it names");
  }
  // Relative paths become absolute ones.
  std::error_code ignored;
  const std::string folder = std::filesystem::current_path(ignored).string();
  if (is_utf8(folder)) return;
  throw ConfigError("the current folder '" + legible(folder) +
                    "' has a name that is not UTF-8: rename it, or start ensyn in another");
}

}  // namespace

const Command* parse_command_line(int argc, char** argv, const std::vector<Command>& commands) {
  check_utf8(argc, argv);
  CLI::App app("Trains and evaluates networks of noisy, energy-efficient synapses.", "ensyn");
  app.set_version_flag("--version", "ensyn " + build_info().version);
  app.require_subcommand(1);
  app.footer(kFooter);
  for (const Command& command : commands) declare(app, command);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() != 0) throw ConfigError(usage_error(app, error));
    app.exit(error);
    return nullptr;
  }
  for (const Command& command : commands) {
    if (app.got_subcommand(command.name)) return &command;
  }
  return nullptr;
}

}  // namespace ensyn::driver
