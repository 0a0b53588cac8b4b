/// \file
/// Numbers, text from outside, and commands as people read them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace ensyn::driver {

/// As printf, into a string.
[[nodiscard]] [[gnu::format(printf, 1, 2)]] std::string formatted(const char* format, ...);

/// `0.2 s`, `52 s`, `3 min 20 s`, `2 h 05 min`.
[[nodiscard]] std::string duration_text(double seconds);

/// `12,345` for 12345.
[[nodiscard]] std::string grouped(std::uint64_t number);

/// `850 B`, `2.9 MB`, `12 GB`.
[[nodiscard]] std::string bytes_text(double bytes);

/// Whether the bytes are UTF-8, as JSON and the tables want it.
[[nodiscard]] bool is_utf8(std::string_view text);

/// Valid UTF-8 without control characters, which SVG and HTML can hold: each byte that is not part of a
/// printable character stands as `\xNN`.
[[nodiscard]] std::string legible(std::string_view text);

/// A word of a command that can be pasted into a shell, on one line whatever it holds: as it is where the
/// shell takes it literally, otherwise in single quotes, or in `$'...'` (bash, zsh, ksh and newer ones) where
/// it is not legible.
[[nodiscard]] std::string shell_quoted(std::string_view word);

/// A flag and its value as words of such a command; a value like `-x` is told from a flag by `=`.
[[nodiscard]] std::string shell_flag(std::string_view flag, std::string_view value);

}  // namespace ensyn::driver
