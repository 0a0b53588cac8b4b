/// \file
/// Stands in for kernels/device/random.h: cuRAND's device functions compiled by the host's compiler. Its
/// header for the Mersenne twister declares and uses threadIdx and blockDim by itself; these are renamed out
/// of the way.
#pragma once

#define threadIdx simt_curand_threadIdx
#define blockDim simt_curand_blockDim
#include <curand_kernel.h>
#undef threadIdx
#undef blockDim
