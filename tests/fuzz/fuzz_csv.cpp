/// \file
/// Fuzzes tables. The first byte of an input says who wrote the rest: 0 ensyn, 1 a user.
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>

#include "ensyn/error.h"
#include "fuzz/fuzz_support.h"
#include "host/driver/files/csv.h"

namespace ensyn::fuzz {
namespace {

using driver::Author;
using driver::Table;

Table read(std::span<const std::uint8_t> content, Author author) {
  const MemoryFile file(content);
  return driver::read_csv(file.path(), author);
}

void check(const Table& table) {
  std::size_t line = 0;
  for (const auto& row : table.rows) {
    require(row.size() == table.columns.size(), "a row fits the header");
    require(row.line > line, "lines follow each other");
    line = row.line;
  }
  const std::string text = driver::csv_text(table);
  for (const Author author : {Author::ensyn, Author::user}) {
    const Table again = read({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}, author);
    require(again.columns == table.columns && again.rows == table.rows, "what is written reads back");
  }
  for (const std::string& column : table.columns) {
    try {
      static_cast<void>(table.numbers(column));
    } catch (const DataError& error) {
      require_one_line(error);
    }
  }
}

}  // namespace
}  // namespace ensyn::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace ensyn::fuzz;
  if (size == 0) {
    return 0;
  }
  const auto parsed = attempt<ensyn::DataError>([&] {
    return read({data + 1, size - 1}, data[0] % 2 == 0 ? Author::ensyn : Author::user);
  });
  if (parsed) {
    check(*parsed);
  }
  return 0;
}
