#define detail detail_nvcc
#include "cuda/arithmetic_battery.h"

namespace ensyn::battery {

// Device code of every formula, for every architecture of the build.
template <class T>
__global__ void apply_on_device(const Arguments<T>* a, T* out) {
  apply(a[blockIdx.x], out + kFormulas * blockIdx.x);
}
template __global__ void apply_on_device<float>(const Arguments<float>*, float*);
template __global__ void apply_on_device<double>(const Arguments<double>*, double*);

Results<float> by_nvcc(const Arguments<float>& a) {
  Results<float> r{};
  apply(a, r.data());
  return r;
}

Results<double> by_nvcc(const Arguments<double>& a) {
  Results<double> r{};
  apply(a, r.data());
  return r;
}

}  // namespace ensyn::battery
