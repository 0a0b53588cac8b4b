#include "host/driver/report/gnuplot_string.h"

#include <cstdint>

#include "host/driver/files/text.h"

namespace ensyn::driver::report {
namespace {

/// A digit is none: gnuplot would count it to the octal escape before it.
bool is_plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == ' ' || static_cast<std::uint8_t>(c) >= 0x80;
}

}  // namespace

std::string gnuplot_string(std::string_view text) {
  // In double quotes gnuplot runs what stands in backquotes as a command and takes backslashes for escapes;
  // in single quotes 5.4 misreads a doubled quote behind another or at the beginning. So no character with a
  // meaning stands there at all.
  std::string result = "\"";
  for (const char c : legible(text)) {
    if (is_plain(c)) {
      result += c;
      continue;
    }
    const auto byte = static_cast<std::uint8_t>(c);
    const auto digit = [&](unsigned shift) { return static_cast<char>('0' + (byte >> shift & 7U)); };
    result += {'\\', digit(6), digit(3), digit(0)};
  }
  return result + '"';
}

}  // namespace ensyn::driver::report
