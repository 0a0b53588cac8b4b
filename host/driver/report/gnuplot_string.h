/// \file
/// Text from outside (names of folders, cells of tables) in a script that gnuplot runs.
#pragma once

#include <string>
#include <string_view>

namespace ensyn::driver::report {

/// `legible` text as one string of a gnuplot script. Between its double quotes stand letters, spaces,
/// the bytes of characters beyond ASCII, and `\ooo`, a byte in three octal digits; nothing else.
[[nodiscard]] std::string gnuplot_string(std::string_view text);

}  // namespace ensyn::driver::report
