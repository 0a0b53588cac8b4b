/// \file
/// The formulas of formulas.inl and laws.inl on plain float and double, for g++ and for nvcc. Not part of the
/// stable API.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#include "ensyn/detail/rates.h"
#include "ensyn/detail/unroll.h"

#if defined(__CUDACC__)
#  define ENSYN_FN __host__ __device__ inline
#else
#  define ENSYN_FN inline
#endif

namespace ensyn::detail {

template <class V>
using Element = V;

template <class T>
struct BitsOf;
template <>
struct BitsOf<float> {
  using Unsigned = std::uint32_t;
  using Signed = std::int32_t;
  using Number = float;
};
template <>
struct BitsOf<double> {
  using Unsigned = std::uint64_t;
  using Signed = std::int64_t;
  using Number = double;
};
template <>
struct BitsOf<std::uint32_t> : BitsOf<float> {};
template <>
struct BitsOf<std::uint64_t> : BitsOf<double> {};

template <class V>
ENSYN_FN V constant(V x) {
  return x;
}
ENSYN_FN float fused(float a, float b, float c) {
  return std::fma(a, b, c);
}
ENSYN_FN double fused(double a, double b, double c) {
  return std::fma(a, b, c);
}
template <class V>
ENSYN_FN V root(V x) {
  return std::sqrt(x);
}
template <class V>
ENSYN_FN V absolute(V x) {
  return std::fabs(x);
}
template <class V>
ENSYN_FN bool less(V a, V b) {
  return a < b;
}
template <class V>
ENSYN_FN V select(bool mask, V a, V b) {
  return mask ? a : b;
}

// Bit patterns are unsigned, so that arithmetic on them wraps.
template <class V>
ENSYN_FN typename BitsOf<V>::Unsigned as_bits(V x) {
  typename BitsOf<V>::Unsigned bits;
  std::memcpy(&bits, &x, sizeof(bits));
  return bits;
}
template <class U>
ENSYN_FN typename BitsOf<U>::Number as_number(U bits) {
  typename BitsOf<U>::Number x;
  std::memcpy(&x, &bits, sizeof(x));
  return x;
}
template <class V>
ENSYN_FN typename BitsOf<V>::Unsigned bit_constant(typename BitsOf<V>::Signed x) {
  return static_cast<typename BitsOf<V>::Unsigned>(x);
}
template <int k, class U>
ENSYN_FN U shift_left(U bits) {
  return bits << k;
}
template <int k, class U>
ENSYN_FN U shift_right(U bits) {
  return static_cast<U>(static_cast<typename BitsOf<U>::Signed>(bits) >> k);
}
template <class V>
ENSYN_FN bool is_odd(typename BitsOf<V>::Unsigned bits) {
  return (bits & 1) != 0;
}

template <class W>
ENSYN_FN W word_constant(std::uint64_t x) {
  return x;
}
ENSYN_FN std::uint64_t multiply_low(std::uint64_t a, std::uint64_t b) {
  return (a & 0xFFFFFFFFu) * (b & 0xFFFFFFFFu);
}
ENSYN_FN std::uint64_t high_half(std::uint64_t a) {
  return a >> 32;
}
ENSYN_FN std::uint64_t exclusive_or(std::uint64_t a, std::uint64_t b, std::uint64_t c) {
  return a ^ b ^ c;
}

#include "ensyn/detail/formulas.inl"
// The laws use the formulas.
#include "ensyn/detail/laws.inl"

}  // namespace ensyn::detail
