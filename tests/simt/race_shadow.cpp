// Memory of the race detector.

#include "race_shadow.h"

#include <algorithm>

namespace simt {
namespace {

constexpr std::size_t kMostPages = 16 * 1024;  // of 100 KB and more each

}  // namespace

void ShadowPage::split_word(std::size_t offset) {
  if (bytes_ == nullptr) bytes_ = std::make_unique<Cell[]>(kBytes);
  const std::size_t first = offset / kWordBytes * kWordBytes;
  std::fill_n(bytes_.get() + first, kWordBytes, word(offset));
  split_[offset / kWordBytes] = true;
}

void Shadow::trim() {
  if (pages_.size() < kMostPages) return;
  pages_.clear();
  std::fill(std::begin(recent_), std::end(recent_), Recent{});
}

}  // namespace simt
