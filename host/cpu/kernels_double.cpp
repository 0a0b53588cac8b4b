// The kernels for double. The two precisions are separate sources so that they compile side by side.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "host/cpu/kernels_double.cpp"
#include <hwy/foreach_target.h>
// Highway asks for this order: foreach_target.h first.
#include "host/cpu/table-inl.h"

#if HWY_ONCE

#  include "host/cpu/collect_tables.h"

namespace ensyn::cpu {

template <>
std::vector<NamedTable<double>> compiled_tables<double>() {
  return collect_tables<double>();
}

}  // namespace ensyn::cpu

#endif  // HWY_ONCE
