// ensyn/ops.h alone, compiled without CUDA in reach.
#include "ensyn/ops.h"

#if defined(CUDART_VERSION) || defined(__DRIVER_TYPES_H__)
#  error "ensyn/ops.h includes a header of CUDA"
#endif

namespace {

[[maybe_unused]] void uses() {
  ensyn::ops::noise(ensyn::ops::Noise<float>{.key = {.seed = 1}, .rows = 2, .columns = 2});
  ensyn::ops::noise(ensyn::ops::Noise<double>{.key = {.seed = 1}, .rows = 2, .columns = 2});
}

}  // namespace
