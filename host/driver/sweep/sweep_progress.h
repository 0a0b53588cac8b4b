/// \file
/// Where a sweep stands, and how long it will take.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>

#include "host/driver/terminal/progress.h"

namespace ensyn::driver {

/// Counts network-steps (one step of one network). For use from several threads.
class SweepProgress {
 public:
  /// \param networks in the grid. \param steps of each.
  SweepProgress(bool visible, std::size_t networks, std::uint64_t steps);

  /// What ChunkTrainer's watch says, of one of several workers.
  void watch(int worker, std::uint64_t position, std::uint64_t trained);
  /// Rewrites the line, `done` networks being done.
  void show(std::size_t done);
  void clear() { line_.clear(); }

  /// Network-steps trained by this process and its fellows.
  [[nodiscard]] std::uint64_t trained() const;
  /// Seconds since this began.
  [[nodiscard]] double seconds() const;

 private:
  struct Worker {
    std::uint64_t position = 0;  ///< steps behind the networks that it has at hand
    std::uint64_t trained = 0;
  };

  mutable std::mutex mutex_;
  TerminalLine line_;
  std::size_t networks_;
  std::uint64_t steps_;
  std::map<int, Worker> workers_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace ensyn::driver
