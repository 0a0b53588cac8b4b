/// \file
/// Run folders: what lies in them, and how they were made.
#pragma once

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "host/driver/report/table.h"

namespace ensyn::driver::report {

struct Run {
  std::filesystem::path folder;   ///< canonical
  std::string name;               ///< the end of its path, as much as tells it from the report's other runs
  nlohmann::ordered_json config;  ///< of config.json; null where there is none

  [[nodiscard]] bool holds(const std::string& file) const;
  /// A setting as text; empty where config.json has none.
  [[nodiscard]] std::string setting(const std::string& key) const;
  /// The settings that runs share when they are replicates: all but the seeds, what says only where and how
  /// fast the run was computed, and those that the run's table tells of each row. A run whose settings are
  /// not known shares them with none. \param told_by_row keys of config.json
  [[nodiscard]] std::string protocol(const std::set<std::string>& told_by_row) const;
  /// Those of the noise and of the order of the minibatches.
  [[nodiscard]] std::string seeds() const { return setting("seed") + "/" + setting("data_seed"); }
};

/// What the runs of each protocol are called together: their names, joined.
[[nodiscard]] std::map<std::string, std::string> names_of_protocols(const std::vector<Run>& runs,
                                                                    const std::set<std::string>& told_by_row);

/// The runs without those that have all settings and the seeds of another, which are its copies.
[[nodiscard]] std::vector<Run> without_copies(const std::vector<Run>& runs, Notes& left_out);

/// Whether a setting says where, how fast or how safely a run was computed, not what was computed.
[[nodiscard]] bool is_about_machine(const std::string& setting);

/// The runs in these folders and in their subfolders, each once whatever ways lead to it, in the order given
/// and then by name.
/// \throws DataError when one does not exist, holds no run that can be reported, or has a damaged config.json
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

/// Whether the run is on the data that the paper's numbers are of.
[[nodiscard]] bool is_on_mnist(const Run& run);

/// \throws DataError when the folder does not exist or holds neither file
[[nodiscard]] Reference read_reference(const std::optional<std::filesystem::path>& folder, Notes& left_out);

}  // namespace ensyn::driver::report
