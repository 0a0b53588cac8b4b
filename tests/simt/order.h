/// \file
/// Orders in which threads, blocks and streams go on: forward, reverse, or one of a few seeded permutations.
#pragma once

#include <cstdint>
#include <vector>

#include "simt/settings.h"

namespace simt {

/// Next number of the seeded sequence that all choices come from (splitmix64).
[[nodiscard]] std::uint64_t next_choice();
/// Restarts the sequence, so that each launch can be repeated by itself.
void restart_choices(std::uint64_t number);

/// A number below `count` that has no divisor in common with it: i * stride mod count visits all.
[[nodiscard]] std::uint64_t coprime_stride(std::uint64_t count);

/// Permutations of 0 ... size - 1, made once and used in turn, since a new one at every barrier would cost
/// more than the barrier.
class Permutations {
 public:
  /// Remakes them if anything changed. Groups of 32 stay together, in mixed order within and among
  /// themselves: so that the lanes of a warp, which wait for one another, are near one another in time.
  void prepare(std::uint32_t size);
  /// Valid until the next `prepare`.
  [[nodiscard]] const std::uint32_t* next();

 private:
  static constexpr std::uint32_t kCount = 8;
  std::uint32_t size_ = 0;
  Order order_{};
  std::uint64_t seed_ = 0;
  std::vector<std::uint32_t> numbers_;
};

}  // namespace simt
