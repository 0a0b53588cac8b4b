/// \file
/// Stands in for kernels/device/async_copy.h: a copy is made when it is waited for, and not before.
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
  void copy16(void* shared, const void* global) { group_.emplace_back(shared, global); }
  void end_group() { groups_.push_back(std::exchange(group_, {})); }
  void wait() {
    while (groups_.size() > kAhead) {
      for (const auto& [to, from] : groups_.front()) {
        // Word by word, as the race detector looks at accesses.
        for (int i = 0; i < 4; ++i) static_cast<unsigned*>(to)[i] = static_cast<const unsigned*>(from)[i];
      }
      groups_.pop_front();
    }
  }

 private:
  using Group = std::vector<std::pair<void*, const void*>>;
  Group group_;
  std::deque<Group> groups_;
};

}  // namespace ensyn::kernels
