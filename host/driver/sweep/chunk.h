/// \file
/// A part of a sweep's grid: networks of one architecture that are trained together as a population.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "host/driver/sweep/grid.h"
#include "host/driver/sweep/sweep_file.h"

namespace ensyn::driver {

struct Chunk {
  std::size_t id = 0;                 ///< its first network when it was made; names its partial file
  std::vector<std::size_t> networks;  ///< to be trained; at least one
  std::vector<std::size_t> saved;     ///< those in its partial file, in order; none when it is not started
};

/// Where a chunk's progress is kept.
[[nodiscard]] std::filesystem::path partial_file(const std::filesystem::path& folder, std::size_t chunk);

/// Bytes of the host's memory that one network takes while it is trained and saved, about: mu, phi and their
/// moments, and while they are saved the same as doubles and as a file.
[[nodiscard]] double network_bytes(const PopulationConfig& config);

/// What comes out of a chunk, in one or several parts.
struct Delivery {
  std::vector<SweepResult> results;
  std::optional<std::size_t> done;  ///< the chunk, when its partial file is of no further use
};

/// Thrown when a signal asked for the end, once progress is saved.
class Interrupted : public Error {
 public:
  using Error::Error;
};

/// Trains chunks. What happens to one network of a chunk does not touch the others.
class ChunkTrainer {
 public:
  /// Called some times a second with the network-steps that are behind the chunk's networks, those of an
  /// earlier process included, and the network-steps that this trainer has run in all.
  using Watch = std::function<void(std::uint64_t position, std::uint64_t trained)>;
  using Deliver = std::function<void(const Delivery&)>;

  /// \param partial the folder for partial files. References are kept.
  ChunkTrainer(const SweepSettings& settings, ExecutionConfig execution, const TrainTest& data,
               const Grid& grid, std::filesystem::path partial);

  /// Where memory does not hold the chunk's networks, be it when they are made, trained or evaluated, halves
  /// of it are trained one after the other. \throws Interrupted, OutOfMemoryError when not even one network
  /// fits, and as Population
  void train(const Chunk& chunk, const Watch& watch, const Deliver& deliver);

  [[nodiscard]] std::uint64_t trained() const { return trained_; }
  /// Where the last population was trained, and how; empty before.
  [[nodiscard]] const std::string& device() const { return device_; }
  [[nodiscard]] const std::string& training_method() const { return training_method_; }
  /// How many networks were found to fit at once, once more did not.
  [[nodiscard]] std::size_t limit() const { return limit_; }

 private:
  class Run;

  const SweepSettings& settings_;
  ExecutionConfig execution_;
  const TrainTest& data_;
  const Grid& grid_;
  std::filesystem::path partial_;
  std::uint64_t trained_ = 0;
  std::string device_, training_method_;
  std::size_t limit_ = std::numeric_limits<std::size_t>::max();
  std::chrono::duration<double> save_time_{0};  ///< of the last one
  std::chrono::steady_clock::time_point saved_at_{};
};

}  // namespace ensyn::driver
