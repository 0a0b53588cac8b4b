/// \file
/// The values that a swept setting takes, as they stand on a command line: `0.5,2/3,2`, `1e-4:1e3.25:30log`,
/// `0:1:5lin`, `0:9`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ensyn::driver {

/// More values than any sweep could train; a typing error in a count should not fill the memory.
inline constexpr std::size_t kMostValues = 100000;

/// Says that a list has more than that.
[[nodiscard]] std::string too_many_values();

/// A number as commands take it: decimal (`0.25`), a fraction (`2/3`) or a power of ten with a broken
/// exponent
/// (`1e3.25`). Not necessarily finite; nothing when `text` is none.
[[nodiscard]] std::optional<double> parse_real(std::string_view text);

/// A list, separated by commas, of such numbers and ranges. A range names its first and last value and how
/// many there are: `1e-4:1e3.25:30log` spaced evenly in their logarithms, `0:1:5lin` evenly. \throws
/// ConfigError that says what is wrong with which part
[[nodiscard]] std::vector<double> parse_reals(std::string_view text);

/// A list, separated by commas, of whole numbers and ranges `FIRST:LAST`, both included. \throws ConfigError
[[nodiscard]] std::vector<std::uint64_t> parse_seeds(std::string_view text);

/// A list of words, separated by commas. \throws ConfigError when one is empty
[[nodiscard]] std::vector<std::string_view> parse_words(std::string_view text);

}  // namespace ensyn::driver
