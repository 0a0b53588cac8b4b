/// \file
/// Tables in comma-separated text.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ensyn::driver {

/// The shortest decimal digits that read back as the same double; empty for NaN, which stands for "no value".
[[nodiscard]] std::string exact(double value);

/// The finite number that the whole of a cell is; absent where it is none.
[[nodiscard]] std::optional<double> number_of(std::string_view cell);

/// The cells of a line whose cells hold no commas and no quotes.
[[nodiscard]] std::vector<std::string_view> cells_of(std::string_view line);

/// A header and rows of as many fields.
struct Table {
  std::string source;  ///< the file it was read from, for messages
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows;

  [[nodiscard]] bool has(std::string_view column) const;
  /// Index of a column; of several with that name the first. \throws DataError where there is none
  [[nodiscard]] std::size_t index_of(std::string_view column) const;
  /// \throws DataError where there is no such column
  [[nodiscard]] const std::string& text(std::size_t row, std::string_view column) const;
  /// Absent where the field is empty. \throws DataError that names file, line and column where it is no
  /// number
  [[nodiscard]] std::optional<double> number(std::size_t row, std::string_view column) const;
  /// A whole column. \throws DataError as `number`, and where a field is empty
  [[nodiscard]] std::vector<double> numbers(std::string_view column) const;
};

/// Reads a header and rows. Fields may be quoted and stand in spaces, lines may end in CR LF, the text may
/// begin with a byte order mark, a comma may end the header line, and then any line. \throws DataError that
/// names file and line when a row has more or fewer fields than the header, a quote is not closed, or the
/// last line does not end: it was cut off. IoError when the file cannot be read
[[nodiscard]] Table read_csv(const std::filesystem::path& file);

/// Writes the whole file or nothing; fields with a comma, quote or line break are quoted. `source` plays no
/// part. \throws IoError; std::logic_error where a row does not fit the header
void write_csv(const std::filesystem::path& file, const Table& table);

}  // namespace ensyn::driver
