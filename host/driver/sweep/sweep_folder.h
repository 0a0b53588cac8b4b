/// \file
/// The folder of a sweep: `config.json`, `sweep.csv`, `sweep_bands.csv`, `summary.json`, and while it is
/// under way `partial/`.
#pragma once

#include <filesystem>
#include <vector>

#include "host/driver/sweep/chunk.h"
#include "host/driver/sweep/grid.h"
#include "host/driver/sweep/sweep_settings.h"

namespace ensyn::driver {

struct SweepFolder {
  std::filesystem::path path;

  [[nodiscard]] std::filesystem::path config() const { return path / "config.json"; }
  [[nodiscard]] std::filesystem::path rows() const { return path / "sweep.csv"; }
  [[nodiscard]] std::filesystem::path bands() const { return path / "sweep_bands.csv"; }
  [[nodiscard]] std::filesystem::path summary() const { return path / "summary.json"; }
  [[nodiscard]] std::filesystem::path partial() const { return path / "partial"; }
  [[nodiscard]] std::filesystem::path journal() const { return partial() / "rows"; }

  /// Checks that the folder does not hold a run of another command. \throws ConfigError, DataError
  void check_command() const;
  /// Gives data of a folder, where they lack `classes`, those that the sweep in this folder was begun with.
  /// \throws DataError
  void take_classes(DataChoice& data) const;
  /// Checks that what the folder holds, if anything, is a sweep that these settings and data go on with.
  /// \throws ConfigError that says what differs, DataError when it is of another version, of other data or
  /// damaged
  void check(const SweepSettings& settings, const TrainTest& data) const;
  /// Removes the files of a sweep, config.json first. \throws IoError
  void remove_sweep() const;
  /// The chunks that an earlier process left in partial/, with what is still to be trained of each; removes
  /// what is of no further use. \throws DataError when a file there is damaged or not of this grid
  [[nodiscard]] std::vector<Chunk> started_chunks(const Grid& grid, const SweepFile& rows) const;
};

}  // namespace ensyn::driver
