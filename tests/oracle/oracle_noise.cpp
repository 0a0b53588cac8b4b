// The noise contract: Philox, normals, the order of minibatches.

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <utility>
#include <vector>

#include "oracle/oracle.h"

namespace oracle {

Block philox(Block counter, std::array<std::uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    if (round > 0) {
      key[0] += 0x9E3779B9U;
      key[1] += 0xBB67AE85U;
    }
    const std::uint64_t product0 = std::uint64_t{0xD2511F53U} * counter[0];
    const std::uint64_t product1 = std::uint64_t{0xCD9E8D57U} * counter[2];
    const auto high0 = static_cast<std::uint32_t>(product0 >> 32);
    const auto high1 = static_cast<std::uint32_t>(product1 >> 32);
    counter = {high1 ^ counter[1] ^ key[0], static_cast<std::uint32_t>(product1), high0 ^ counter[3] ^ key[1],
               static_cast<std::uint32_t>(product0)};
  }
  return counter;
}

Block words(const Draw& draw, std::uint64_t quad) {
  const std::uint64_t q = quad + (draw.tensor << 40) + (draw.purpose << 52);
  const std::uint64_t s = draw.step + (draw.stream << 40);
  return philox({static_cast<std::uint32_t>(q), static_cast<std::uint32_t>(q >> 32),
                 static_cast<std::uint32_t>(s), static_cast<std::uint32_t>(s >> 32)},
                {static_cast<std::uint32_t>(draw.seed), static_cast<std::uint32_t>(draw.seed >> 32)});
}

double uniform(std::uint32_t word, Uniform kind) {
  if (kind == Uniform::exact) {
    return word * std::exp2(-32.0) + std::exp2(-33.0);
  }
  const float single = std::fma(static_cast<float>(word), std::exp2(-32.0F), std::exp2(-33.0F));
  return single > 1.0F ? 1.0 : static_cast<double>(single);
}

std::array<double, 2> box_muller(std::uint32_t radius_word, std::uint32_t angle_word, Uniform kind) {
  const double radius = std::sqrt(-2.0 * std::log(uniform(radius_word, kind)));
  const double angle = std::numbers::pi * static_cast<std::int32_t>(angle_word) * std::exp2(-31.0);
  return {radius * std::sin(angle), radius * std::cos(angle)};
}

namespace {

/// Block of four that holds an element, and which of the four it is.
struct Place {
  std::uint64_t quad;
  std::size_t element;
};

Place place_of(int row, int column, int columns) {
  const auto quads_per_row = static_cast<std::uint64_t>((columns + 1) / 2);
  return {static_cast<std::uint64_t>(row / 2) * quads_per_row + static_cast<std::uint64_t>(column / 2),
          static_cast<std::size_t>(2 * (row % 2) + column % 2)};
}

}  // namespace

std::uint32_t word_at(const Draw& draw, int row, int column, int columns) {
  const Place place = place_of(row, column, columns);
  return words(draw, place.quad)[place.element];
}

double normal_at(const Draw& draw, int row, int column, int columns, Uniform kind) {
  const Place place = place_of(row, column, columns);
  const Block block = words(draw, place.quad);
  const std::size_t pair = place.element / 2 * 2;
  return box_muller(block[pair], block[pair + 1], kind)[place.element % 2];
}

Matrix normals(const Draw& draw, int rows, int columns, Uniform kind) {
  Matrix result(rows, columns);
  for (int row = 0; row < rows; ++row) {
    for (int column = 0; column < columns; ++column) {
      result.at(row, column) = normal_at(draw, row, column, columns, kind);
    }
  }
  return result;
}

Matrix uniforms(const Draw& draw, int rows, int columns, Uniform kind) {
  Matrix result(rows, columns);
  for (int row = 0; row < rows; ++row) {
    for (int column = 0; column < columns; ++column) {
      result.at(row, column) = uniform(word_at(draw, row, column, columns), kind);
    }
  }
  return result;
}

std::vector<std::uint32_t> order(std::uint64_t seed, std::uint64_t stream, std::uint64_t epoch,
                                 std::size_t count) {
  std::vector<std::uint32_t> p(count);
  for (std::size_t i = 0; i < count; ++i) {
    p[i] = static_cast<std::uint32_t>(i);
  }
  for (std::uint64_t i = count - 1; i >= 1; --i) {
    const Block block = words({seed, stream, epoch, 0, kShuffling}, i / 2);
    const std::size_t first = i % 2 == 0 ? 0 : 2;
    const std::uint64_t r = block[first] + (std::uint64_t{block[first + 1]} << 32);
    // floor(r (i+1) / 2^64) with the product taken in two halves, since it has up to 96 bits.
    const std::uint64_t high = (r >> 32) * (i + 1);
    const std::uint64_t low = (r & 0xFFFFFFFFU) * (i + 1);
    const std::uint64_t j = (high + (low >> 32)) >> 32;
    std::swap(p[i], p[j]);
  }
  return p;
}

}  // namespace oracle
