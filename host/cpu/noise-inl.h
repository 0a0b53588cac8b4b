// Noise of the contract, a vector of quads at a time.
#pragma once

#include "host/cpu/kernels.h"
#include "host/cpu/vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ensyn::HWY_NAMESPACE {

/// Numbers of kLanes quads in each of two pairs of rows: four rows of 2 * kLanes consecutive columns.
template <class T>
struct GroupNoise {
  Vec<T> of[4][2];  ///< [row][first or second kLanes columns]
};

/// Which quad (relative to the first) lane p of a vector serves: chosen so that interleaving the two normals
/// of a row, which works within 128 bits, leaves the columns in order.
template <class T>
constexpr int quad_of_lane(int p) {
  constexpr int per_part = static_cast<int>(16 / sizeof(T));
  constexpr int half = per_part / 2;
  const int part = p / per_part, j = p % per_part;
  return j < half ? half * part + j : kLanes<T> / 2 + half * part + j - half;
}

/// Quads of the even (parity 0) and odd lanes, for T = float; of all lanes in order, for T = double (step 1).
template <class T>
struct QuadOffsets {
  static constexpr int kStep = sizeof(T) == 4 ? 2 : 1;
  alignas(64) std::uint64_t of[2][kLanes<std::uint64_t>]{};
  constexpr QuadOffsets() {
    for (int parity = 0; parity < kStep; ++parity) {
      for (int i = 0; i < kLanes<std::uint64_t>; ++i) {
        of[parity][i] = static_cast<std::uint64_t>(quad_of_lane<T>(i * kStep + parity));
      }
    }
  }
};
template <class T>
inline constexpr QuadOffsets<T> kQuadOffsets{};

/// Philox blocks of the quads after first[0] and first[1]; for float, even lanes before odd ones of each.
template <class T>
ENSYN_FN auto quad_words(const cpu::NoiseStream& noise, const std::uint64_t* first) {
  constexpr int kStep = QuadOffsets<T>::kStep;
  const Tag<std::uint64_t> d;
  Words<2 * kStep> q;
  ENSYN_UNROLL
  for (int k = 0; k < 2 * kStep; ++k) {
    q.v[k] =
        hn::Add(hn::Set(d, noise.first_quad + first[k / kStep]), hn::Load(d, kQuadOffsets<T>.of[k % kStep]));
  }
  const auto s = word_constant<Words<2 * kStep>>(noise.step_and_stream);
  return philox<10>(PhiloxWords<Words<2 * kStep>>{q, high_half(q), s, high_half(s)}, noise.round_keys.data());
}

/// One word per 32-bit lane from the vectors of even and odd lanes.
ENSYN_FN Native<std::uint32_t> merge_words(Native<std::uint64_t> even, Native<std::uint64_t> odd) {
  const Tag<std::uint32_t> d;
  return hn::OddEven(hn::BitCast(d, hn::ShiftLeft<32>(odd)), hn::BitCast(d, even));
}

ENSYN_FN Native<float> unsigned_number(Native<std::uint32_t> w) {
  // Halves convert exactly and meet in one rounding, as a conversion of the whole word would round.
  const Tag<std::int32_t> d;
  const Tag<float> f;
  const auto high = hn::ConvertTo(f, hn::BitCast(d, hn::ShiftRight<16>(w)));
  const auto low = hn::ConvertTo(f, hn::BitCast(d, hn::And(w, hn::Set(Tag<std::uint32_t>(), 0xFFFF))));
  return fused_native<float>(high, hn::Set(f, 65536.0f), low);
}
ENSYN_FN Native<float> signed_number(Native<std::uint32_t> w) {
  return hn::ConvertTo(Tag<float>(), hn::BitCast(Tag<std::int32_t>(), w));
}
/// The low 32 bits as the fraction of 2^52 + w, which is exact; `flip` and `offset` make them signed.
ENSYN_FN Native<double> number_of(Native<std::uint64_t> w, std::uint64_t flip, double offset) {
  const Tag<std::uint64_t> d;
  const auto low = hn::And(w, hn::Set(d, 0xFFFFFFFFu));
  const auto bits = hn::Xor(low, hn::Set(d, 0x4330000000000000u | flip));
  return hn::Sub(hn::BitCast(Tag<double>(), bits), hn::Set(Tag<double>(), offset));
}
ENSYN_FN Native<double> unsigned_number(Native<std::uint64_t> w) {
  return number_of(w, 0, 0x1p52);
}
ENSYN_FN Native<double> signed_number(Native<std::uint64_t> w) {
  return number_of(w, 0x80000000u, 0x1p52 + 0x1p31);
}

/// Word vectors of pair k, one word per lane of T.
template <class T, int K>
ENSYN_FN auto words_of_pair(Words<K> w, int k) {
  if constexpr (sizeof(T) == 4) {
    return merge_words(w.v[2 * k], w.v[2 * k + 1]);
  } else {
    return w.v[k];
  }
}

/// Rows whose even columns are in `even` and whose odd ones are in `odd`, as quad_of_lane has them.
template <class T>
ENSYN_FN GroupNoise<T> interleaved(Vec<T, 4> even, Vec<T, 4> odd) {
  GroupNoise<T> out;
  const Tag<T> d;
  ENSYN_UNROLL
  for (int row = 0; row < 4; ++row) {
    out.of[row][0] = {{hn::InterleaveLower(d, even.v[row], odd.v[row])}};
    out.of[row][1] = {{hn::InterleaveUpper(d, even.v[row], odd.v[row])}};
  }
  return out;
}

/// Normals of a group of four rows; first[k] is the quad of row pair k at the first column.
template <class T>
ENSYN_FN GroupNoise<T> draw_normals(const cpu::NoiseStream& noise, const std::uint64_t* first) {
  const auto w = quad_words<T>(noise, first);
  Vec<T, 4> radius, angle;  // of rows 0 to 3
  ENSYN_UNROLL
  for (int k = 0; k < 2; ++k) {
    radius.v[2 * k] = unsigned_number(words_of_pair<T>(w.w0, k));
    angle.v[2 * k] = signed_number(words_of_pair<T>(w.w1, k));
    radius.v[2 * k + 1] = unsigned_number(words_of_pair<T>(w.w2, k));
    angle.v[2 * k + 1] = signed_number(words_of_pair<T>(w.w3, k));
  }
  const NormalPair<Vec<T, 4>> n = box_muller(radius, angle);
  return interleaved<T>(n.first, n.second);
}

/// The words themselves as unsigned numbers, each at its element.
template <class T>
ENSYN_FN GroupNoise<T> draw_words(const cpu::NoiseStream& noise, const std::uint64_t* first) {
  const auto w = quad_words<T>(noise, first);
  Vec<T, 4> even, odd;  // columns of rows 0 to 3
  ENSYN_UNROLL
  for (int k = 0; k < 2; ++k) {
    even.v[2 * k] = unsigned_number(words_of_pair<T>(w.w0, k));
    odd.v[2 * k] = unsigned_number(words_of_pair<T>(w.w1, k));
    even.v[2 * k + 1] = unsigned_number(words_of_pair<T>(w.w2, k));
    odd.v[2 * k + 1] = unsigned_number(words_of_pair<T>(w.w3, k));
  }
  return interleaved<T>(even, odd);
}

}  // namespace ensyn::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
