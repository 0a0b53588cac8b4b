/// \file
/// Stands in for kernels/device/special.h: the functions without the errors of the hardware.
#pragma once

#include <cmath>

namespace ensyn::kernels::special {

inline float log2(float x) {
  return static_cast<float>(std::log2(static_cast<double>(x)));
}
inline float exp2(float x) {
  return static_cast<float>(std::exp2(static_cast<double>(x)));
}
inline float reciprocal(float x) {
  return 1 / x;
}
inline float root(float x) {
  return std::sqrt(x);
}
inline float inverse_root(float x) {
  return static_cast<float>(1 / std::sqrt(static_cast<double>(x)));
}
inline float sine(float x) {
  return static_cast<float>(std::sin(static_cast<double>(x)));
}
inline float cosine(float x) {
  return static_cast<float>(std::cos(static_cast<double>(x)));
}

}  // namespace ensyn::kernels::special
