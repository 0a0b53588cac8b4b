/// \file
/// Where a kernel calls: std::source_location, or what stands in for it where libstdc++ has none for the
/// compiler (clang before 15).
#pragma once

#include <version>

#ifdef __cpp_lib_source_location

#  include <source_location>

namespace simt::device {
using Where = std::source_location;
}

#else

namespace simt::device {

/// As a default argument, `Where where = Where::current()`, it is the place of the call.
class Where {
 public:
  constexpr Where() = default;
  [[nodiscard]] static constexpr Where current(const char* file = __builtin_FILE(),
                                               unsigned line = __builtin_LINE(),
                                               unsigned column = __builtin_COLUMN()) {
    Where where;
    where.file_ = file;
    where.line_ = line;
    where.column_ = column;
    return where;
  }

  [[nodiscard]] constexpr const char* file_name() const { return file_; }
  [[nodiscard]] constexpr unsigned line() const { return line_; }
  [[nodiscard]] constexpr unsigned column() const { return column_; }

 private:
  const char* file_ = "";
  unsigned line_ = 0;
  unsigned column_ = 0;
};

}  // namespace simt::device

#endif
