/// \file
/// Tables of a run, checked for what their readers ask of them.
#pragma once

#include <filesystem>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "host/driver/csv.h"

namespace ensyn::driver::report {

inline constexpr double kNone = std::numeric_limits<double>::quiet_NaN();  ///< "no value"

/// \param required columns that the reader will ask for
/// \param author ensyn of a run's tables, the user of reference numbers
/// \throws DataError when the file cannot be read, is cut off or ragged, or lacks a column
[[nodiscard]] Table read_table(const std::filesystem::path& file, const std::vector<std::string>& required,
                               Author author = Author::ensyn);

/// `kNone` where the field is empty. \throws DataError when it is not a number
[[nodiscard]] double value(const Table& table, std::size_t row, std::string_view column);

}  // namespace ensyn::driver::report
