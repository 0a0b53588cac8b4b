/// \file
/// Numbers off the command line.
#pragma once

#include <charconv>
#include <optional>
#include <string_view>
#include <system_error>

namespace ensyn::driver {

/// The number that is all of `text`, or nothing.
template <class T>
[[nodiscard]] std::optional<T> number(std::string_view text) {
  T value{};
  const char* end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, value);
  if (result.ec != std::errc{} || result.ptr != end) return std::nullopt;
  return value;
}

}  // namespace ensyn::driver
