/// \file
/// Stands in for kernels/device/tensor.h. The products of one call are added in double precision and rounded
/// once, which no order of the hardware's sums is far from.
#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>

#include "simt/simt.h"

namespace ensyn::kernels {

/// As tensor cores read an operand.
inline float tensor_operand(float x) {
  std::uint32_t bits = 0;
  std::memcpy(&bits, &x, sizeof(bits));
  bits &= 0xFFFFE000u;
  std::memcpy(&x, &bits, sizeof(bits));
  return x;
}
inline double tensor_operand(double x) {
  return x;
}

template <class T>
void tensor_product(T (&c)[4], const std::type_identity_t<T> (&a)[4], const std::type_identity_t<T> (&b)[2],
                    simt::device::Where where = simt::device::Where::current()) {
  constexpr unsigned kAll = 0xFFFFFFFFu;
  struct Operands {
    T a[4], b[2];
  };
  // The first lane lends the others room on its stack, and waits until they have read.
  Operands own[32];
  const int lane = simt::device::lane();
  const auto address = __shfl_sync(kAll, reinterpret_cast<std::uintptr_t>(&own), 0, 32, where);
  auto* all = reinterpret_cast<Operands*>(address);
  for (int i = 0; i < 4; ++i) all[lane].a[i] = tensor_operand(a[i]);
  for (int i = 0; i < 2; ++i) all[lane].b[i] = tensor_operand(b[i]);
  __syncwarp(kAll, where);
  const int g = lane / 4, t = lane % 4;
  for (int i = 0; i < 4; ++i) {
    const int upper = i / 2, column = 2 * t + i % 2;
    double sum = static_cast<double>(c[i]);
    for (int k = 0; k < 8; ++k) {
      sum += static_cast<double>(all[4 * g + k % 4].a[upper + 2 * (k / 4)]) *
             static_cast<double>(all[4 * column + k % 4].b[k / 4]);
    }
    c[i] = static_cast<T>(sum);
  }
  __syncwarp(kAll, where);
}

}  // namespace ensyn::kernels
