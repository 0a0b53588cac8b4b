/// \file
/// The special functions of the multiprocessor's own unit, in one or two instructions each. PTX states their
/// errors: 2^-22 absolute of the logarithm between 1/2 and 2, 2^-20.5 absolute of sine and cosine in [-pi,
/// pi], 2^-22 relative of all others and elsewhere. Denormals count as zero. The tests' emulation
/// (tests/simt) has a header of the same name.
#pragma once

namespace ensyn::kernels::special {

/// log2(x), x >= 0
__device__ inline float log2(float x) {
  float y;
  asm("lg2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}
/// 2^x
__device__ inline float exp2(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}
/// 1 / x
__device__ inline float reciprocal(float x) {
  float y;
  asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}
/// sqrt(x)
__device__ inline float root(float x) {
  float y;
  asm("sqrt.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}
/// 1 / sqrt(x)
__device__ inline float inverse_root(float x) {
  float y;
  asm("rsqrt.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}
/// sin(x), |x| <= pi
__device__ inline float sine(float x) {
  float y;
  asm("sin.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}
/// cos(x), |x| <= pi
__device__ inline float cosine(float x) {
  float y;
  asm("cos.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

}  // namespace ensyn::kernels::special
