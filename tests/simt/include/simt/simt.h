/// \file
/// Device side of CUDA C++ for a host compiler, force-included before kernel sources (-include simt/simt.h):
/// keywords, built-in variables, barriers, warp functions, atomics. NVIDIA's own cuda_runtime.h gives the
/// types.
#pragma once

#include <cuda_runtime.h>

#undef __global__
#undef __device__
#undef __host__
#undef __constant__
#undef __managed__
#undef __shared__
#undef __grid_constant__
#undef __cluster_dims__
#undef __launch_bounds__
#define __global__
#define __device__
#define __host__
#define __constant__
#define __managed__
/// One copy for all blocks, which run one after another; the section is poisoned before each. GCC ignores or
/// refuses the section inside templates and inline functions, and blocks of a cluster would share the copy:
/// such kernels take their memory from block_shared.
#define __shared__ static __attribute__((section("simt_shared")))
#define __grid_constant__
#define __cluster_dims__(...)
#define __launch_bounds__(...)
#define __noinline__ __attribute__((noinline))

/// Rewritten by the emulator whenever another thread goes on; constant for each thread, hence const here.
extern const uint3 threadIdx;
extern const uint3 blockIdx;
extern const dim3 blockDim;
extern const dim3 gridDim;
constexpr int warpSize = 32;

#include "simt/atomics.h"
#include "simt/math.h"
#include "simt/synchronize.h"
