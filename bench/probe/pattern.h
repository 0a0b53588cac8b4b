/// \file
/// Device memory whose content can be told at each place: what copies are checked with.
#pragma once

#include <cstdint>
#include <string>

#include "probe.h"

namespace probe {

/// Memory is written and read 16 bytes at a time.
using Words = ensyn::cuda::DeviceBuffer<uint4>;

/// What all words of the streams are changed with on their way, as a training kernel would change its state.
constexpr unsigned kChange = 0x5A5A5A5AU;

/// Fills `words` with the pattern.
void fill(const Words& words, const ensyn::cuda::Stream& stream);

/// Whether `words` is the pattern with each word changed by `change`: empty, or what is wrong.
[[nodiscard]] std::string wrong_words(const Words& words, unsigned change, const ensyn::cuda::Stream& stream);

/// Of all 32-bit words of the pattern of so many 16-byte words, modulo 2^32.
[[nodiscard]] unsigned sum_of_pattern(std::size_t count);

}  // namespace probe
