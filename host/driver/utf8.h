/// \file
/// Text that JSON and web pages can hold. Names of files and folders need not be such: to the system they are
/// bytes.
#pragma once

#include <string>
#include <string_view>

namespace ensyn::driver {

[[nodiscard]] bool is_utf8(std::string_view text);

/// The text where it is UTF-8; else with `\xNN` for each byte that is not a printable character of ASCII.
[[nodiscard]] std::string as_utf8(std::string_view text);

}  // namespace ensyn::driver
