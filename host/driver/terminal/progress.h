/// \file
/// One line on a terminal that says where training stands.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "ensyn/population.h"

namespace ensyn::driver {

/// Rewrites its line on standard error; silent when that is no terminal or `wanted` is false.
class TerminalLine {
 public:
  explicit TerminalLine(bool wanted);
  ~TerminalLine();
  TerminalLine(const TerminalLine&) = delete;
  TerminalLine& operator=(const TerminalLine&) = delete;

  [[nodiscard]] bool visible() const { return visible_; }
  /// Shows as much of the text as fits on one line.
  void show(std::string text);
  void clear();

 private:
  bool visible_;
};

/// While it lives, what a TerminalLine shows begins with its text, and the text alone stands where there is
/// no line: for a command that runs others.
class LineHeading {
 public:
  LineHeading(bool wanted, std::string text);
  ~LineHeading();
  LineHeading(const LineHeading&) = delete;
  LineHeading& operator=(const LineHeading&) = delete;

 private:
  bool visible_;
};

/// The line of one network's training.
class ProgressLine {
 public:
  /// \param first_step steps done before this process started, which its speed leaves out.
  ProgressLine(bool wanted, int epochs, std::uint64_t first_step);

  void show(const Progress& progress);
  void clear() { line_.clear(); }

 private:
  TerminalLine line_;
  int epochs_;
  std::uint64_t first_step_;
  std::chrono::steady_clock::time_point start_;
};

}  // namespace ensyn::driver
