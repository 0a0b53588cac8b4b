/// \file
/// Numbers as people read them.
#pragma once

#include <cstdint>
#include <string>

namespace ensyn::driver {

/// As printf, into a string.
[[nodiscard]] [[gnu::format(printf, 1, 2)]] std::string formatted(const char* format, ...);

/// `0.2 s`, `52 s`, `3 min 20 s`, `2 h 05 min`.
[[nodiscard]] std::string duration_text(double seconds);

/// `12,345` for 12345.
[[nodiscard]] std::string grouped(std::uint64_t number);

/// `850 B`, `2.9 MB`, `12 GB`.
[[nodiscard]] std::string bytes_text(double bytes);

}  // namespace ensyn::driver
