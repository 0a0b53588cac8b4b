/// \file
/// Box and Muller's normals by the device's special functions, from the same words as the library's.
#pragma once

namespace probe {

struct Pair {
  float first, second;
};

/// lg2, sqrt, sin and cos as the hardware approximates them.
__device__ inline Pair hardware_pair(unsigned radius_word, int angle_word) {
  constexpr float kMinusTwoLn2 = -0x1.62e43p+0F, kPi = 0x1.921fb6p+1F;
  const float u = fmaf(static_cast<float>(radius_word), 0x1p-32F, 0x1p-33F);
  const float angle = static_cast<float>(angle_word) * (kPi * 0x1p-31F);
  float log2u, radius, sine, cosine;
  asm("lg2.approx.ftz.f32 %0, %1;" : "=f"(log2u) : "f"(u));
  asm("sqrt.approx.ftz.f32 %0, %1;" : "=f"(radius) : "f"(log2u * kMinusTwoLn2));
  asm("sin.approx.ftz.f32 %0, %1;" : "=f"(sine) : "f"(angle));
  asm("cos.approx.ftz.f32 %0, %1;" : "=f"(cosine) : "f"(angle));
  return {radius * sine, radius * cosine};
}

}  // namespace probe
