// The kernels for double on AVX2.
#define ENSYN_SET HWY_AVX2
#define ENSYN_REAL double
#define ENSYN_SET_TABLE avx2_table
#include "host/cpu/instruction_set.inl"
