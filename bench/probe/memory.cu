// Bandwidth of reading alone, and of 20 MB that stay in the second-level cache: read, and changed in place.
// The first-level cache is passed by. The sum of all words read, and every word changed, are checked.

#include "device.h"
#include "pattern.h"

namespace probe {
namespace {

constexpr unsigned kThreads = 256, kBlocks = 8;  // a multiprocessor's 2048 threads
constexpr std::size_t kInCache = 20'000'000 / sizeof(uint4);
// Odd, so that the words end changed.
constexpr unsigned kPasses = 51;

constexpr unsigned kTogether = 4;

/// Loads and uses the words of a thread, pass after pass, with kTogether loads under way at once.
template <class Load, class Use>
__device__ inline void for_words(std::size_t count, unsigned passes, const Load& load, const Use& use) {
  const std::size_t first = std::size_t{blockIdx.x} * kThreads + threadIdx.x;
  const std::size_t step = std::size_t{gridDim.x} * kThreads;
  for (unsigned pass = 0; pass < passes; ++pass) {
    std::size_t i = first;
    for (; i + (kTogether - 1) * step < count; i += kTogether * step) {
      uint4 words[kTogether];
#pragma unroll
      for (unsigned k = 0; k < kTogether; ++k) words[k] = load(i + k * step);
#pragma unroll
      for (unsigned k = 0; k < kTogether; ++k) use(i + k * step, words[k]);
    }
    for (; i < count; i += step) use(i, load(i));
  }
}

__global__ void __launch_bounds__(kThreads)
    read_kernel(const uint4* words, std::size_t count, unsigned passes, unsigned* sum) {
  unsigned mine = 0;
  for_words(
      count, passes, [&](std::size_t i) { return __ldcg(words + i); },
      [&](std::size_t, const uint4& word) { mine += word.x + word.y + word.z + word.w; });
  atomicAdd(sum, mine);
}

/// Each thread comes back to its own words, so that no other is waited for.
__global__ void __launch_bounds__(kThreads) change_kernel(uint4* words, std::size_t count, unsigned passes) {
  for_words(
      count, passes, [&](std::size_t i) { return __ldcg(words + i); },
      [&](std::size_t i, const uint4& word) {
        __stcg(words + i, make_uint4(word.x ^ kChange, word.y ^ kChange, word.z ^ kChange, word.w ^ kChange));
      });
}

void measure_reading(const Target& target, Report& report, const char* name, std::size_t count,
                     unsigned passes) {
  const Words words(count, "words to read");
  const ensyn::cuda::DeviceBuffer<unsigned> sum(1, "a sum");
  fill(words, target.stream);
  ensyn::cuda::clear(sum, target.stream.get());
  constexpr int kSamples = 9;
  const Shape shape{kBlocks * target.multiprocessors(), kThreads};
  const double time = seconds(target, kSamples, [&] {
    launch(target.stream, name, read_kernel, shape, words.data(), count, passes, sum.data());
  });
  const unsigned should = sum_of_pattern(count) * passes * (kSamples + 1);
  const bool right = values(sum, target.stream)[0] == should;
  report.add({name,
              "GB/s",
              1e-9 * static_cast<double>(words.bytes()) * passes / time,
              {},
              right ? "" : "the sum is wrong",
              std::to_string(words.bytes() >> 20) + " MiB",
              {}});
}

void measure_changing(const Target& target, Report& report, const char* name, std::size_t count,
                      unsigned passes) {
  const Words words(count, "words to change");
  fill(words, target.stream);
  constexpr int kSamples = 10;  // and one more: an odd number in all
  const Shape shape{kBlocks * target.multiprocessors(), kThreads};
  const double time = seconds(target, kSamples, [&] {
    launch(target.stream, name, change_kernel, shape, words.data(), count, passes);
  });
  report.add({name,
              "GB/s",
              2e-9 * static_cast<double>(words.bytes()) * passes / time,
              {},
              wrong_words(words, kChange, target.stream),
              "read and written",
              {}});
}

}  // namespace

void measure_memory(const Target& target, Report& report) {
  std::size_t free = 0, total = 0;
  ensyn::cuda::check(cudaMemGetInfo(&free, &total), "cudaMemGetInfo");
  const std::size_t large = std::min<std::size_t>(std::size_t{1} << 30, free / 4) / sizeof(uint4);
  measure_reading(target, report, "read", large, 1);
  measure_reading(target, report, "read, in the second-level cache", kInCache, kPasses);
  measure_changing(target, report, "change, in the second-level cache", kInCache, kPasses);
}

}  // namespace probe
