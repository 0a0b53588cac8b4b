// The formulas' namespace is renamed, or the linker would keep one of two equal inline functions.
#define detail detail_gcc
#include "cuda/arithmetic_battery.h"

namespace ensyn::battery {

Results<float> by_gcc(const Arguments<float>& a) {
  Results<float> r{};
  apply(a, r.data());
  return r;
}

Results<double> by_gcc(const Arguments<double>& a) {
  Results<double> r{};
  apply(a, r.data());
  return r;
}

}  // namespace ensyn::battery
