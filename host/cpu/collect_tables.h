/// \file
/// Gathers the tables of all compiled instruction sets; for the end of a source that Highway includes once
/// per target.
#pragma once

#include <hwy/highway.h>
#include <hwy/targets.h>

#include <vector>

#include "host/cpu/kernels.h"

namespace ensyn::cpu {

/// Tables that this machine can run, best first.
template <class T>
std::vector<NamedTable<T>> collect_tables() {
  std::vector<NamedTable<T>> tables;
  [[maybe_unused]] const auto supported = hwy::SupportedTargets();
#if HWY_TARGETS & HWY_AVX3
  if ((supported & HWY_AVX3) != 0) tables.push_back({"avx512", &N_AVX3::kTable<T>});
#endif
#if HWY_TARGETS & HWY_AVX2
  if ((supported & HWY_AVX2) != 0) tables.push_back({"avx2", &N_AVX2::kTable<T>});
#endif
#if HWY_TARGETS & HWY_NEON
  tables.push_back({"neon", &N_NEON::kTable<T>});
#endif
#if HWY_TARGETS & HWY_EMU128
  tables.push_back({"portable", &N_EMU128::kTable<T>});
#endif
  return tables;
}

}  // namespace ensyn::cpu
