/// \file
/// The folder of a training run and the files in it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "ensyn/ensyn.h"

namespace ensyn::driver {

/// Removes temporary files that a killed process left of these files, which lie in one folder.
void remove_leftovers(const std::vector<std::filesystem::path>& files);

struct RunFolder {
  std::filesystem::path path;

  [[nodiscard]] std::filesystem::path config() const { return path / "config.json"; }
  [[nodiscard]] std::filesystem::path metrics() const { return path / "metrics.csv"; }
  [[nodiscard]] std::filesystem::path summary() const { return path / "summary.json"; }
  [[nodiscard]] std::filesystem::path model() const { return path / "model.safetensors"; }

  /// Whether any of the four files is there.
  [[nodiscard]] bool holds_run() const;
  /// Removes what commands write into a run's folder; config.json first, so that what a kill leaves is no run
  /// that could be resumed. \throws IoError
  void remove_run() const;
  void remove_leftovers() const { driver::remove_leftovers({config(), summary(), metrics(), model()}); }
};

/// For commands that write all their files at their end and cannot go on with a run.
/// \throws ConfigError where the folder holds a run, of whatever command, that must not be replaced
void check_vacant(const std::filesystem::path& folder, bool overwrite);

/// \throws IoError that names the folder.
void create_folder(const std::filesystem::path& folder);

/// Reads the JSON object that a command of the driver wrote. \throws DataError when the file is damaged
[[nodiscard]] nlohmann::ordered_json read_json(const std::filesystem::path& file);

/// Writes indented JSON with a final newline, whole or not at all. \throws IoError
void write_json(const std::filesystem::path& file, const nlohmann::ordered_json& content);

/// What metrics.csv says of one epoch. It holds nothing that depends on the clock, so that a resumed run
/// writes the same bytes as one that was never stopped.
struct EpochRow {
  std::uint64_t epoch = 0;
  std::uint64_t step = 0;
  TrainingMetrics training;
  std::optional<Evaluation> test;  ///< its columns are empty without one
  Energy energy;
};

class MetricsFile {
 public:
  explicit MetricsFile(std::filesystem::path file) : file_(std::move(file)) {}

  /// Takes up the rows of an earlier run up to and including `epochs`, and forgets later ones.
  /// \throws DataError that names the line where a row is missing, out of order or damaged, or when the file
  /// is not a metrics.csv
  void keep(std::uint64_t epochs, std::uint64_t steps_per_epoch);
  /// Adds a row and replaces the file, whole or not at all. \throws IoError
  void add(const EpochRow& row);

 private:
  void check_row(const std::string& row, std::uint64_t epoch, std::uint64_t step) const;
  [[noreturn]] void fail(std::size_t line, const std::string& what) const;

  std::filesystem::path file_;
  std::vector<std::string> rows_;
};

}  // namespace ensyn::driver
