#include "host/driver/files/csv.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <stdexcept>

#include "ensyn/error.h"
#include "host/base/message.h"
#include "host/io/file.h"

namespace ensyn::driver {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

/// Whether the text begins with the byte order mark of UTF-16.
bool is_utf16(std::string_view text) {
  return text.starts_with("\xFF\xFE") || text.starts_with("\xFE\xFF");
}

[[noreturn]] void fail(std::string_view source, std::size_t line, const std::string& what) {
  throw DataError(quote(source) + ", line " + std::to_string(line) + ": " + what);
}

/// The text of a line, taken apart.
struct Line {
  Table::Row fields;
  bool is_empty = false;             ///< it has no field, which is not one field that is empty
  bool last_is_quoted = false;       ///< so that an empty last name is a name and not a comma too many
  std::string_view foreign_in_name;  ///< a separator of other programs within a field that is not quoted
};

/// Reads lines off the text of a file.
class Reader {
 public:
  Reader(std::string source, std::string_view text, Author author)
      : source_(std::move(source)), text_(text), author_(author) {
    if (is_utf16(text_)) fail(source_, 1, "the text is UTF-16; save the table as UTF-8");
    if (text_.starts_with(kByteOrderMark)) text_.remove_prefix(kByteOrderMark.size());
  }

  /// Whether no line follows; empty ones of a user do not count.
  [[nodiscard]] bool at_end() {
    if (author_ == Author::user) skip_empty_lines();
    return text_.empty();
  }

  /// The next line. \throws DataError where it does not end as the author's lines do
  Line line() {
    Line line;
    line.fields.line = line_;
    do {
      line.fields.push_back(field(line));
    } while (take(','));
    line.is_empty = line.fields.size() == 1 && line.fields[0].empty() && !line.last_is_quoted;
    if (take_line_end(text_)) {
      ++line_;
    } else if (!text_.empty()) {
      fail(source_, line_,
           quote(text_.substr(0, 1)) +
               " follows a closing quote, where a comma or the end of the line must be; " + advice());
    } else if (author_ == Author::ensyn) {
      fail(source_, line_, "the line does not end: the file was cut off; " + advice());
    }
    return line;
  }

  [[nodiscard]] std::string advice() const {
    return author_ == Author::user ? "correct the line" : "restore the file";
  }

 private:
  bool take(char c) {
    if (!text_.starts_with(c)) return false;
    text_.remove_prefix(1);
    return true;
  }
  static bool take_line_end(std::string_view& text) {
    for (const std::string_view end : {"\r\n", "\n", "\r"}) {
      if (!text.starts_with(end)) continue;
      text.remove_prefix(end.size());
      return true;
    }
    return false;
  }
  void skip_empty_lines() {
    for (;;) {
      std::string_view rest = text_.substr(std::min(text_.find_first_not_of(" \t"), text_.size()));
      if (rest.empty()) text_ = rest;
      if (!take_line_end(rest)) return;
      text_ = rest;
      ++line_;
    }
  }
  void skip_spaces() {
    while (take(' ') || take('\t')) continue;
  }

  std::string field(Line& line) {
    skip_spaces();
    line.last_is_quoted = take('"');
    return line.last_is_quoted ? quoted() : plain(line);
  }

  std::string plain(Line& line) {
    std::string_view plain = text_.substr(0, text_.find_first_of(",\r\n"));
    text_.remove_prefix(plain.size());
    while (plain.ends_with(' ') || plain.ends_with('\t')) plain.remove_suffix(1);
    if (const auto at = plain.find_first_of(";\t"); at != plain.npos)
      line.foreign_in_name = plain.substr(at, 1);
    return std::string(plain);
  }

  /// What stands between quotes, of which the first has been taken.
  std::string quoted() {
    const std::size_t begin = line_;
    std::string quoted;
    for (;;) {
      const std::size_t end = text_.find('"');
      if (end == text_.npos) fail(source_, begin, "a quote is not closed; " + advice());
      for (std::string_view part = text_.substr(0, end); !part.empty();) {
        if (take_line_end(part)) {
          ++line_;
        } else {
          part.remove_prefix(1);
        }
      }
      quoted += text_.substr(0, end);
      text_.remove_prefix(end + 1);
      if (!take('"')) break;
      quoted += '"';
    }
    skip_spaces();
    return quoted;
  }

