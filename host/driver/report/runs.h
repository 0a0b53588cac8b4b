/// \file
/// Run folders: what lies in them, and how they were made.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "host/driver/report/table.h"

namespace ensyn::driver::report {

struct Run {
  std::filesystem::path folder;
  std::string name;               ///< of the folder, as the report calls it
  nlohmann::ordered_json config;  ///< of config.json; null where there is none

  [[nodiscard]] bool holds(const std::string& file) const;
  /// A setting as text; empty where config.json has none.
  [[nodiscard]] std::string setting(const std::string& key) const;
};

/// The runs in these folders and in their subfolders, in the order given and then by name.
/// \throws ConfigError when a folder is given twice; DataError when one does not exist, holds no run that can
/// be reported, or has a damaged config.json
[[nodiscard]] std::vector<Run> find_runs(const std::vector<std::filesystem::path>& folders);

/// Those that hold `file`.
[[nodiscard]] std::vector<Run> with_file(const std::vector<Run>& runs, const std::string& file);

/// How a run's settings differ from the paper's, as text such as `epochs 10 (50)`; empty where they do not.
[[nodiscard]] std::vector<std::string> departures(const Run& run);

/// The same of all these runs, as a sentence; empty where none differs.
[[nodiscard]] std::string departure_note(const std::vector<Run>& runs);

/// The paper's numbers, where the user has them.
struct Reference {
  std::optional<Table> tradeoff;    ///< paper_tradeoff.csv
  std::optional<Table> signatures;  ///< paper_signatures.csv
};

/// \throws DataError when the folder does not exist or holds neither file
[[nodiscard]] Reference read_reference(const std::optional<std::filesystem::path>& folder);

}  // namespace ensyn::driver::report
