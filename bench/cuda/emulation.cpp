// The one source that is compiled anew for the emulation.

#include "emulation.h"

namespace bench {

bool is_emulation() {
#if defined(ENSYN_BENCH_EMULATION)
  return true;
#else
  return false;
#endif
}

}  // namespace bench
