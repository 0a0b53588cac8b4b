/// \file
/// Stands in for CUDA's cooperative_groups.h: the block, its warps' tiles, and the cluster.
#pragma once

#include "simt/simt.h"

namespace cooperative_groups {

class thread_block {
 public:
  void sync(simt::device::Where where = simt::device::Where::current()) const { __syncthreads(where); }
  [[nodiscard]] unsigned thread_rank() const {
    return threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
  }
  [[nodiscard]] unsigned num_threads() const { return blockDim.x * blockDim.y * blockDim.z; }
  [[nodiscard]] unsigned size() const { return num_threads(); }
  [[nodiscard]] dim3 group_index() const { return blockIdx; }
  [[nodiscard]] dim3 thread_index() const { return threadIdx; }
};
inline thread_block this_thread_block() {
  return {};
}

/// kSize lanes of one warp, a power of two.
template <unsigned kSize>
class thread_block_tile {
  static_assert(kSize <= 32 && (kSize & (kSize - 1)) == 0);

 public:
  using Where = simt::device::Where;
  void sync(Where where = Where::current()) const { __syncwarp(mask(), where); }
  [[nodiscard]] unsigned thread_rank() const { return static_cast<unsigned>(simt::device::lane()) % kSize; }
  [[nodiscard]] static constexpr unsigned size() { return kSize; }
  [[nodiscard]] static constexpr unsigned num_threads() { return kSize; }
  template <class T>
  T shfl(T value, int source, Where where = Where::current()) const {
    return __shfl_sync(mask(), value, source, kSize, where);
  }
  template <class T>
  T shfl_up(T value, unsigned delta, Where where = Where::current()) const {
    return __shfl_up_sync(mask(), value, delta, kSize, where);
  }
  template <class T>
  T shfl_down(T value, unsigned delta, Where where = Where::current()) const {
    return __shfl_down_sync(mask(), value, delta, kSize, where);
  }
  template <class T>
  T shfl_xor(T value, int lane_mask, Where where = Where::current()) const {
    return __shfl_xor_sync(mask(), value, lane_mask, kSize, where);
  }

 private:
  [[nodiscard]] static unsigned mask() {
    const unsigned first = static_cast<unsigned>(simt::device::lane()) & ~(kSize - 1);
    return (0xFFFFFFFFu >> (32 - kSize)) << first;
  }
};
template <unsigned kSize>
thread_block_tile<kSize> tiled_partition(const thread_block&) {
  return {};
}

class cluster_group {
 public:
  using Where = simt::device::Where;
  struct arrival_token {};

  void sync(Where where = Where::current()) const { simt::device::cluster_sync(where); }
  arrival_token barrier_arrive(Where where = Where::current()) const {
    simt::device::cluster_arrive(where);
    return {};
  }
  void barrier_wait(Where where = Where::current()) const { simt::device::cluster_wait(where); }
  void barrier_wait(arrival_token&&, Where where = Where::current()) const {
    simt::device::cluster_wait(where);
  }

  [[nodiscard]] unsigned block_rank() const { return simt::device::cluster_rank(); }
  [[nodiscard]] unsigned num_blocks() const { return simt::device::cluster_blocks(); }
  [[nodiscard]] dim3 block_index() const { return simt::device::cluster_index(); }
  [[nodiscard]] dim3 dim_blocks() const { return simt::device::cluster_dimensions(); }
  [[nodiscard]] unsigned thread_rank() const {
    return block_rank() * this_thread_block().num_threads() + this_thread_block().thread_rank();
  }
  [[nodiscard]] unsigned num_threads() const { return num_blocks() * this_thread_block().num_threads(); }

  /// Where `address`, in the shared memory of the own block, lies in block `rank`.
  template <class T>
  [[nodiscard]] T* map_shared_rank(T* address, unsigned rank, Where where = Where::current()) const {
    return static_cast<T*>(const_cast<std::remove_const_t<T>*>(
        static_cast<const T*>(simt::device::map_shared_rank(address, rank, where))));
  }
};
inline cluster_group this_cluster() {
  return {};
}

}  // namespace cooperative_groups
