#include "ensyn/noise.h"

#include <algorithm>
#include <numeric>
#include <string>
#include <vector>

#include "ensyn/detail/arithmetic.h"
#include "ensyn/error.h"
#include "host/cpu/kernels.h"

namespace ensyn {
namespace {

void check(const NoiseKey& key) {
  if (key.stream >= 1u << 24) {
    throw ConfigError("noise stream " + std::to_string(key.stream) + " is beyond 2^24 - 1");
  }
  if (key.step >= 1ull << 40)
    throw ConfigError("noise step " + std::to_string(key.step) + " is beyond 2^40 - 1");
  if (key.tensor >= 1u << 12) {
    throw ConfigError("noise tensor " + std::to_string(key.tensor) + " is beyond 4095");
  }
  if (static_cast<std::uint32_t>(key.purpose) >= 1u << 8) throw ConfigError("noise purpose is beyond 255");
}

std::array<std::uint32_t, 4> words_of(const cpu::NoiseStream& stream, std::uint64_t quad) {
  using Words = detail::PhiloxWords<std::uint64_t>;
  const std::uint64_t q = stream.first_quad + quad;
  const auto w = detail::philox<10>(Words{q, q >> 32, stream.step_and_stream, stream.step_and_stream >> 32},
                                    stream.round_keys.data());
  return {static_cast<std::uint32_t>(w.w0), static_cast<std::uint32_t>(w.w1),
          static_cast<std::uint32_t>(w.w2), static_cast<std::uint32_t>(w.w3)};
}

template <class T>
void fill_normals(const NoiseKey& key, int rows, int columns, std::span<T> out,
                  const ExecutionConfig& execution) {
  check(key);
  if (rows < 1 || columns < 1 ||
      out.size() != static_cast<std::size_t>(rows) * static_cast<std::size_t>(columns)) {
    throw ConfigError("noise_normals: " + std::to_string(out.size()) + " elements cannot hold " +
                      std::to_string(rows) + " x " + std::to_string(columns));
  }
  const auto& kernels = cpu::table_of<T>(cpu::find_instruction_set(execution.instruction_set));
  const auto stream = cpu::NoiseStream::from(key);
  const cpu::LayerShape shape{rows, columns};
  // w = mu + sigma xi with mu = 0, sigma = 1 is the noise itself.
  const auto group_size = static_cast<std::size_t>(cpu::kRowGroup) * static_cast<std::size_t>(shape.stride());
  cpu::Array<T> zeros(group_size), ones(group_size), group(group_size);
  for (std::size_t i = 0; i < group_size; ++i) ones[i] = T(1);
  for (int row = 0; row < rows; row += cpu::kRowGroup) {
    kernels.sample_plain({nullptr, shape.blocks(), row, columns}, zeros.data(), ones.data(),
                         {&stream, group.data()});
    for (int r = row; r < std::min(rows, row + cpu::kRowGroup); ++r) {
      const T* from =
          group.data() + static_cast<std::size_t>(r - row) * static_cast<std::size_t>(shape.stride());
      std::copy_n(from, columns,
                  out.data() + static_cast<std::size_t>(r) * static_cast<std::size_t>(columns));
    }
  }
}

}  // namespace

std::array<std::uint32_t, 4> noise_words(const NoiseKey& key, std::uint64_t quad) {
  check(key);
  if (quad >= 1ull << 40) throw ConfigError("noise quad " + std::to_string(quad) + " is beyond 2^40 - 1");
  return words_of(cpu::NoiseStream::from(key), quad);
}

void noise_normals(const NoiseKey& key, int rows, int columns, std::span<float> out,
                   const ExecutionConfig& execution) {
  fill_normals(key, rows, columns, out, execution);
}

void noise_normals(const NoiseKey& key, int rows, int columns, std::span<double> out,
                   const ExecutionConfig& execution) {
  fill_normals(key, rows, columns, out, execution);
}

std::vector<std::uint32_t> minibatch_order(std::uint64_t seed, std::uint32_t stream, std::uint64_t epoch,
                                           std::size_t count) {
  if (count == 0 || count > 1ull << 31) {
    throw ConfigError("cannot order " + std::to_string(count) + " examples: between 1 and 2^31 are possible");
  }
  const NoiseKey key{seed, stream, epoch, 0, Purpose::shuffling};
  check(key);
  const auto noise = cpu::NoiseStream::from(key);
  std::vector<std::uint32_t> order(count);
  std::iota(order.begin(), order.end(), 0u);
  std::array<std::uint32_t, 4> words = words_of(noise, (count - 1) / 2);
  for (std::size_t i = count - 1; i >= 1; --i) {
    const std::size_t half = 2 * (i % 2);
    const std::uint64_t r = words[half] | static_cast<std::uint64_t>(words[half + 1]) << 32;
    const auto j = static_cast<std::size_t>((static_cast<unsigned __int128>(r) * (i + 1)) >> 64);
    std::swap(order[i], order[j]);
    if (i % 2 == 0) words = words_of(noise, i / 2 - 1);
  }
  return order;
}

}  // namespace ensyn
