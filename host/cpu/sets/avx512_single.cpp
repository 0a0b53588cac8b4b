// The kernels for float on AVX-512.
#define ENSYN_SET HWY_AVX3
#define ENSYN_REAL float
#define ENSYN_SET_TABLE avx512_table
#include "host/cpu/instruction_set.inl"
