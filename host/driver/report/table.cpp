#include "host/driver/report/table.h"

#include "ensyn/error.h"

namespace ensyn::driver::report {

Table read_table(const std::filesystem::path& file, const std::vector<std::string>& required, Author author) {
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
  }
  return table;
}

double value(const Table& table, std::size_t row, std::string_view column) {
  return table.number(row, column).value_or(kNone);
}

}  // namespace ensyn::driver::report
