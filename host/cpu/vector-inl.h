// Vectors of the instruction set's width as numbers for formulas.inl. A source compiles these headers for one
// instruction set (instruction_set.inl).

#pragma once

#include <hwy/highway.h>

#include <cmath>
#include <cstdint>
#include <type_traits>

#include "ensyn/detail/rates.h"
#include "ensyn/detail/unroll.h"

#undef ENSYN_FN
#if HWY_TARGET == HWY_EMU128 || HWY_IS_ASAN
// The portable target's vectors are loops over their elements: all inlined into each other they took longer
// to compile than all other targets together, and were no faster than what the compiler chooses to inline.
// AddressSanitizer's checks make such code as large.
#  define ENSYN_FN inline HWY_ATTR
#else
#  define ENSYN_FN HWY_INLINE HWY_ATTR
#endif

HWY_BEFORE_NAMESPACE();
namespace ensyn::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

template <class T>
using Tag = hn::ScalableTag<T>;
template <class T>
using Native = hn::Vec<Tag<T>>;
template <class T>
using SignedOf = std::conditional_t<sizeof(T) == 4, std::int32_t, std::int64_t>;

/// Elements of one vector.
template <class T>
inline constexpr int kLanes = static_cast<int>(HWY_MAX_BYTES / sizeof(T));

#if HWY_IS_ASAN && HWY_COMPILER_CLANG
/// An array whose elements clang's UBSan does not ask for a wrapped address: what it adds for that, to an
/// index that it checks against K anyway, keeps vectors in memory. Training takes five times as long there.
template <class N, int K>
struct Array {
  N element[K];

  __attribute__((no_sanitize("pointer-overflow"))) HWY_INLINE HWY_ATTR N& operator[](int i) {
    return element[i];
  }
  __attribute__((no_sanitize("pointer-overflow"))) HWY_INLINE HWY_ATTR const N& operator[](int i) const {
    return element[i];
  }
};
#else
template <class N, int K>
using Array = N[K];
#endif

/// K vectors side by side. The formulas are long chains of dependent operations; several at once keep the
/// processor's units busy where one alone would wait.
template <class T, int K = 1>
struct Vec {
  Array<Native<T>, K> v;
};
template <class T, int K = 1>
struct Mask {
  Array<hn::Mask<Tag<T>>, K> m;
};
/// Lanes of 64 bits that hold one word each.
template <int K>
struct Words {
  Array<Native<std::uint64_t>, K> v;
};

template <class V>
struct Traits;
template <class T, int K_>
struct Traits<Vec<T, K_>> {
  using Type = T;
  static constexpr int K = K_;
};
template <int K_>
struct Traits<Words<K_>> {
  using Type = std::uint64_t;
  static constexpr int K = K_;
};
template <class V>
using Element = typename Traits<V>::Type;
template <class V>
using BitsOf = Vec<SignedOf<Element<V>>, Traits<V>::K>;

#define ENSYN_EACH ENSYN_UNROLL for (int i = 0; i < K; ++i)

template <class T>
ENSYN_FN Vec<T> load(const T* from) {
  return {{hn::Load(Tag<T>(), from)}};
}
template <class T>
ENSYN_FN void store(Vec<T> x, T* to) {
  hn::Store(x.v[0], Tag<T>(), to);
}
template <class T>
ENSYN_FN Vec<T> load_unaligned(const T* from) {
  return {{hn::LoadU(Tag<T>(), from)}};
}
template <class T>
ENSYN_FN void store_unaligned(Vec<T> x, T* to) {
  hn::StoreU(x.v[0], Tag<T>(), to);
}

