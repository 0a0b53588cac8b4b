/// \file
/// The product that tensor cores make of a warp's fragments, c += a b, of 16 x 8 by 8 x 8. In lane 4 g + t:
///   a[0], a[1], a[2], a[3] are the elements (g, t), (g + 8, t), (g, t + 4), (g + 8, t + 4),
///   b[0], b[1]             are (t, g), (t + 4, g),
///   c[0], c[1], c[2], c[3] are (g, 2 t), (g, 2 t + 1), (g + 8, 2 t), (g + 8, 2 t + 1).
/// From compute capability 8.0 on. The tests' emulation (tests/simt) has a header of the same name.
#pragma once

namespace ensyn::kernels {

/// Of a and b only the 11 leading bits of the mantissa count (TF32); the sum is of single precision.
__device__ inline void tensor_product(float (&c)[4], const float (&a)[4], const float (&b)[2]) {
#if __CUDA_ARCH__ >= 800
  asm("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(__float_as_uint(a[0])), "r"(__float_as_uint(a[1])), "r"(__float_as_uint(a[2])),
        "r"(__float_as_uint(a[3])), "r"(__float_as_uint(b[0])), "r"(__float_as_uint(b[1])));
#endif
}

#if __CUDA_ARCH__ >= 800
/// c += a b, of 8 x 4 by 4 x 8; in lane 4 g + t: a is (g, t), b (t, g), c (g, 2 t) and (g, 2 t + 1).
__device__ inline void small_tensor_product(double& c0, double& c1, double a, double b) {
  asm("mma.sync.aligned.m8n8k4.row.col.f64.f64.f64.f64 {%0, %1}, {%2}, {%3}, {%0, %1};"
      : "+d"(c0), "+d"(c1)
      : "d"(a), "d"(b));
}
#endif

__device__ inline void tensor_product(double (&c)[4], const double (&a)[4], const double (&b)[2]) {
#if __CUDA_ARCH__ >= 800
  small_tensor_product(c[0], c[1], a[0], b[0]);
  small_tensor_product(c[2], c[3], a[1], b[0]);
  small_tensor_product(c[0], c[1], a[2], b[1]);
  small_tensor_product(c[2], c[3], a[3], b[1]);
#endif
}

}  // namespace ensyn::kernels
