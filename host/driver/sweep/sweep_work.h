/// \file
/// What is still to be done of a sweep: who works asks for a chunk and delivers what comes of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "host/driver/sweep/chunk.h"
#include "host/driver/sweep/grid.h"
#include "host/driver/sweep/sweep_file.h"

namespace ensyn::driver {

/// Where a worker gets its chunks and leaves what comes of them.
class WorkSource {
 public:
  WorkSource() = default;
  WorkSource(const WorkSource&) = delete;
  WorkSource& operator=(const WorkSource&) = delete;
  virtual ~WorkSource() = default;

  /// At most `wanted` networks to train together; nothing when all have been handed out.
  [[nodiscard]] virtual std::optional<Chunk> next(std::size_t wanted) = 0;
  virtual void take(const Delivery& delivery) = 0;
  /// What ChunkTrainer's watch says.
  virtual void watch(std::uint64_t position, std::uint64_t trained) = 0;
};

/// Hands out the networks that have no row yet, and writes the rows. For use from several threads.
class SweepWork {
 public:
  /// \param workers among whom the networks are shared. References are kept.
  SweepWork(const Grid& grid, SweepFile& rows, std::filesystem::path partial, std::vector<Chunk> started,
            int workers);

  /// At most `wanted` networks that may be trained together; nothing when all have been handed out.
  [[nodiscard]] std::optional<Chunk> next(std::size_t wanted);
  /// \throws IoError
  void take(const Delivery& delivery);

  [[nodiscard]] std::size_t done() const;
  [[nodiscard]] std::size_t diverged() const;

 private:
  mutable std::mutex mutex_;
  const Grid& grid_;
  SweepFile& rows_;
  std::filesystem::path partial_;
  std::deque<Chunk> started_;
  std::vector<std::size_t> pending_;  ///< networks that nobody has begun, the last first
  std::size_t workers_;
};

}  // namespace ensyn::driver
