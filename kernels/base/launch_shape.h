/// \file
/// How a kernel is launched, as plain numbers: computed by pure functions of a problem's size, which tests
/// call and people print without a GPU.
#pragma once

#include <cstddef>
#include <string>

namespace ensyn::kernels {

/// Extents in x, y and z.
struct Extent {
  unsigned x = 1, y = 1, z = 1;
  friend bool operator==(const Extent&, const Extent&) = default;
};

struct LaunchShape {
  Extent grid;                   ///< blocks; a zero means that there is nothing to do
  Extent block;                  ///< threads
  std::size_t shared_bytes = 0;  ///< dynamic shared memory of a block
  Extent cluster;                ///< blocks of a cluster
  friend bool operator==(const LaunchShape&, const LaunchShape&) = default;

  [[nodiscard]] bool empty() const { return grid.x == 0 || grid.y == 0 || grid.z == 0; }
};

/// ceil(a / b) for a >= 0, b > 0.
[[nodiscard]] constexpr int ceil_divide(int a, int b) {
  return (a + b - 1) / b;
}

/// For example `grid 50 x 1 x 240, block 256 x 1 x 1, 4096 bytes shared`.
[[nodiscard]] std::string to_string(const LaunchShape& shape);

}  // namespace ensyn::kernels
