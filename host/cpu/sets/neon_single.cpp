// The kernels for float on NEON.
#define ENSYN_SET HWY_NEON
#define ENSYN_REAL float
#define ENSYN_SET_TABLE neon_table
#include "host/cpu/instruction_set.inl"
