#include "host/driver/report/table.h"

#include <charconv>
#include <cmath>

#include "ensyn/error.h"
#include "host/base/message.h"

namespace ensyn::driver::report {
namespace {

bool is_infinite_or_nan(const std::string& field) {
  double number = 0;
  const char* const last = field.data() + field.size();
  const auto [end, error] = std::from_chars(field.data(), last, number);
  return error == std::errc() && end == last && !std::isfinite(number);
}

/// Empties the cells of a column that are no finite numbers, and notes them in one line.
void keep_finite(Table& table, std::size_t column, Notes& left_out) {
  std::size_t count = 0, first = 0;
  std::string said;
  for (std::size_t row = 0; row < table.rows.size(); ++row) {
    std::string& field = table.rows[row][column];
    if (!is_infinite_or_nan(field)) continue;
    if (count++ == 0) first = row, said = field;
    field.clear();
  }
  if (count == 0) return;
  left_out.push_back(printable(table.source) + ", line " + std::to_string(table.rows[first].line) +
                     ": column " + quote(table.columns[column]) + " is " + said + ", not a finite number" +
                     (count > 1 ? ", and so in " + std::to_string(count - 1) + " more lines" : ""));
}

}  // namespace

Table read_table(const std::filesystem::path& file, const std::vector<std::string>& required, Notes& left_out,
                 Author author) {
  Table table = [&] {
    try {
      return read_csv(file, author);
    } catch (const IoError& error) {
      throw DataError(error.what());
    }
  }();
  for (const std::string& column : required) {
    if (!table.has(column)) {
      throw DataError(file.string() + " lacks the column " + column +
                      (author == Author::user ? ": add it, or leave the file out"
                                              : ": it was made by another version of ensyn, make it again"));
    }
    keep_finite(table, table.index_of(column), left_out);
  }
  return table;
}

double value(const Table& table, std::size_t row, std::string_view column) {
  return table.number(row, column).value_or(kNone);
}

double setting_value(const Table& table, std::size_t row, std::string_view column, bool may_be_zero) {
  const double number = value(table, row, column);
  if (number > 0 || (may_be_zero && number == 0)) return number;
  table.reject(row, column,
               std::string("must be a finite number ") + (may_be_zero ? "of at least" : "above") +
                   " 0: the file is damaged, make it again");
}

}  // namespace ensyn::driver::report
