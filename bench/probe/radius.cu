// The radius of Box and Muller's normals by special functions against the library's, for every one of the
// 2^32 words it may be made of: the largest absolute error, and whether any is no number. The angle word 0
// makes the second number of a pair the radius.

#include <cstring>

#include "box_muller.h"
#include "device.h"
#include "ensyn/detail/arithmetic.h"

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
    const float library = ensyn::detail::box_muller(static_cast<float>(word), 0.0F).second;
    const float hardware = hardware_pair(word, 0).second;
    ++mine.words;
    if (!(hardware >= 0)) {
      ++mine.not_numbers;
      continue;
    }
    raise(library > kSmall ? mine.error_large : mine.error_small, fabsf(hardware - library));
    raise(mine.largest, fabsf(hardware));
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
  const std::string wrong = found.words == 1ULL << 32 ? "" : "not all words were compared";
  const std::string note = "against the library's, all 2^32 words";
  report.add(
      {"radius by special functions, error above 0.02", "", number(found.error_large), {}, wrong, note, {}});
  report.add(
      {"radius by special functions, error to 0.02", "", number(found.error_small), {}, wrong, note, {}});
  report.add({"radius by special functions, largest", "", number(found.largest), {}, wrong, note, {}});
  report.add({"radius by special functions, not a number",
              "words",
              static_cast<double>(found.not_numbers),
              {},
              wrong,
              note,
              {}});
}

}  // namespace probe
