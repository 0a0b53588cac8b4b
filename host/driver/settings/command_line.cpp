#include "host/driver/settings/command_line.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <string>
#include <system_error>

#include "ensyn/device.h"
#include "host/driver/files/text.h"
#include "host/driver/settings/nearest.h"

namespace ensyn::driver {
namespace {

constexpr const char* kFooter =
    "exit codes: 0 done; 2 bad usage or configuration; 3 bad or missing data; 4 no such device;\n"
    "            1 anything else, such as a folder that cannot be written, divergence, or an interruption";

/// Of a value that a command takes one of: whether a sweep takes it as several, which is what was meant.
bool is_for_sweep(const Option& option, const std::vector<std::string>& words, const OptionTable& swept) {
  const auto found = std::ranges::find(swept, option.key, &Option::key);
  if (found == swept.end() || found->kind == option.kind) return false;
  try {
    return from_command_line(*found, words).size() > 1;
  } catch (const ConfigError&) {
    return false;
  }
}

/// \param swept the options of `sweep`
void declare_options(CLI::App& app, const OptionTable& table, Values& values, const OptionTable& swept) {
  for (const Option& option : table) {
    if (option.kind == Kind::boolean) {
      const std::string flag = flag_name(option.key);
      app.add_flag_callback(
          flag, [&option, &values, flag] { values.set(option.key, true, flag); }, option.help);
      continue;
    }
    const auto take = [&option, &values, &swept](const std::vector<std::string>& words) {
      try {
        values.set(option.key, from_command_line(option, words), flag_name(option.key));
      } catch (const ConfigError& error) {
        if (!is_for_sweep(option, words, swept)) throw;
        throw ConfigError(std::string(error.what()) + "; several values are for ensyn sweep");
      }
    };
    CLI::Option* declared =
        app.add_option_function<std::vector<std::string>>(flag_name(option.key), take, option.help);
    declared->allow_extra_args(false)->option_text(
        option.value_name + (option.fallback.empty() ? "" : " [" + option.fallback + "]"));
    // As in most programs the last of several is taken, so that a script's flags can be appended to.
    if (!is_repeated(option.kind)) declared->expected(1)->take_last();
  }
}

void declare(CLI::App& parent, const Command& command, const OptionTable& swept) {
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
  declare_options(app, command.options, command.flags.given, swept);
  app.add_option("--config", command.flags.config_file,
                 "JSON file of settings, flags' names with _ for -; flags go before it")
      ->option_text("FILE")
      ->check([](const std::string& file) {
        return file.empty() ? std::string("it must be a file's name, which is not empty") : std::string();
      });
  app.add_flag("--quiet", command.flags.quiet, "no progress and no summary");
  app.add_flag("--json", command.flags.json,
               "the summary as JSON on standard output, and nothing else there");
  app.add_flag("--verbose", command.flags.verbose,
               "says on standard error where each population computes, how it trains, and why");
  for (const Switch& flag : command.switches) app.add_flag(flag.name, *flag.value, flag.help);
}

/// The flags of a command as they are written.
std::vector<std::string> flags_of(const CLI::App& command) {
  std::vector<std::string> flags;
  for (const CLI::Option* option : command.get_options()) {
    for (const std::string& name : option->get_lnames()) flags.push_back("--" + name);
  }
  return flags;
}

std::string usage_error(const CLI::App& app, const CLI::ParseError& error,
                        const std::vector<Command>& commands) {
  const auto chosen = app.get_subcommands();
  if (!chosen.empty()) {
    const CLI::App& command = *chosen.front();
    std::string what = error.what();
    for (const std::string& unknown : command.remaining()) {
      const std::string flag = unknown.substr(0, unknown.find('='));
      if (!flag.starts_with("--")) continue;
      if (const auto meant = nearest(flag, flags_of(command)))
        what += "; for " + flag + ", did you mean " + *meant + "?";
      break;
    }
    return what + "; see ensyn " + command.get_name() + " --help";
  }
  const auto unknown = app.remaining();
  if (unknown.empty()) return "no command is given; see ensyn --help";
  std::vector<std::string> names;
  names.reserve(commands.size());
  for (const Command& command : commands) names.push_back(command.name);
  const auto meant = nearest(unknown.front(), names);
  return unknown.front() + " is no command" + (meant ? ": did you mean " + *meant + "?" : "") +
         "; see ensyn --help";
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
  static const OptionTable kNone;
  const auto sweep = std::ranges::find(commands, "sweep", &Command::name);
  const OptionTable& swept = sweep == commands.end() ? kNone : sweep->options;
  for (const Command& command : commands) declare(app, command, swept);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() != 0) throw ConfigError(usage_error(app, error, commands));
    app.exit(error);
    return nullptr;
  }
  for (const Command& command : commands) {
    if (app.got_subcommand(command.name)) return &command;
  }
  return nullptr;
}

}  // namespace ensyn::driver
