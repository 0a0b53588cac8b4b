/// \file
/// How the host lays out a block's shared memory for kernels whose parts depend on the problem.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/base/launch_shape.h"

namespace ensyn::kernels {

/// Elements from one example to the next in a warp's sums: 16 rows, and apart so that lanes do not collide.
inline constexpr int kSumStride = 20;

/// Of a block's shared memory: where in bytes, and how large where there are two of a kind.
struct SharedPart {
  std::uint32_t at = 0, bytes = 0;
};

/// The next odd multiple of 8 elements: rows that far apart are read without bank conflicts.
[[nodiscard]] constexpr int conflict_free_stride(int columns) {
  const int eights = ceil_divide(columns, 8);
  return 8 * (eights + 1 - eights % 2);
}

/// Hands out shared memory, at multiples of 16 bytes.
class SharedRoom {
 public:
  SharedPart take(std::size_t bytes, int copies = 1) {
    const std::size_t rounded = (bytes + 15) / 16 * 16;
    const SharedPart part{static_cast<std::uint32_t>(used_), static_cast<std::uint32_t>(rounded)};
    used_ += rounded * static_cast<std::size_t>(copies);
    return part;
  }
  [[nodiscard]] std::size_t used() const { return used_; }

 private:
  std::size_t used_ = 0;
};

}  // namespace ensyn::kernels
