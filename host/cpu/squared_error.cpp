#include "host/cpu/squared_error.h"

#include <algorithm>
#include <cstddef>

#include "ensyn/detail/arithmetic.h"
#include "host/cpu/layout.h"

namespace ensyn::cpu {

template <class T>
void squared_error(const SquaredErrorArgs<T>& args) {
  for (int b = 0; b < args.batch; ++b) {
    T* f = args.outputs + static_cast<std::ptrdiff_t>(b) * args.stride;
    const T* y = args.targets + static_cast<std::ptrdiff_t>(b) * args.count;
    // As many partial sums as any other sum has, added by halves: the order of the CUDA kernel.
    T sums[kBlock] = {};
    for (int k = 0; k < args.count; ++k) {
      const auto error = detail::squared_error(f[k], y[k], args.constants.inverse_variance);
      sums[k % kBlock] = sums[k % kBlock] + error.nll;
      f[k] = error.slope;
    }
    std::fill(f + args.count, f + args.stride, T(0));
    for (int half = kBlock / 2; half >= 1; half /= 2) {
      for (int i = 0; i < half; ++i) sums[i] = sums[i] + sums[i + half];
    }
    args.nll[b] = sums[0] + args.constants.constant;
    args.correct[b] = 0;
  }
}

template void squared_error(const SquaredErrorArgs<float>&);
template void squared_error(const SquaredErrorArgs<double>&);

}  // namespace ensyn::cpu
