/// \file
/// The noise contract, version 1: each normal is a pure function of (seed, stream, step, tensor, purpose,
/// position).
///
/// Philox4x32-10 with key = seed and counter = {q low, q high, s low, s high}:
///   q = (a * ceil(columns / 2) + b) + tensor * 2^40 + purpose * 2^52,   s = step + stream * 2^40.
/// One block of four words serves the 2 x 2 elements of rows 2a, 2a+1 and columns 2b, 2b+1 in the order
/// (2a,2b), (2a,2b+1), (2a+1,2b), (2a+1,2b+1). Two words (v, w) give two normals by Box and Muller's
///   r = sqrt(-2 ln u), u = min(1, v 2^-32 + 2^-33), angle = pi * int32(w) 2^-31:   r sin(angle), r
///   cos(angle),
/// the order of cuRAND's curand_normal4.
///
/// The laws of ensyn/noise_law.h take the same blocks. `gaussian` and `log_normal` take an element's normal,
/// as above; `binomial` takes the element's own word of the four, in the order of the elements, as the
/// uniform number (word + 1/2) 2^-32. Laws are an addition to version 1, which fixes the words and the
/// normals.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "ensyn/config.h"
#include "ensyn/export.h"

namespace ensyn {

inline constexpr int kNoiseContract = 1;

/// What a stream of random numbers is for; part of the counter.
enum class Purpose : std::uint32_t {
  training = 0,
  evaluation = 1,
  initial_mu = 2,
  shuffling = 3,
  stochastic_rounding = 4,
  user = 255,
};

/// Names the noise of one tensor at one step. For evaluation `step` is sample * batches + batch index.
struct NoiseKey {
  std::uint64_t seed = 0;
  std::uint32_t stream = 0;  ///< < 2^24
  std::uint64_t step = 0;    ///< < 2^40
  std::uint32_t tensor = 0;  ///< layer number from the input, < 2^12
  Purpose purpose = Purpose::training;
};

/// The four words of block `quad` (< 2^40). \throws ConfigError when a part of the key is out of range
[[nodiscard]] ENSYN_API std::array<std::uint32_t, 4> noise_words(const NoiseKey& key, std::uint64_t quad);

/// Fills `out` (row-major rows x columns, columns counting the bias) with standard normals, by the same
/// vectorised code that training uses. \throws ConfigError on sizes that do not agree, DeviceError on an
/// unknown instruction set
ENSYN_API void noise_normals(const NoiseKey& key, int rows, int columns, std::span<float> out,
                             const ExecutionConfig& execution = {});
/// As above; the same words through double-precision Box-Muller.
ENSYN_API void noise_normals(const NoiseKey& key, int rows, int columns, std::span<double> out,
                             const ExecutionConfig& execution = {});

/// The order in which examples are visited in one epoch: p = 0..count-1 shuffled by Fisher and Yates; for i
/// from count-1 down to 1, p[i] changes places with p[floor(r (i+1) / 2^64)], where r is the 64-bit number
/// whose low and high halves are words 0, 1 (i even) or 2, 3 (i odd) of block i/2 of (seed, stream, step =
/// epoch, tensor 0, `shuffling`). \throws ConfigError when count is 0 or beyond 2^31
[[nodiscard]] ENSYN_API std::vector<std::uint32_t> minibatch_order(std::uint64_t seed, std::uint32_t stream,
                                                                   std::uint64_t epoch, std::size_t count);

}  // namespace ensyn
