/// \file
/// How generators of normals are timed and checked. A generator is a struct with
///   Generator(seed, thread, quads)   on the device
///   next(x)                          the thread's next four normals, of which it gives `quads` times four
#pragma once

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "device.h"

namespace probe {

constexpr unsigned kNormalThreads = 256;
/// For the moments: 2^24 values.
constexpr unsigned kCheckedBlocks = 256, kCheckedQuads = 64;
constexpr double kChecked = 4.0 * kCheckedBlocks * kNormalThreads * kCheckedQuads;
constexpr std::uint64_t kSeed = 0x243F6A8885A308D3;

/// Needs all four, in two instructions.
__device__ inline void take(unsigned& bits, const float (&x)[4]) {
  bits ^= __float_as_uint(x[0]) ^ __float_as_uint(x[1]);
  bits ^= __float_as_uint(x[2]) ^ __float_as_uint(x[3]);
}

template <class Generator>
__global__ void __launch_bounds__(kNormalThreads)
    draw_kernel(std::uint64_t seed, unsigned quads, unsigned* bits) {
  const unsigned thread = blockIdx.x * kNormalThreads + threadIdx.x;
  Generator generator(seed, thread, quads);
  unsigned mine = 0;
  for (unsigned quad = 0; quad < quads; ++quad) {
    float x[4];
    generator.next(x);
    take(mine, x);
  }
  bits[thread] = mine;
}

struct Powers {
  double of[4];  ///< sums of x, x^2, x^3, x^4
};

template <class Generator>
__global__ void __launch_bounds__(kNormalThreads)
    powers_kernel(std::uint64_t seed, unsigned quads, unsigned* bits, Powers* powers) {
  const unsigned thread = blockIdx.x * kNormalThreads + threadIdx.x;
  Generator generator(seed, thread, quads);
  unsigned mine = 0;
  Powers sums{};
  for (unsigned quad = 0; quad < quads; ++quad) {
    float x[4];
    generator.next(x);
    take(mine, x);
    for (const double value : x) {
      double power = value;
      for (double& sum : sums.of) {
        sum += power;
        power *= value;
      }
    }
  }
  bits[thread] = mine;
  powers[thread] = sums;
}

/// What is wrong with the mean, the variance and the kurtosis of so many values; 5 standard errors are right.
[[nodiscard]] inline std::string wrong_moments(const std::vector<Powers>& of_threads) {
  Powers sums{};
  for (const Powers& powers : of_threads) {
    for (int i = 0; i < 4; ++i) sums.of[i] += powers.of[i];
  }
  const double m1 = sums.of[0] / kChecked, m2 = sums.of[1] / kChecked, m3 = sums.of[2] / kChecked,
               m4 = sums.of[3] / kChecked;
  const double variance = m2 - m1 * m1;
  const double fourth = m4 - 4 * m1 * m3 + 6 * m1 * m1 * m2 - 3 * m1 * m1 * m1 * m1;
  const double errors[] = {m1 / std::sqrt(1 / kChecked), (variance - 1) / std::sqrt(2 / kChecked),
                           (fourth / (variance * variance) - 3) / std::sqrt(24 / kChecked)};
  constexpr const char* kNames[] = {"mean", "variance", "kurtosis"};
  for (int i = 0; i < 3; ++i) {
    if (!(std::abs(errors[i]) <= 5)) {  // so that NaN is wrong too
      return std::string(kNames[i]) + " is off by " + std::to_string(errors[i]) + " standard errors";
    }
  }
  return {};
}

/// Checks the values of a generator, and that the kernel which is timed draws them too.
template <class Generator>
std::string wrong_normals(const Target& target) {
  constexpr std::size_t kThreads = std::size_t{kCheckedBlocks} * kNormalThreads;
  const ensyn::cuda::DeviceBuffer<unsigned> drawn(kThreads, "bits"), summed(kThreads, "bits");
  const ensyn::cuda::DeviceBuffer<Powers> powers(kThreads, "powers");
  const Shape shape{kCheckedBlocks, kNormalThreads};
  launch(target.stream, "drawing", draw_kernel<Generator>, shape, kSeed, kCheckedQuads, drawn.data());
  launch(target.stream, "powers", powers_kernel<Generator>, shape, kSeed, kCheckedQuads, summed.data(),
         powers.data());
  if (values(drawn, target.stream) != values(summed, target.stream))
    return "the timed kernel draws other numbers";
  return wrong_moments(values(powers, target.stream));
}

/// `assumption` in 1e9 normals per second.
template <class Generator>
void measure_generator(const Target& target, Report& report, const char* name,
                       std::optional<double> assumption) {
  constexpr unsigned kBlocks = 8, kQuads = 4096;
  const unsigned blocks = kBlocks * target.multiprocessors();
  const ensyn::cuda::DeviceBuffer<unsigned> bits(std::size_t{blocks} * kNormalThreads, "bits");
  const double time = seconds(target, 3, [&] {
    launch(target.stream, name, draw_kernel<Generator>, {blocks, kNormalThreads}, kSeed, kQuads, bits.data());
  });
  const double count = 4.0 * kQuads * blocks * kNormalThreads;
  report.add({name,
              "1e9 normals/s",
              1e-9 * count / time,
              assumption,
              wrong_normals<Generator>(target),
              "mean, variance, kurtosis of 2^24 checked",
              {}});
}

}  // namespace probe
