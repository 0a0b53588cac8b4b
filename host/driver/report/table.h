/// \file
/// Tables of a run, checked for what their readers ask of them.
#pragma once

#include <filesystem>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "host/driver/files/csv.h"

namespace ensyn::driver::report {

inline constexpr double kNone = std::numeric_limits<double>::quiet_NaN();  ///< "no value"

/// What a report does without, in words that name it.
using Notes = std::vector<std::string>;

/// A table in which every number is finite: cells that say `nan` or `inf` become empty, and are noted.
/// \param required columns that the reader will ask for
/// \param author ensyn of a run's tables, the user of reference numbers
/// \throws DataError when the file cannot be read, is cut off or ragged, or lacks a column
[[nodiscard]] Table read_table(const std::filesystem::path& file, const std::vector<std::string>& required,
                               Notes& left_out, Author author = Author::ensyn);

/// `kNone` where the field is empty. \throws DataError when it is not a number
[[nodiscard]] double value(const Table& table, std::size_t row, std::string_view column);

/// A setting that tells the rows apart, so that it must be there. \throws DataError that names the line when
/// it is not a number above 0, or of at least 0 where it `may_be_zero`
[[nodiscard]] double setting_value(const Table& table, std::size_t row, std::string_view column,
                                   bool may_be_zero = false);

}  // namespace ensyn::driver::report
