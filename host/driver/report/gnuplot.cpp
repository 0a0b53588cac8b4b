#include "host/driver/report/gnuplot.h"

#include <spawn.h>
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

#include "ensyn/error.h"

namespace ensyn::driver::report {
namespace {

constexpr const char* kInstall = "install the Debian package gnuplot-nox and run the report again";

struct CloseFile {
  void operator()(std::FILE* file) const noexcept { static_cast<void>(std::fclose(file)); }
};
/// A file without a name, which is gone when it is closed. Unlike pipes such files cannot fill up and block.
using Scratch = std::unique_ptr<std::FILE, CloseFile>;

Scratch make_scratch() {
  Scratch scratch(std::tmpfile());
  if (!scratch)
    throw IoError(std::string("cannot make a temporary file for gnuplot: ") + std::strerror(errno));
  return scratch;
}

void fill(std::FILE* file, std::string_view content) {
  const bool written = std::fwrite(content.data(), 1, content.size(), file) == content.size();
  if (!written || std::fflush(file) != 0) {
    throw IoError(std::string("cannot write a temporary file for gnuplot: ") + std::strerror(errno));
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

/// \throws IoError when the process cannot be started
Outcome run_program(const std::filesystem::path& program, std::vector<std::string> arguments,
                    std::string_view input) {
  const Scratch in = make_scratch(), out = make_scratch(), error = make_scratch();
  fill(in.get(), input);
  arguments.insert(arguments.begin(), program.string());
  std::vector<char*> argv;
  argv.reserve(arguments.size() + 1);
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, fileno(in.get()), STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, fileno(out.get()), STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, fileno(error.get()), STDERR_FILENO);
  pid_t child = 0;
  const int failure = posix_spawn(&child, program.c_str(), &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (failure != 0) throw IoError("cannot start " + program.string() + ": " + std::strerror(failure));

  Outcome outcome;
  while (waitpid(child, &outcome.status, 0) < 0) {
    if (errno != EINTR) throw IoError("cannot wait for " + program.string() + ": " + std::strerror(errno));
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
std::string reason(const std::string& errors) {
  std::istringstream lines(errors);
  std::string last;
  for (std::string line; std::getline(lines, line);) {
    const std::size_t begin = line.find_first_not_of(" \t");
    if (begin != std::string::npos) last = line.substr(begin);
  }
  return last.empty() ? "it gave no reason" : last;
}

}  // namespace

Gnuplot::Gnuplot() : program_(find_on_path("gnuplot")) {
  if (program_.empty()) {
    problem_ = std::string("gnuplot is not on PATH, so no figure can be drawn: ") + kInstall;
    return;
  }
  const Outcome outcome = run_program(program_, {"--version"}, "");
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
    throw GnuplotError(program_.string() + " could not draw " + what + ": " + reason(outcome.errors) +
                       "; if it lacks a terminal, " + kInstall);
  }
  return outcome.output;
}

}  // namespace ensyn::driver::report
