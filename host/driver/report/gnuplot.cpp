#include "host/driver/report/gnuplot.h"

#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <sstream>
#include <vector>

#include "host/driver/files/text.h"

namespace ensyn::driver::report {
namespace {

constexpr const char* kInstall = "install the Debian package gnuplot-nox and run the report again";

struct CloseFile {
  void operator()(std::FILE* file) const noexcept { static_cast<void>(std::fclose(file)); }
};
/// A file in memory, which is gone when it is closed: no folder need be writable for it, and unlike a pipe it
/// cannot fill up and block.
using Scratch = std::unique_ptr<std::FILE, CloseFile>;

Scratch make_scratch() {
  // gnuplot gets copies of its own, so that the originals close where it starts.
  const int descriptor = memfd_create("gnuplot", MFD_CLOEXEC);
  Scratch scratch(descriptor < 0 ? nullptr : fdopen(descriptor, "w+"));
  if (!scratch) {
    const int code = errno;
    if (descriptor >= 0) close(descriptor);
    throw GnuplotError(std::string("no memory for gnuplot's script and picture: ") + std::strerror(code));
  }
  return scratch;
}

void fill(std::FILE* file, std::string_view content) {
  const bool written = std::fwrite(content.data(), 1, content.size(), file) == content.size();
  if (!written || std::fflush(file) != 0) {
    throw GnuplotError(std::string("no memory for gnuplot's script: ") + std::strerror(errno));
  }
  std::rewind(file);
}

std::string content_of(std::FILE* file) {
  std::rewind(file);
  std::string content;
  std::array<char, 1 << 16> buffer{};
  for (std::size_t count = 0; (count = std::fread(buffer.data(), 1, buffer.size(), file)) > 0;) {
    content.append(buffer.data(), count);
  }
  return content;
}

struct Outcome {
  int status = 0;  ///< as of waitpid
  std::string output, errors;
};

/// This process's environment without what changes gnuplot's ways: the terminal, and folders of scripts,
/// drivers and fonts (GNUTERM, GNUPLOT_LIB, GNUPLOT_DRIVER_DIR and so on).
std::vector<char*> environment() {
  std::vector<char*> variables;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    if (!std::string_view(*variable).starts_with("GNU")) variables.push_back(*variable);
  }
  variables.push_back(nullptr);
  return variables;
}

/// \throws GnuplotError when the process cannot be started
Outcome run_program(const std::filesystem::path& program, std::vector<std::string> arguments,
                    std::string_view input) {
  const Scratch in = make_scratch(), out = make_scratch(), error = make_scratch();
  fill(in.get(), input);
  arguments.insert(arguments.begin(), program.string());
  std::vector<char*> argv;
  argv.reserve(arguments.size() + 1);
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);

  const std::vector<char*> variables = environment();
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, fileno(in.get()), STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, fileno(out.get()), STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, fileno(error.get()), STDERR_FILENO);
  pid_t child = 0;
  const int failure = posix_spawn(&child, program.c_str(), &actions, nullptr, argv.data(), variables.data());
  posix_spawn_file_actions_destroy(&actions);
  if (failure != 0) throw GnuplotError("cannot start " + program.string() + ": " + std::strerror(failure));

  Outcome outcome;
  while (waitpid(child, &outcome.status, 0) < 0) {
    if (errno != EINTR)
      throw GnuplotError("cannot wait for " + program.string() + ": " + std::strerror(errno));
  }
  outcome.output = content_of(out.get());
  outcome.errors = content_of(error.get());
  return outcome;
}

std::filesystem::path find_on_path(const std::string& name) {
  const char* path = std::getenv("PATH");
  std::istringstream folders(path == nullptr ? "" : path);
  for (std::string folder; std::getline(folders, folder, ':');) {
    if (folder.empty()) continue;
    std::filesystem::path file = std::filesystem::path(folder) / name;
    std::error_code ignored;
    if (std::filesystem::is_regular_file(file, ignored) && access(file.c_str(), X_OK) == 0) return file;
  }
  return {};
}

/// The line of gnuplot's complaint that says what is wrong; it also echoes the script.
std::string reason(const Outcome& outcome) {
  std::istringstream lines(outcome.errors);
  std::string last;
  for (std::string line; std::getline(lines, line);) {
    const std::size_t begin = line.find_first_not_of(" \t");
    if (begin != std::string::npos) last = line.substr(begin);
  }
  if (WIFSIGNALED(outcome.status)) {
    last += (last.empty() ? "" : "; ") + std::string("it was ended by signal ") +
            std::to_string(WTERMSIG(outcome.status));
  }
  if (last.empty()) return "it gave no reason";
  // A gnuplot built with fewer terminals is the one fault that another package mends.
  const bool terminal = last.find("terminal") != std::string::npos;
  return legible(last) + (terminal ? std::string("; ") + kInstall : "");
}

}  // namespace

Gnuplot::Gnuplot() : program_(find_on_path("gnuplot")) {
  if (program_.empty()) {
    problem_ = std::string("gnuplot is not on PATH, so no figure can be drawn: ") + kInstall;
    return;
  }
  Outcome outcome;
  try {
    outcome = run_program(program_, {"--version"}, "");
  } catch (const GnuplotError& error) {
    problem_ = error.what();
    return;
  }
  int major = 0, minor = 0;
  if (std::sscanf(outcome.output.c_str(), "gnuplot %d.%d", &major, &minor) != 2) {
    problem_ = program_.string() + " does not tell its version: " + kInstall;
  } else if (major < 5 || (major == 5 && minor < 4)) {
    problem_ = program_.string() + " is version " + std::to_string(major) + "." + std::to_string(minor) +
               ", but the figures need 5.4 or newer: " + kInstall;
  }
}

std::string Gnuplot::run(std::string_view script, const std::string& what) const {
  // -d leaves out the user's own settings, which would change the figures.
  const Outcome outcome = run_program(program_, {"-d"}, script);
  const bool done = WIFEXITED(outcome.status) && WEXITSTATUS(outcome.status) == 0;
  if (!done || outcome.output.empty()) {
    throw GnuplotError(program_.string() + " could not draw " + what + ": " + reason(outcome));
  }
  return outcome.output;
}

}  // namespace ensyn::driver::report
