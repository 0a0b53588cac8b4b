#include "host/driver/text.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdarg>
#include <cstddef>
#include <cstdio>

namespace ensyn::driver {

std::string formatted(const char* format, ...) {
  std::array<char, 400> text{};
  std::va_list values;
  va_start(values, format);
  std::vsnprintf(text.data(), text.size(), format, values);
  va_end(values);
  return text.data();
}

std::string duration_text(double seconds) {
  const long long total = std::llround(std::clamp(seconds, 0.0, 1e9));
  if (seconds < 9.95) return formatted("%.1f s", std::max(seconds, 0.0));
  if (total < 60) return formatted("%lld s", total);
  if (total < 3600) return formatted("%lld min %02lld s", total / 60, total % 60);
  return formatted("%lld h %02lld min", total / 3600, total % 3600 / 60);
}

std::string grouped(std::uint64_t number) {
  std::string text = std::to_string(number);
  for (std::size_t digits = 3; digits < text.size(); digits += 4) text.insert(text.size() - digits, ",");
  return text;
}

std::string bytes_text(double bytes) {
  const char* unit = "B";
  for (const char* next : {"kB", "MB", "GB", "TB"}) {
    if (bytes < 1000) break;
    bytes /= 1000;
    unit = next;
  }
  return formatted(bytes < 9.95 && *unit != 'B' ? "%.1f %s" : "%.0f %s", bytes, unit);
}

}  // namespace ensyn::driver
