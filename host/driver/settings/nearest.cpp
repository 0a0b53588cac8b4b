#include "host/driver/settings/nearest.h"

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <utility>

namespace ensyn::driver {
namespace {

/// The distance of Damerau and Levenshtein, of texts in which no part is changed twice. The rows are those of
/// the first i - 1, i and i + 1 letters of `a`, their columns the first letters of `b`.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1), row(b.size() + 1), next(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    next[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      next[j + 1] = std::min({row[j] + (a[i] == b[j] ? 0 : 1), row[j + 1] + 1, next[j] + 1});
      const bool swapped = i > 0 && j > 0 && a[i] == b[j - 1] && a[i - 1] == b[j];
      if (swapped) next[j + 1] = std::min(next[j + 1], before[j - 1] + 1);
    }
    before = std::exchange(row, next);
  }
  return row.back();
}

}  // namespace

std::optional<std::string> nearest(std::string_view typed, const std::vector<std::string>& words) {
  constexpr std::size_t kLongest = 64;  // no flag or command is half as long
  if (typed.size() > kLongest) return std::nullopt;
  std::optional<std::string> found;
  std::size_t least = typed.size() / 3 + 1;
  for (const std::string& word : words) {
    const std::size_t changes = distance(typed, word);
    if (changes >= least) continue;
    least = changes;
    found = word;
  }
  return found;
}

}  // namespace ensyn::driver
