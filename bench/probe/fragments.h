/// \file
/// Products of the tensor cores (mma.sync) as operations of chains.h: D <- A B + D, where A holds 1 or 2 by
/// row and B by column, so that D stays a small integer that every format holds.
#pragma once

#include <cstdint>

#include "chains.h"

namespace probe {

/// What lane and element say of the place in D: lane / 4 is the row, and the column of B.
template <class Number, int kRows, int kDepth>
struct OfTensors {
  static constexpr int kElements = kRows * 8 / 32;  ///< of D, in each lane
  static constexpr int kOfDepth = kDepth;
  static constexpr double kMultiplyAdds = kRows * 8 * kDepth;

  struct Value {
    Number of[kElements];
  };
  __device__ static Value start(unsigned /*thread*/, unsigned chain) {
    Value d{};
    for (Number& element : d.of) element = static_cast<Number>(chain);
    return d;
  }
  __host__ __device__ static int of_row(unsigned row) { return static_cast<int>(1 + (row + row / 8) % 2); }
  __host__ __device__ static int of_column(unsigned column) { return static_cast<int>(1 + column / 2 % 2); }

  /// What a lane's element of D is after `steps` steps.
  static double expected(unsigned lane, int element, unsigned chain, unsigned steps) {
    const unsigned row = lane / 4 + (element >= 2 ? 8U : 0U),
                   column = lane % 4 * 2 + static_cast<unsigned>(element % 2);
    return chain + static_cast<double>(steps) * kDepth * of_row(row) * of_column(column);
  }
};

/// A word of A or B with one tf32 number, or two bf16 numbers, of the integer.
__device__ inline std::uint32_t tf32_word(int number) {
  return __float_as_uint(static_cast<float>(number));
}
__device__ inline std::uint32_t bf16_words(int number) {
  const std::uint32_t upper = __float_as_uint(static_cast<float>(number)) >> 16;
  return upper | upper << 16;
}

struct Tf32 : OfTensors<float, 16, 8> {
  static constexpr const char* kName = "mma.sync m16n8k8 tf32";
  std::uint32_t a[2], b;
  __device__ Tf32(const Operands& /*operands*/, unsigned lane)
      : a{tf32_word(of_row(lane / 4)), tf32_word(of_row(lane / 4 + 8))}, b(tf32_word(of_column(lane / 4))) {}
  __device__ Value step(Value d, Value /*next*/) const {
    PROBE_SM80_ASM(
        "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %4, %5}, {%6, %6}, "
        "{%0, %1, %2, %3};"
        : "+f"(d.of[0]), "+f"(d.of[1]), "+f"(d.of[2]), "+f"(d.of[3])
        : "r"(a[0]), "r"(a[1]), "r"(b));
    return d;
  }
};

struct Bf16 : OfTensors<float, 16, 16> {
  static constexpr const char* kName = "mma.sync m16n8k16 bf16";
  std::uint32_t a[2], b;
  __device__ Bf16(const Operands& /*operands*/, unsigned lane)
      : a{bf16_words(of_row(lane / 4)), bf16_words(of_row(lane / 4 + 8))},
        b(bf16_words(of_column(lane / 4))) {}
  __device__ Value step(Value d, Value /*next*/) const {
    PROBE_SM80_ASM(
        "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %4, %5}, {%6, %6}, "
        "{%0, %1, %2, %3};"
        : "+f"(d.of[0]), "+f"(d.of[1]), "+f"(d.of[2]), "+f"(d.of[3])
        : "r"(a[0]), "r"(a[1]), "r"(b));
    return d;
  }
};

struct Double8x8x4 : OfTensors<double, 8, 4> {
  static constexpr const char* kName = "mma.sync m8n8k4 f64";
  double a, b;
  __device__ Double8x8x4(const Operands& /*operands*/, unsigned lane)
      : a(of_row(lane / 4)), b(of_column(lane / 4)) {}
  __device__ Value step(Value d, Value /*next*/) const {
    PROBE_SM80_ASM("mma.sync.aligned.m8n8k4.row.col.f64.f64.f64.f64 {%0, %1}, {%2}, {%3}, {%0, %1};"
                   : "+d"(d.of[0]), "+d"(d.of[1])
                   : "d"(a), "d"(b));
    return d;
  }
};

struct Double16x8x8 : OfTensors<double, 16, 8> {
  static constexpr const char* kName = "mma.sync m16n8k8 f64";
  double a[2], b;
  __device__ Double16x8x8(const Operands& /*operands*/, unsigned lane)
      : a{static_cast<double>(of_row(lane / 4)), static_cast<double>(of_row(lane / 4 + 8))},
        b(of_column(lane / 4)) {}
  __device__ Value step(Value d, Value /*next*/) const {
    PROBE_SM90_ASM(
        "mma.sync.aligned.m16n8k8.row.col.f64.f64.f64.f64 {%0, %1, %2, %3}, {%4, %5, %4, %5}, {%6, %6}, "
        "{%0, %1, %2, %3};"
        : "+d"(d.of[0]), "+d"(d.of[1]), "+d"(d.of[2]), "+d"(d.of[3])
        : "d"(a[0]), "d"(a[1]), "d"(b));
    return d;
  }
};

}  // namespace probe
