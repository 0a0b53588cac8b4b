// Compiles the kernels for one instruction set in one precision. The sources in sets/ define
//
//   ENSYN_SET        Highway's target, for example HWY_AVX2
//   ENSYN_REAL       float or double
//   ENSYN_SET_TABLE  the function of kernels.h that gives the table
//
// and include this file. Each combination is a source of its own because they take long to compile: side by
// side they keep all processors busy, and GCC needs a third less time for one target in a source than for
// three.
//
// Highway includes HWY_TARGET_INCLUDE, this file, once for each target that its build flags leave; only the
// pass for ENSYN_SET compiles anything.

// Must come before the guard: it counts the passes.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "host/cpu/instruction_set.inl"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#if HWY_TARGET == ENSYN_SET

#  include "host/cpu/table-inl.h"

namespace ensyn::cpu {

template <>
const KernelTable<ENSYN_REAL>* ENSYN_SET_TABLE<ENSYN_REAL>() {
  return &HWY_NAMESPACE::kTable<ENSYN_REAL>;
}

}  // namespace ensyn::cpu

#endif  // HWY_TARGET == ENSYN_SET

#if HWY_ONCE && !(HWY_TARGETS & ENSYN_SET)

#  include "host/cpu/kernels.h"

namespace ensyn::cpu {

// This processor family, or this build, does not have the instruction set.
template <>
const KernelTable<ENSYN_REAL>* ENSYN_SET_TABLE<ENSYN_REAL>() {
  return nullptr;
}

}  // namespace ensyn::cpu

#endif  // HWY_ONCE
