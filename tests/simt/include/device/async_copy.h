/// \file
/// Stands in for kernels/device/async_copy.h. A device may make a copy at any time until it is waited for:
/// here warps of even number make it when it is waited for, those of odd number at once.
#pragma once

#include <cstring>
#include <deque>
#include <utility>
#include <vector>

#include "simt/simt.h"

namespace ensyn::kernels {

template <int kAhead>
class AsyncCopies {
 public:
  void copy16(void* shared, const void* global) {
    if (threadIdx.x / 32 % 2 == 1) return copy(shared, global);
    group_.emplace_back(shared, global);
  }
  void end_group() { groups_.push_back(std::exchange(group_, {})); }
  void wait() {
    while (groups_.size() > kAhead) {
      for (const auto& [to, from] : groups_.front()) copy(to, from);
      groups_.pop_front();
    }
  }

 private:
  /// Word by word, as the race detector looks at accesses.
  static void copy(void* to, const void* from) {
    for (int i = 0; i < 4; ++i) static_cast<unsigned*>(to)[i] = static_cast<const unsigned*>(from)[i];
  }

  using Group = std::vector<std::pair<void*, const void*>>;
  Group group_;
  std::deque<Group> groups_;
};

}  // namespace ensyn::kernels
