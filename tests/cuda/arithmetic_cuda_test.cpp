#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "cuda/arithmetic_battery.h"
#include "ensyn/noise.h"

namespace ensyn::battery {
namespace {

template <class T>
Arguments<T> arguments(std::uint64_t i) {
  const auto w = noise_words({11, 0, 0, 0, Purpose::user}, i);
  const auto v = noise_words({11, 1, 0, 0, Purpose::user}, i);
  const auto uniform = [](std::uint32_t word, double low, double high) {
    return static_cast<T>(low + (high - low) * word * 0x1p-32);
  };
  return {uniform(w[0], -60, 60),
          uniform(w[1], -1, 1),
          uniform(w[2], -20, 20),
          uniform(w[3], -3, 3),
          uniform(v[0], -2, 2),
          v[1],
          v[2]};
}

template <class T>
void expect_same_bits() {
  for (std::uint64_t i = 0; i < 100000; ++i) {
    const auto a = arguments<T>(i);
    const auto gcc = by_gcc(a), nvcc = by_nvcc(a);
    for (std::size_t k = 0; k < gcc.size(); ++k) {
      ASSERT_TRUE(std::isfinite(gcc[k])) << "formula " << k << ", case " << i;
      ASSERT_EQ(std::memcmp(&gcc[k], &nvcc[k], sizeof(T)), 0)
          << "formula " << k << ", case " << i << ": " << gcc[k] << " by g++, " << nvcc[k] << " by nvcc";
    }
  }
}

TEST(ArithmeticCuda, NvccOnTheHostGivesTheBitsOfGccInSinglePrecision) {
  expect_same_bits<float>();
}

TEST(ArithmeticCuda, NvccOnTheHostGivesTheBitsOfGccInDoublePrecision) {
  expect_same_bits<double>();
}

}  // namespace
}  // namespace ensyn::battery
