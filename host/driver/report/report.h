/// \file
/// Run folders in, figures and report.html out.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "host/driver/report/section.h"

namespace ensyn::driver::report {

struct ReportSettings {
  std::vector<std::filesystem::path> folders;
  std::optional<std::filesystem::path> reference;  ///< folder with the paper's numbers
  std::filesystem::path out = "ensyn-report";
};

struct ReportResult {
  std::vector<std::string> figures;   ///< names of those drawn
  std::vector<Missing> missing;       ///< those that were not, and why
  std::vector<std::string> findings;  ///< what the pictures show, in sentences with their numbers
  Notes left_out;                     ///< what those made do without
  std::string problem;                ///< why some or all figures could not be drawn; empty otherwise
  std::string damage;                 ///< of files, for which sections are missing; empty otherwise

  /// Says what stands in the way of a whole report; nothing where it is whole. \param where the rest is
  /// \throws DataError for damage, Error for a problem
  void require_whole(const std::string& where) const;
};

/// Writes `figures/`, `tables/` and `report.html`. Without a usable gnuplot the numbers behind the figures,
/// the tables and the page are written all the same, and `problem` is set; so are all other sections where
/// the files of one are damaged, and `damage` is set. \throws DataError where nothing can be read, IoError
[[nodiscard]] ReportResult make_report(const ReportSettings& settings);

/// What was made and what was not, for people.
[[nodiscard]] std::string to_text(const ReportResult& result, const std::filesystem::path& out);
[[nodiscard]] nlohmann::ordered_json to_json(const ReportResult& result, const std::filesystem::path& out);

}  // namespace ensyn::driver::report
