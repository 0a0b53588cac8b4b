/// \file
/// One line on a terminal that says where training stands.
#pragma once

#include <chrono>
#include <cstdint>

#include "ensyn/population.h"

namespace ensyn::driver {

/// Rewrites its line on standard error; silent when that is no terminal or `wanted` is false.
class ProgressLine {
 public:
  /// \param first_step steps done before this process started, which its speed leaves out.
  ProgressLine(bool wanted, int epochs, std::uint64_t first_step);
  ~ProgressLine();
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  void show(const Progress& progress);
  void clear();

 private:
  bool visible_;
  int epochs_;
  std::uint64_t first_step_;
  std::chrono::steady_clock::time_point start_;
};

}  // namespace ensyn::driver
