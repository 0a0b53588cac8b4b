// The radius of the library's normals by special functions against that by its formulas, for every one of the
// 2^32 words it may be made of: the largest absolute error, and whether any is no number. The angle word 0
// makes the second number of a pair the radius.

#include <cstring>

#include "device.h"
#include "ensyn/detail/arithmetic.h"
#include "kernels/whole/tile_math.h"

namespace probe {
namespace {

constexpr unsigned kThreads = 256;
constexpr float kSmall = 0.02F;

struct Comparison {
  unsigned long long words, not_numbers;
  // Bits of absolute values, which are in the order of the values.
  unsigned error_large, error_small, largest;
};

__device__ inline void raise(unsigned& bits, float number) {
  bits = max(bits, __float_as_uint(number));
}

__global__ void __launch_bounds__(kThreads) compare_kernel(Comparison* all) {
  Comparison mine{};
  const unsigned long long step = static_cast<unsigned long long>(gridDim.x) * kThreads;
  for (unsigned long long i = blockIdx.x * kThreads + threadIdx.x; i < 1ULL << 32; i += step) {
    const auto word = static_cast<unsigned>(i);
    const float exact = ensyn::detail::box_muller(static_cast<float>(word), 0.0F).second;
    const float fast = ensyn::kernels::fast_normal_pair(word, 0).second;
    ++mine.words;
    if (!(fast >= 0)) {
      ++mine.not_numbers;
      continue;
    }
    raise(exact > kSmall ? mine.error_large : mine.error_small, fabsf(fast - exact));
    raise(mine.largest, fabsf(fast));
  }
  atomicAdd(&all->words, mine.words);
  atomicAdd(&all->not_numbers, mine.not_numbers);
  atomicMax(&all->error_large, mine.error_large);
  atomicMax(&all->error_small, mine.error_small);
  atomicMax(&all->largest, mine.largest);
}

double number(unsigned bits) {
  float value = 0;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

}  // namespace

void measure_radius(const Target& target, Report& report) {
  const ensyn::cuda::DeviceBuffer<Comparison> comparison(1, "a comparison");
  ensyn::cuda::clear(comparison, target.stream.get());
  launch(target.stream, "comparing radii", compare_kernel, {8 * target.multiprocessors(), kThreads},
         comparison.data());
  const Comparison found = values(comparison, target.stream)[0];
  std::string wrong = found.words == 1ULL << 32 ? "" : "not all words were compared";
  if (found.not_numbers > 0) wrong = std::to_string(found.not_numbers) + " words give no number";
  const std::string note = "over all 2^32 words; the assumption is what tile_math.h states";
  report.add({"radius, error above 0.02", "absolute", number(found.error_large), 1e-5, wrong, note, {}});
  report.add({"radius, error to 0.02", "absolute", number(found.error_small), 1e-3, wrong, note, {}});
  report.add({"radius, largest", "", number(found.largest), {}, wrong, "by special functions", {}});
}

}  // namespace probe
