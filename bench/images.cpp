#include "images.h"

#include <cstdint>
#include <utility>
#include <vector>

namespace bench {

const ensyn::Dataset& images(std::size_t count) {
  static const ensyn::Dataset data = [count] {
    constexpr std::size_t kPixels = 784;
    std::vector<std::uint8_t> pixels(count * kPixels), labels(count);
    std::uint32_t state = 1;
    for (std::size_t i = 0; i < count; ++i) {
      labels[i] = static_cast<std::uint8_t>(i % 10);
      for (std::size_t k = 0; k < kPixels; ++k) {
        state = state * 1664525u + 1013904223u;
        const bool bright = k % 10 == labels[i] ? state >> 31 : (state >> 28) == 0;
        pixels[i * kPixels + k] = bright ? static_cast<std::uint8_t>(state >> 24) : std::uint8_t{0};
      }
    }
    return ensyn::Dataset::from_bytes(std::move(pixels), std::move(labels), static_cast<int>(kPixels), 10);
  }();
  return data;
}

}  // namespace bench
