#include "pattern.h"

#include "device.h"

namespace probe {
namespace {

constexpr unsigned kThreads = 256;

__host__ __device__ uint4 pattern(std::size_t i) {
  const auto hash = static_cast<unsigned>(i) * 0x9E3779B9U + 0x7F4A7C15U;
  return {hash, hash ^ hash >> 15, ~hash, 3 * hash};
}

__global__ void __launch_bounds__(kThreads) fill_kernel(uint4* words, std::size_t count) {
  const std::size_t i = std::size_t{blockIdx.x} * kThreads + threadIdx.x;
  if (i < count) words[i] = pattern(i);
}

__global__ void __launch_bounds__(kThreads)
    compare_kernel(const uint4* words, std::size_t count, unsigned change, unsigned* errors) {
  const std::size_t i = std::size_t{blockIdx.x} * kThreads + threadIdx.x;
  if (i >= count) return;
  const uint4 is = words[i], was = pattern(i);
  if (is.x != (was.x ^ change) || is.y != (was.y ^ change) || is.z != (was.z ^ change) ||
      is.w != (was.w ^ change)) {
    atomicAdd(errors, 1U);
  }
}

Shape shape_of(const Words& words) {
  return {static_cast<unsigned>((words.size() + kThreads - 1) / kThreads), kThreads};
}

}  // namespace

void fill(const Words& words, const ensyn::cuda::Stream& stream) {
  launch(stream, "filling", fill_kernel, shape_of(words), words.data(), words.size());
}

std::string wrong_words(const Words& words, unsigned change, const ensyn::cuda::Stream& stream) {
  const ensyn::cuda::DeviceBuffer<unsigned> errors(1, "errors");
  ensyn::cuda::clear(errors, stream.get());
  launch(stream, "comparing", compare_kernel, shape_of(words), words.data(), words.size(), change,
         errors.data());
  const unsigned count = values(errors, stream)[0];
  return count == 0 ? "" : std::to_string(count) + " words of 16 bytes are wrong";
}

unsigned sum_of_pattern(std::size_t count) {
  unsigned sum = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const uint4 word = pattern(i);
    sum += word.x + word.y + word.z + word.w;
  }
  return sum;
}

}  // namespace probe