  std::string source_;
  std::string_view text_;
  Author author_;
  std::size_t line_ = 1;
};

/// The names in the first line. \throws DataError
Line read_header(Reader& reader, const std::string& source, Author author) {
  if (reader.at_end()) throw DataError(quote(source) + " is empty: a table has a header line");
  Line header = reader.line();
  if (header.is_empty) fail(source, header.fields.line, "the header is empty; " + reader.advice());
  if (author == Author::user && !header.foreign_in_name.empty()) {
    const std::string separator = header.foreign_in_name == "\t" ? "a tab" : quote(header.foreign_in_name);
    fail(source, header.fields.line,
         separator + " stands between the header's names: save the table with commas between its fields " +
             "(and points in its numbers), or put a name that has it in double quotes");
  }
  return header;
}

bool needs_quotes(const std::string& field) {
  return field.find_first_of(",\"\r\n") != std::string::npos || field.starts_with(kByteOrderMark) ||
         is_utf16(field) || field.find_first_of(" \t") == 0 || field.ends_with(' ') || field.ends_with('\t');
}

/// \param in_header a name may hold what separates fields elsewhere, and an empty last one is a name
void append_row(std::string& text, const std::vector<std::string>& fields, bool in_header) {
  for (std::size_t i = 0; i < fields.size(); ++i) {
    if (i > 0) text += ',';
    const bool is_odd_name = in_header && fields[i].find_first_of(";\t") != std::string::npos;
    // Without quotes an empty field that is alone or a last name is no field.
    const bool vanishes = fields[i].empty() && i + 1 == fields.size() && (i == 0 || in_header);
    if (!needs_quotes(fields[i]) && !is_odd_name && !vanishes) {
      text += fields[i];
      continue;
    }
    text += '"';
    for (const char c : fields[i]) text += c == '"' ? std::string("\"\"") : std::string(1, c);
    text += '"';
  }
  text += '\n';
}

}  // namespace

std::string exact(double value) {
  if (std::isnan(value)) return {};
  std::array<char, 32> text{};
  const auto result = std::to_chars(text.data(), text.data() + text.size(), value);
  return {text.data(), result.ptr};
}

std::optional<double> number_of(std::string_view cell) {
  double value = 0;
  const auto [end, error] = std::from_chars(cell.data(), cell.data() + cell.size(), value);
  const bool whole = error == std::errc() && end == cell.data() + cell.size();
  return whole && std::isfinite(value) ? std::optional(value) : std::nullopt;
}

std::vector<std::string_view> cells_of(std::string_view line) {
  std::vector<std::string_view> cells;
  for (std::size_t begin = 0, end = 0; end != std::string_view::npos; begin = end + 1) {
    end = line.find(',', begin);
    cells.push_back(line.substr(begin, end - begin));
  }
  return cells;
}

bool Table::has(std::string_view column) const {
  return std::ranges::find(columns, column) != columns.end();
}

std::size_t Table::index_of(std::string_view column) const {
  const auto found = std::ranges::find(columns, column);
  if (found == columns.end()) throw DataError(quote(source) + " has no column " + quote(column));
  return static_cast<std::size_t>(found - columns.begin());
}

const std::string& Table::text(std::size_t row, std::string_view column) const {
  return rows.at(row)[index_of(column)];
}

std::optional<double> Table::number(std::size_t row, std::string_view column) const {
  const std::string& field = text(row, column);
  if (field.empty()) return std::nullopt;
  double value = 0;
  const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), value);
  if (error != std::errc() || end != field.data() + field.size()) {
    reject(row, column, "is " + quote(field, 100) + ", not a number");
  }
  return value;
}

std::vector<double> Table::numbers(std::string_view column) const {
  std::vector<double> values;
  for (std::size_t row = 0; row < rows.size(); ++row) {
    const std::optional<double> value = number(row, column);
    if (!value) reject(row, column, "is empty, but must be a number");
    if (!std::isfinite(*value)) {
      reject(row, column, "is " + quote(text(row, column), 100) + ", but must be a finite number");
    }
    values.push_back(*value);
  }
  return values;
}

void Table::reject(std::size_t row, std::string_view column, const std::string& what) const {
  fail(source, rows.at(row).line, "column " + quote(column) + " " + what);
}

Table read_csv(const std::filesystem::path& file, Author author) {
  const auto content = read_file(file);
  Table table{file.string(), {}, {}};
  Reader reader(table.source, {reinterpret_cast<const char*>(content.data()), content.size()}, author);
  const Line header = read_header(reader, table.source, author);
  table.columns.assign(header.fields.begin(), header.fields.end());
  const bool ends_in_comma =
      table.columns.size() > 1 && table.columns.back().empty() && !header.last_is_quoted;
  if (ends_in_comma) table.columns.pop_back();
  while (!reader.at_end()) {
    Line line = reader.line();
    if (line.is_empty && table.columns.size() > 1) {
      fail(table.source, line.fields.line, "the line is empty; " + reader.advice());
    }
    Table::Row& row = line.fields;
    if (ends_in_comma && row.size() == table.columns.size() + 1 && row.back().empty()) row.pop_back();
    if (row.size() != table.columns.size()) {
      fail(table.source, row.line,
           "there are " + std::to_string(row.size()) + " fields, but the header has " +
               std::to_string(table.columns.size()) + "; " + reader.advice());
    }
    table.rows.push_back(std::move(row));
  }
  return table;
}

std::string csv_text(const Table& table) {
  std::string text;
  append_row(text, table.columns, true);
  for (const auto& row : table.rows) {
    if (row.size() != table.columns.size()) throw std::logic_error("a row does not fit the header");
    append_row(text, row, false);
  }
  return text;
}

void write_csv(const std::filesystem::path& file, const Table& table) {
  write_file(file, csv_text(table));
}

}  // namespace ensyn::driver
