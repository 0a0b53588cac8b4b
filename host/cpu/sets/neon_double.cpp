// The kernels for double on NEON.
#define ENSYN_SET HWY_NEON
#define ENSYN_REAL double
#define ENSYN_SET_TABLE neon_table
#include "host/cpu/instruction_set.inl"
