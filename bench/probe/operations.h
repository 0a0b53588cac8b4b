/// \file
/// The instructions whose rates are measured, as operations of chains.h; those of the tensor cores are in
/// fragments.h. The host computes `exact` on `Exact` beside `step`, and the end of a chain must agree within
/// kTolerance.
#pragma once

#include <cmath>
#include <cstdint>

#include "chains.h"

namespace probe {

/// What integer operations have in common: the device's results are the host's.
template <class T>
struct OfIntegers {
  using Value = T;
  using Exact = T;
  static constexpr double kTolerance = 0;
  unsigned a, b;
  __host__ __device__ OfIntegers(const Operands& operands, unsigned /*lane*/)
      : a(operands.word[0]), b(operands.word[1]) {}
  __host__ __device__ static T start(unsigned thread, unsigned chain) {
    return static_cast<T>(0x9E3779B97F4A7C15U * (kChains * thread + chain + 1));
  }
};

/// 32 x 32 -> 64 bits: the product of the two halves, so that both are needed, and a sum, without which it
/// would come to 0.
struct WideMultiply : OfIntegers<std::uint64_t> {
  static constexpr const char* kName = "IMAD.WIDE.U32";
  static constexpr double kAssumption = 64;
  std::uint64_t sum;
  __host__ __device__ WideMultiply(const Operands& operands, unsigned lane)
      : OfIntegers(operands, lane), sum(static_cast<std::uint64_t>(b) << 32 | a) {}
  // As PTX, since the compiler would add the halves of the sum apart; and as two instructions, since
  // ptxas 13.0 makes IMAD.WIDE of these, but IMAD.WIDE and two additions of mad.wide.
  __device__ Value step(Value x, Value /*y*/) const {
    asm volatile("{\n\t.reg .u64 product;\n\tmul.wide.u32 product, %1, %2;\n\tadd.u64 %0, product, %3;\n\t}"
                 : "=l"(x)
                 : "r"(static_cast<std::uint32_t>(x)), "r"(static_cast<std::uint32_t>(x >> 32)), "l"(sum));
    return x;
  }
  Exact exact(Exact x, Exact /*y*/) const { return (x & 0xFFFFFFFFU) * (x >> 32) + sum; }
};

struct Logic : OfIntegers<std::uint32_t> {
  using OfIntegers::OfIntegers;
  static constexpr const char* kName = "LOP3";
  static constexpr double kAssumption = 64;
  // As PTX, since the compiler knows ways to write several of them that take more instructions.
  __device__ Value step(Value x, Value y) const {
    asm volatile("lop3.b32 %0, %1, %2, %3, 0x6A;" : "=r"(x) : "r"(x), "r"(a), "r"(y));
    return x;
  }
  Exact exact(Exact x, Exact y) const { return (x & a) ^ y; }
};

struct Addition : OfIntegers<std::uint32_t> {
  using OfIntegers::OfIntegers;
  static constexpr const char* kName = "IADD3";
  static constexpr double kAssumption = 64;
  __host__ __device__ Value step(Value x, Value y) const { return x + y + a; }
  Exact exact(Exact x, Exact y) const { return step(x, y); }
};

/// The bits of the float that is as large as the bits are as an integer.
struct Conversion : OfIntegers<std::int32_t> {
  using OfIntegers::OfIntegers;
  static constexpr const char* kName = "I2F (32-bit)";
  static constexpr double kAssumption = 64;
  __host__ __device__ Value step(Value x, Value /*y*/) const {
    const auto number = static_cast<float>(x);
    Value bits;
    std::memcpy(&bits, &number, sizeof(bits));
    return bits;
  }
  Exact exact(Exact x, Exact y) const { return step(x, y); }
};

/// x -> b - x, by a multiplication with -1: it neither settles nor grows, so that bits keep changing.
struct MultiplyAdd {
  using Value = float;
  using Exact = float;
  static constexpr const char* kName = "FFMA";
  static constexpr double kAssumption = 128;
  static constexpr double kTolerance = 0;
  float a, b;
  __host__ __device__ MultiplyAdd(const Operands& operands, unsigned /*lane*/) {
    std::memcpy(&a, &operands.word[2], sizeof(a));
    std::memcpy(&b, &operands.word[3], sizeof(b));
  }
  __host__ __device__ static Value start(unsigned thread, unsigned chain) {
    // Exact, so that it is the same with and without fused multiply-adds.
    return 1 + 0x1p-10F * static_cast<float>(thread) + 0x1p-5F * static_cast<float>(chain);
  }
  __host__ __device__ Value step(Value x, Value /*y*/) const { return std::fma(x, a, b); }
  Exact exact(Exact x, Exact y) const { return step(x, y); }
};

/// Special functions. Each map comes to rest, so that the host can tell where the approximations end.
struct OfSpecials {
  using Value = float;
  using Exact = double;
  static constexpr double kAssumption = 16;
  static constexpr double kTolerance = 1e-4;
  __host__ __device__ OfSpecials(const Operands& /*operands*/, unsigned /*lane*/) {}
  __host__ __device__ static Value start(unsigned thread, unsigned chain) {
    return 1 + 0x1p-10F * static_cast<float>(thread) + 0x1p-5F * static_cast<float>(chain);
  }
};

/// x -> 2^-x; the sign is part of the instruction.
struct Exponential : OfSpecials {
  using OfSpecials::OfSpecials;
  static constexpr const char* kName = "MUFU.EX2";
  __device__ Value step(Value x, Value /*y*/) const {
    asm volatile("ex2.approx.ftz.f32 %0, %1;" : "=f"(x) : "f"(-x));
    return x;
  }
  Exact exact(Exact x, Exact /*y*/) const { return std::exp2(-x); }
};

/// x -> log2 x + 4: an addition, on another pipe, keeps it from falling.
struct Logarithm : OfSpecials {
  using OfSpecials::OfSpecials;
  static constexpr const char* kName = "MUFU.LG2";
  __device__ Value step(Value x, Value /*y*/) const {
    asm volatile("lg2.approx.ftz.f32 %0, %1;" : "=f"(x) : "f"(x));
    return x + 4;
  }
  Exact exact(Exact x, Exact /*y*/) const { return std::log2(x) + 4; }
};

/// x -> x^-1/2
struct ReciprocalRoot : OfSpecials {
  using OfSpecials::OfSpecials;
  static constexpr const char* kName = "MUFU.RSQ";
  __device__ Value step(Value x, Value /*y*/) const {
    asm volatile("rsqrt.approx.ftz.f32 %0, %1;" : "=f"(x) : "f"(x));
    return x;
  }
  Exact exact(Exact x, Exact /*y*/) const { return 1 / std::sqrt(x); }
};

/// x -> 1 / x + 1: the reciprocal of a reciprocal the compiler would leave out.
struct Reciprocal : OfSpecials {
  using OfSpecials::OfSpecials;
  static constexpr const char* kName = "MUFU.RCP";
  __device__ Value step(Value x, Value /*y*/) const {
    asm volatile("rcp.approx.ftz.f32 %0, %1;" : "=f"(x) : "f"(x));
    return x + 1;
  }
  Exact exact(Exact x, Exact /*y*/) const { return 1 / x + 1; }
};

/// x -> x^1/2
struct Root : OfSpecials {
  using OfSpecials::OfSpecials;
  static constexpr const char* kName = "MUFU.SQRT";
  __device__ Value step(Value x, Value /*y*/) const {
    asm volatile("sqrt.approx.ftz.f32 %0, %1;" : "=f"(x) : "f"(x));
    return x;
  }
  Exact exact(Exact x, Exact /*y*/) const { return std::sqrt(x); }
};

/// x -> sin x, which falls like (3 / steps)^1/2, ever slower: 0.027 after 4096 steps, where the
/// approximation's error counts. The compiler puts a multiplication by 1 / 2 pi before it.
struct Sine : OfSpecials {
  using OfSpecials::OfSpecials;
  static constexpr const char* kName = "MUFU.SIN";
  static constexpr double kTolerance = 0.02;
  __device__ Value step(Value x, Value /*y*/) const {
    asm volatile("sin.approx.ftz.f32 %0, %1;" : "=f"(x) : "f"(x));
    return x;
  }
  Exact exact(Exact x, Exact /*y*/) const { return std::sin(x); }
};

}  // namespace probe
