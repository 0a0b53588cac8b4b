/// \file
/// What was probably meant by a mistyped word.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ensyn::driver {

/// The word that the fewest insertions, deletions, exchanges and swaps of letters make of `typed`, the first
/// of several; nothing where even that would change more than a third of it.
[[nodiscard]] std::optional<std::string> nearest(std::string_view typed,
                                                 const std::vector<std::string>& words);

}  // namespace ensyn::driver
