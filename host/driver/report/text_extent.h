/// \file
/// How much room text takes in a figure, whichever of the figures' fonts a machine has.
#pragma once

#include <string>
#include <string_view>

namespace ensyn::driver::report {

/// Pixels from one line of text to the next, and of a letter.
inline constexpr double kFontSize = 13, kLineHeight = 17;

/// The figures' font, and what a viewer of SVG takes where it does not have it. None is wider than what
/// `text_width` says.
inline constexpr const char* kFont = "DejaVu Sans";
inline constexpr const char* kFontStack = "DejaVu Sans, Liberation Sans, Helvetica, Arial, sans-serif";

/// Pixels that UTF-8 text takes in the widest of the fonts; seldom much more than it does in one of them.
[[nodiscard]] double text_width(std::string_view text);

/// The same of gnuplot's enhanced text, with `^` and `_`.
[[nodiscard]] double markup_width(std::string_view text);

/// Text that takes at most so many pixels: where it is longer, `…` stands for its middle.
[[nodiscard]] std::string elided(const std::string& text, double width);

}  // namespace ensyn::driver::report
