#include "host/driver/csv.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <stdexcept>
#include <utility>

#include "ensyn/error.h"
#include "host/io/file.h"
#include "host/io/message.h"

namespace ensyn::driver {
namespace {

[[noreturn]] void fail(std::string_view source, std::size_t line, const std::string& what) {
  throw DataError(printable(source) + ", line " + std::to_string(line) + ": " + what);
}

/// Reads fields off the text of a file.
class Reader {
 public:
  Reader(std::string source, std::string_view text) : source_(std::move(source)), text_(text) {
    if (text_.starts_with("\xEF\xBB\xBF")) text_.remove_prefix(3);
  }

  [[nodiscard]] bool at_end() const { return text_.empty(); }
  [[nodiscard]] std::size_t line() const { return line_; }

  /// The fields of the next line. \throws DataError where it does not end
  std::vector<std::string> row() {
    std::vector<std::string> fields;
    do {
      fields.push_back(field());
    } while (take(','));
    take('\r');
    if (text_.empty()) fail(source_, line_, "the line does not end: the file was cut off; restore it");
    if (!take('\n')) fail(source_, line_, "text follows a closing quote");
    ++line_;
    return fields;
  }

 private:
  bool take(char c) {
    if (!text_.starts_with(c)) return false;
    text_.remove_prefix(1);
    return true;
  }
  void skip_spaces() {
    while (take(' ') || take('\t')) continue;
  }

  std::string field() {
    skip_spaces();
    if (!take('"')) {
      std::string_view plain = text_.substr(0, text_.find_first_of(",\r\n"));
      text_.remove_prefix(plain.size());
      while (plain.ends_with(' ') || plain.ends_with('\t')) plain.remove_suffix(1);
      return std::string(plain);
    }
    std::string quoted;
    for (;;) {
      const std::size_t end = text_.find('"');
      if (end == text_.npos) fail(source_, line_, "a quote is not closed; restore the file");
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
  std::size_t line_ = 1;
};

void append_row(std::string& text, const std::vector<std::string>& fields) {
  for (std::size_t i = 0; i < fields.size(); ++i) {
    if (i > 0) text += ',';
    if (fields[i].find_first_of(",\"\r\n") == std::string::npos) {
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
  if (found == columns.end()) throw DataError(printable(source) + " has no column " + quote(column));
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
    fail(source, row + 2, "column " + quote(column) + " is " + quote(field, 100) + ", not a number");
  }
  return value;
}

std::vector<double> Table::numbers(std::string_view column) const {
  std::vector<double> values;
  for (std::size_t row = 0; row < rows.size(); ++row) {
    const std::optional<double> value = number(row, column);
    if (!value) fail(source, row + 2, "column " + quote(column) + " is empty");
    values.push_back(*value);
  }
  return values;
}

Table read_csv(const std::filesystem::path& file) {
  const auto content = read_file(file);
  Reader reader(file.string(), {reinterpret_cast<const char*>(content.data()), content.size()});
  Table table{file.string(), {}, {}};
  if (reader.at_end()) throw DataError(printable(table.source) + " is empty: a table has a header line");
  table.columns = reader.row();
  const bool ends_in_comma = table.columns.size() > 1 && table.columns.back().empty();
  if (ends_in_comma) table.columns.pop_back();
  while (!reader.at_end()) {
    const std::size_t line = reader.line();
    std::vector<std::string> row = reader.row();
    if (ends_in_comma && row.size() == table.columns.size() + 1 && row.back().empty()) row.pop_back();
    if (row.size() != table.columns.size()) {
      fail(table.source, line,
           std::to_string(row.size()) + " fields, but the header has " +
               std::to_string(table.columns.size()) + "; restore the file");
    }
    table.rows.push_back(std::move(row));
  }
  return table;
}

void write_csv(const std::filesystem::path& file, const Table& table) {
  std::string text;
  append_row(text, table.columns);
  for (const auto& row : table.rows) {
    if (row.size() != table.columns.size()) throw std::logic_error("a row does not fit the header");
    append_row(text, row);
  }
  write_file(file, text);
}

}  // namespace ensyn::driver
