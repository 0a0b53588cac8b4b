// The kernels for double on any processor.
#define ENSYN_SET HWY_EMU128
#define ENSYN_REAL double
#define ENSYN_SET_TABLE portable_table
#include "host/cpu/instruction_set.inl"
