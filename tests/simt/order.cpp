// Orders of threads and blocks.

#include "order.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace simt {
namespace {

std::uint64_t state = 0;

void shuffle(std::uint32_t* first, std::uint32_t count) {
  for (std::uint32_t i = count; i > 1; --i) std::swap(first[i - 1], first[next_choice() % i]);
}

}  // namespace

std::uint64_t next_choice() {
  std::uint64_t z = state += 0x9E3779B97F4A7C15u;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

void restart_choices(std::uint64_t number) {
  state = settings().seed * 0xD1342543DE82EF95u + number;
}

std::uint64_t coprime_stride(std::uint64_t count) {
  if (count <= 2) return 1;
  std::uint64_t stride = 1 + next_choice() % (count - 1);
  while (std::gcd(stride, count) != 1) stride = stride % (count - 1) + 1;
  return stride;
}

void Permutations::prepare(std::uint32_t size) {
  const Settings& now = settings();
  if (size == size_ && now.order == order_ && now.seed == seed_) return;
  size_ = size;
  order_ = now.order;
  seed_ = now.seed;
  numbers_.resize(std::size_t{kCount} * size);
  std::vector<std::uint32_t> groups((size + 31) / 32);
  for (std::uint32_t p = 0; p < kCount; ++p) {
    std::uint32_t* to = numbers_.data() + std::size_t{p} * size;
    std::iota(groups.begin(), groups.end(), 0u);
    if (order_ == Order::kShuffled) shuffle(groups.data(), static_cast<std::uint32_t>(groups.size()));
    for (const std::uint32_t group : groups) {
      const std::uint32_t count = std::min(32u, size - 32 * group);
      std::iota(to, to + count, 32 * group);
      if (order_ == Order::kShuffled) shuffle(to, count);
      to += count;
    }
    if (order_ == Order::kReverse) std::reverse(to - size, to);
  }
}

const std::uint32_t* Permutations::next() {
  const std::uint64_t which = order_ == Order::kShuffled ? next_choice() % kCount : 0;
  return numbers_.data() + which * size_;
}

}  // namespace simt
