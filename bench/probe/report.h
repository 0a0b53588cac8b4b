/// \file
/// What the probe found: rows beside the assumptions of the model that they decide on.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace probe {

/// One measurement.
struct Row {
  std::string name, unit;
  std::optional<double> value;       ///< none where the device cannot do it
  std::optional<double> assumption;  ///< of the model (limits.md), in the same unit
  std::string wrong;                 ///< what is wrong with the answer; empty when it is right
  std::string note;                  ///< what the number rests on, for people
  std::string detail;                ///< more of it than a table has room for: only in the file
};

/// Prints rows as they come, so that a measurement that hangs is the one after the last line.
class Report {
 public:
  /// \param header keys and values that say what was measured where; printed at once.
  explicit Report(std::vector<std::pair<std::string, std::string>> header);

  void add(Row row);
  /// A row without value: the device lacks what it would measure.
  void not_here(const std::string& name);

  /// Whether every answer was right.
  [[nodiscard]] bool right() const;
  /// Header and rows as JSON, through a temporary file. \throws ensyn::IoError
  void write(const std::filesystem::path& file) const;

 private:
  std::vector<std::pair<std::string, std::string>> header_;
  std::vector<Row> rows_;
};

}  // namespace probe
