// The kernels for float. The two precisions are separate sources so that they compile side by side.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "host/cpu/kernels_single.cpp"
#include <hwy/foreach_target.h>
// Highway asks for this order: foreach_target.h first.
#include "host/cpu/table-inl.h"

#if HWY_ONCE

#  include "host/cpu/collect_tables.h"

namespace ensyn::cpu {

template <>
std::vector<NamedTable<float>> compiled_tables<float>() {
  return collect_tables<float>();
}

}  // namespace ensyn::cpu

#endif  // HWY_ONCE
