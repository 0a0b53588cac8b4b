// Whether a network holds a number that is not finite: found[n] = 1 where one of
//   mu, its moments, phi and its moments of the layer, rows x columns each; the sum of losses
// has all bits of its exponent set, which infinity and NaN have and no other number.
//
// A warp takes a stretch of a row, its lanes neighbouring columns, so that each value is read once and in
// whole cache lines; the first lane of a row takes the phi that the row shares. Bits are compared, not
// numbers, so that the sum of losses needs no arithmetic in double precision. Flags only ever become 1, so
// that the order of the threads does not matter; healthy networks write nothing. Determinism: gpu_to_gpu.

#include "kernels/not_finite.h"

#include <device/launch.h>

#include "kernels/device/quad.h"

namespace ensyn::kernels {
namespace {

constexpr int kLanes = 32;
// Rows of a block, a warp for each: four fill a multiprocessor's threads with few enough blocks, and the
// last block of the paper's last layer, of 10 rows, is half full.
constexpr int kRows = 4;
constexpr int kThreads = kRows * kLanes;
// Columns of a warp: eight for each lane, which hide one another's latency, and enough warps for one network
// to occupy a device.
constexpr int kColumns = 8 * kLanes;

__device__ inline bool is_finite(float x) {
  constexpr unsigned kExponent = 0x7F800000;
  return (__float_as_uint(x) & kExponent) != kExponent;
}

__device__ inline bool is_finite(double x) {
  constexpr long long kExponent = 0x7FF0000000000000;
  return (__double_as_longlong(x) & kExponent) != kExponent;
}

/// Of a value and its moments in rows.
template <class T>
__device__ inline bool are_finite(const T* value, const T* moment1, const T* moment2, std::int64_t at) {
  // All three are read before any is looked at, so that no load waits for another.
  const T x = value[at], m = moment1[at], v = moment2[at];
  return is_finite(x) && is_finite(m) && is_finite(v);
}

/// What the first lane of a row looks at beside the columns.
template <class T>
__device__ inline bool rest_is_finite(const NotFinite<T>& args, int network,
                                      const NetworkConstants<T>& constants, int row) {
  bool finite = row > 0 || is_finite(progress_of(args.networks, network).nll);
  if (constants.sharing == Sharing::row || (constants.sharing != Sharing::none && row == 0)) {
    const T* phi = shared_phi_of(args.networks, constants, args.layer, row);
    finite &= are_finite(phi, phi + 1, phi + 2, 0);
  }
  return finite;
}

template <class T>
__global__ void __launch_bounds__(kThreads) not_finite_kernel(const __grid_constant__ NotFinite<T> args) {
  const Layer& layer = args.layer;
  const Parameters<T>& p = args.parameters;
  const int network = static_cast<int>(blockIdx.z), thread = static_cast<int>(threadIdx.x);
  const int row = kRows * static_cast<int>(blockIdx.x) + thread / kLanes;
  if (row >= layer.rows) return;
  const int first = kColumns * static_cast<int>(blockIdx.y) + thread % kLanes;
  const int end = min(kColumns * (static_cast<int>(blockIdx.y) + 1), layer.columns);
  const NetworkConstants<T>& constants = constants_of(args.networks, network);
  const std::int64_t start = network * p.network_stride + offset_of(layer, row, 0);
  const bool own_phi = constants.sharing == Sharing::none;
  bool finite = first > 0 || rest_is_finite(args, network, constants, row);
  for (int column = first; column < end; column += kLanes) {
    finite &= are_finite(p.mu, p.mu_moment1, p.mu_moment2, start + column);
    if (own_phi) finite &= are_finite(p.phi, p.phi_moment1, p.phi_moment2, start + column);
  }
  if (!finite) atomicOr(args.found + network, 1U);
}

}  // namespace

template <class T>
LaunchShape not_finite_shape(const NotFinite<T>& args) {
  LaunchShape shape;
  shape.grid.x = static_cast<unsigned>(ceil_divide(args.layer.rows, kRows));
  shape.grid.y = static_cast<unsigned>(ceil_divide(args.layer.columns, kColumns));
  shape.grid.z = static_cast<unsigned>(args.networks.count);
  shape.block.x = kThreads;
  return shape;
}

template <class T>
void not_finite(const NotFinite<T>& args, cudaStream_t stream) {
  launch("not_finite", not_finite_kernel<T>, not_finite_shape(args), stream, args);
}

template LaunchShape not_finite_shape(const NotFinite<float>&);
template LaunchShape not_finite_shape(const NotFinite<double>&);
template void not_finite(const NotFinite<float>&, cudaStream_t);
template void not_finite(const NotFinite<double>&, cudaStream_t);

}  // namespace ensyn::kernels
