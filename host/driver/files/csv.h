/// \file
/// Tables in comma-separated text.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
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
  /// The fields of a line, and which line that was, so that a table that was filtered still names it.
  struct Row : std::vector<std::string> {
    using std::vector<std::string>::vector;
    // Rows that are made and not read are vectors of fields.
    // NOLINTNEXTLINE(google-explicit-constructor)
    Row(std::vector<std::string> fields) : std::vector<std::string>(std::move(fields)) {}
    std::size_t line = 0;  ///< where the row begins in its file, counted from 1; 0 when it is of no file
  };

  std::string source;  ///< the file it was read from, for messages
  std::vector<std::string> columns;
  std::vector<Row> rows;

  [[nodiscard]] bool has(std::string_view column) const;
  /// Index of a column; of several with that name the first. \throws DataError where there is none
  [[nodiscard]] std::size_t index_of(std::string_view column) const;
  /// \throws DataError where there is no such column
  [[nodiscard]] const std::string& text(std::size_t row, std::string_view column) const;
  /// Absent where the field is empty. \throws DataError that names file, line and column where it is no
  /// number
  [[nodiscard]] std::optional<double> number(std::size_t row, std::string_view column) const;
  /// A whole column of finite numbers. \throws DataError as `number`, and where a field is empty or not
  /// finite
  [[nodiscard]] std::vector<double> numbers(std::string_view column) const;
  /// \throws DataError that names file, line and column of a field and says `what` is wrong with it
  [[noreturn]] void reject(std::size_t row, std::string_view column, const std::string& what) const;
};

/// Who wrote a table. ensyn writes whole lines, so that one without an end shows that its own table was cut
/// off. What users bring comes from editors and spreadsheets, which end files as they like.
enum class Author { ensyn, user };

/// Reads a header and rows. Fields may be quoted and stand in spaces, lines may end in LF, CR LF or CR, the
/// text may begin with a byte order mark, a comma may end the header line, and then any line. Of a user's
/// table the last line need not end, and empty lines are passed over. \throws DataError that names file and
/// line when a row has more or fewer fields than the header, a quote is not closed, or the text is UTF-16; of
/// ensyn's own tables also when the last line does not end, of a user's when the header's names are separated
/// by something else than commas. IoError when the file cannot be read
[[nodiscard]] Table read_csv(const std::filesystem::path& file, Author author);

/// The text of a table's file; fields that read_csv would take for something else are quoted. `source` and
/// lines play no part. \throws std::logic_error where a row does not fit the header
[[nodiscard]] std::string csv_text(const Table& table);

/// Writes csv_text, the whole file or nothing. \throws IoError; as csv_text
void write_csv(const std::filesystem::path& file, const Table& table);

}  // namespace ensyn::driver
