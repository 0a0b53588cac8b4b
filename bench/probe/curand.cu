// Standard normals per second from cuRAND's device API, as its manual has them: curand_normal4 with a Philox
// state in each thread's registers, a subsequence a thread. Compiled with multiply-adds, as is the default.

#include <curand_kernel.h>

#include "generators.h"

namespace probe {
namespace {

struct Curand {
  curandStatePhilox4_32_10_t state;

  __device__ Curand(std::uint64_t seed, unsigned thread, unsigned /*quads*/) {
    curand_init(seed, thread, 0, &state);
  }
  __device__ void next(float (&x)[4]) {
    const float4 normals = curand_normal4(&state);
    x[0] = normals.x;
    x[1] = normals.y;
    x[2] = normals.z;
    x[3] = normals.w;
  }
};

}  // namespace

// Assumption: limits.md, section 6.
void measure_curand(const Target& target, Report& report) {
  measure_generator<Curand>(target, report, "normals, curand_normal4", 800);
}

}  // namespace probe