template <class V, class T>
ENSYN_FN V constant(T x) {
  constexpr int K = Traits<V>::K;
  V r;
  ENSYN_EACH r.v[i] = hn::Set(Tag<Element<V>>(), static_cast<Element<V>>(x));
  return r;
}
template <class T, int K>
ENSYN_FN Vec<T, K> operator+(Vec<T, K> a, Vec<T, K> b) {
  ENSYN_EACH a.v[i] = hn::Add(a.v[i], b.v[i]);
  return a;
}
template <class T, int K>
ENSYN_FN Vec<T, K> operator-(Vec<T, K> a, Vec<T, K> b) {
  ENSYN_EACH a.v[i] = hn::Sub(a.v[i], b.v[i]);
  return a;
}
template <class T, int K>
ENSYN_FN Vec<T, K> operator*(Vec<T, K> a, Vec<T, K> b) {
  ENSYN_EACH a.v[i] = hn::Mul(a.v[i], b.v[i]);
  return a;
}
template <class T, int K>
ENSYN_FN Vec<T, K> operator/(Vec<T, K> a, Vec<T, K> b) {
  ENSYN_EACH a.v[i] = hn::Div(a.v[i], b.v[i]);
  return a;
}
template <class T, int K>
ENSYN_FN Vec<T, K> operator-(Vec<T, K> a) {
  ENSYN_EACH a.v[i] = hn::Neg(a.v[i]);
  return a;
}
template <class T>
ENSYN_FN Native<T> fused_native(Native<T> a, Native<T> b, Native<T> c) {
#if HWY_NATIVE_FMA
  return hn::MulAdd(a, b, c);
#else
  // One rounding here as well: a target without the instruction is slow, never different.
  const Tag<T> d;
  HWY_ALIGN T x[kLanes<T>], y[kLanes<T>], z[kLanes<T>];
  hn::Store(a, d, x), hn::Store(b, d, y), hn::Store(c, d, z);
  for (int i = 0; i < kLanes<T>; ++i) x[i] = std::fma(x[i], y[i], z[i]);
  return hn::Load(d, x);
#endif
}
template <class T, int K>
ENSYN_FN Vec<T, K> fused(Vec<T, K> a, Vec<T, K> b, Vec<T, K> c) {
  ENSYN_EACH c.v[i] = fused_native<T>(a.v[i], b.v[i], c.v[i]);
  return c;
}
template <class T, int K>
ENSYN_FN Vec<T, K> root(Vec<T, K> x) {
  ENSYN_EACH x.v[i] = hn::Sqrt(x.v[i]);
  return x;
}
template <class T, int K>
ENSYN_FN Vec<T, K> absolute(Vec<T, K> x) {
  ENSYN_EACH x.v[i] = hn::Abs(x.v[i]);
  return x;
}
template <class T, int K>
ENSYN_FN Mask<T, K> less(Vec<T, K> a, Vec<T, K> b) {
  Mask<T, K> r;
  ENSYN_EACH r.m[i] = hn::Lt(a.v[i], b.v[i]);
  return r;
}
template <class T, int K>
ENSYN_FN Vec<T, K> select(Mask<T, K> mask, Vec<T, K> a, Vec<T, K> b) {
  ENSYN_EACH a.v[i] = hn::IfThenElse(mask.m[i], a.v[i], b.v[i]);
  return a;
}

template <class T, int K>
ENSYN_FN Vec<SignedOf<T>, K> as_bits(Vec<T, K> x) {
  Vec<SignedOf<T>, K> r;
  ENSYN_EACH r.v[i] = hn::BitCast(Tag<SignedOf<T>>(), x.v[i]);
  return r;
}
template <int K>
ENSYN_FN Vec<float, K> as_number(Vec<std::int32_t, K> x) {
  Vec<float, K> r;
  ENSYN_EACH r.v[i] = hn::BitCast(Tag<float>(), x.v[i]);
  return r;
}
template <int K>
ENSYN_FN Vec<double, K> as_number(Vec<std::int64_t, K> x) {
  Vec<double, K> r;
  ENSYN_EACH r.v[i] = hn::BitCast(Tag<double>(), x.v[i]);
  return r;
}
template <class V>
ENSYN_FN BitsOf<V> bit_constant(SignedOf<Element<V>> x) {
  return constant<BitsOf<V>>(x);
}
template <class T, int K>
ENSYN_FN Vec<T, K> operator&(Vec<T, K> a, Vec<T, K> b) {
  ENSYN_EACH a.v[i] = hn::And(a.v[i], b.v[i]);
  return a;
}
template <class T, int K>
ENSYN_FN Vec<T, K> operator^(Vec<T, K> a, Vec<T, K> b) {
  ENSYN_EACH a.v[i] = hn::Xor(a.v[i], b.v[i]);
  return a;
}
template <int k, class T, int K>
ENSYN_FN Vec<T, K> shift_left(Vec<T, K> a) {
  ENSYN_EACH a.v[i] = hn::ShiftLeft<k>(a.v[i]);
  return a;
}
template <int k, class T, int K>
ENSYN_FN Vec<T, K> shift_right(Vec<T, K> a) {
  ENSYN_EACH a.v[i] = hn::ShiftRight<k>(a.v[i]);
  return a;
}
template <class V>
ENSYN_FN Mask<Element<V>, Traits<V>::K> is_odd(BitsOf<V> bits) {
  constexpr int K = Traits<V>::K;
  const auto one = hn::Set(Tag<SignedOf<Element<V>>>(), 1);
  Mask<Element<V>, K> r;
  ENSYN_EACH r.m[i] = hn::RebindMask(Tag<Element<V>>(), hn::TestBit(bits.v[i], one));
  return r;
}

template <class W>
ENSYN_FN W word_constant(std::uint64_t x) {
  return constant<W>(x);
}
template <int K>
ENSYN_FN Words<K> multiply_low(Words<K> a, Words<K> b) {
  const Tag<std::uint32_t> words;
  ENSYN_EACH a.v[i] = hn::MulEven(hn::BitCast(words, a.v[i]), hn::BitCast(words, b.v[i]));
  return a;
}
template <int K>
ENSYN_FN Words<K> high_half(Words<K> a) {
  ENSYN_EACH a.v[i] = hn::ShiftRight<32>(a.v[i]);
  return a;
}
template <int K>
ENSYN_FN Words<K> exclusive_or(Words<K> a, Words<K> b, Words<K> c) {
  ENSYN_EACH a.v[i] = hn::Xor3(a.v[i], b.v[i], c.v[i]);
  return a;
}

#include "ensyn/detail/formulas.inl"
// The laws use the formulas.
#include "ensyn/detail/laws.inl"

#undef ENSYN_EACH

}  // namespace ensyn::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
