/// \file
/// What kernels of the probe read from the device and tell it, one PTX instruction each. Instructions that an
/// older architecture lacks trap there: the host does not launch such kernels on it.
#pragma once

#include <cstdint>

#include "probe.h"

#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 900
#  define PROBE_SM90_ASM(...) __trap()
#else
#  define PROBE_SM90_ASM(...) asm volatile(__VA_ARGS__)
#endif
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 800
#  define PROBE_SM80_ASM(...) __trap()
#else
#  define PROBE_SM80_ASM(...) asm volatile(__VA_ARGS__)
#endif

namespace probe {

/// Waits end after so many ticks, about a second, so that what goes wrong is reported and does not hang.
constexpr long long kPatience = 2'000'000'000;

/// Memory accesses of the program stay on their side of it.
__device__ inline long long ticks() {
  long long t;
  asm volatile("mov.u64 %0, %%clock64;" : "=l"(t)::"memory");
  return t;
}

__device__ inline unsigned long long nanoseconds() {
  unsigned long long t;
  asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(t)::"memory");
  return t;
}

__device__ inline unsigned multiprocessor() {
  unsigned id;
  asm volatile("mov.u32 %0, %%smid;" : "=r"(id));
  return id;
}

/// Both clocks at once, or what has passed since such a reading.
__device__ inline Span now() {
  return {ticks(), nanoseconds()};
}
__device__ inline Span since(const Span& start) {
  const Span end = now();
  return {end.ticks - start.ticks, end.nanoseconds - start.nanoseconds};
}

__device__ inline unsigned cluster_rank() {
  unsigned rank = 0;
  PROBE_SM90_ASM("mov.u32 %0, %%cluster_ctarank;" : "=r"(rank));
  return rank;
}

__device__ inline unsigned cluster_size() {
  unsigned size = 1;
  PROBE_SM90_ASM("mov.u32 %0, %%cluster_nctarank;" : "=r"(size));
  return size;
}

/// Waits for all threads of the cluster, whose writes before it are seen after it. (For writes to memory of
/// the whole device too, which is why it waits for all that were made.)
__device__ inline void cluster_barrier() {
  PROBE_SM90_ASM("barrier.cluster.arrive.release.aligned;\n\tbarrier.cluster.wait.acquire.aligned;" ::
                     : "memory");
}

/// Waits for all threads of the cluster, and says nothing of what they wrote.
__device__ inline void cluster_barrier_relaxed() {
  PROBE_SM90_ASM("barrier.cluster.arrive.relaxed.aligned;\n\tbarrier.cluster.wait.aligned;" :::);
}

/// The address of shared memory as PTX takes it.
__device__ inline std::uint32_t shared_address(const void* pointer) {
  return static_cast<std::uint32_t>(__cvta_generic_to_shared(pointer));
}

/// The same variable in the shared memory of the cluster's block `rank`.
__device__ inline std::uint32_t remote_address(std::uint32_t address, unsigned rank) {
  std::uint32_t remote = 0;
  PROBE_SM90_ASM("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(remote) : "r"(address), "r"(rank));
  return remote;
}

/// A barrier in shared memory that counts arrivals and bytes (mbarrier).
__device__ inline void barrier_init(std::uint32_t barrier, unsigned arrivals) {
  PROBE_SM90_ASM("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(barrier), "r"(arrivals) : "memory");
}

/// Makes barriers that were set up known to the cluster and to asynchronous copies.
__device__ inline void barrier_init_fence() {
  PROBE_SM90_ASM("fence.mbarrier_init.release.cluster;" ::: "memory");
}

/// Arrives, and lets the phase wait for `bytes` that are to be written.
__device__ inline void barrier_expect(std::uint32_t barrier, unsigned bytes) {
  PROBE_SM90_ASM("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(barrier), "r"(bytes)
                 : "memory");
}

/// Whose writes a wait makes visible: those of the block and of the copies it asked for, or of the cluster.
enum class Scope { block, cluster };

/// Waits for the end of the phase of that parity; false when patience ended first. The clock is read only
/// after a vain try, since reading it takes a while.
template <Scope kScope>
__device__ inline bool barrier_wait(std::uint32_t barrier, unsigned parity) {
  for (long long start = 0;;) {
    unsigned done = 0;
    if constexpr (kScope == Scope::cluster) {
      PROBE_SM90_ASM(
          "{\n\t.reg .pred p;\n\t"
          "mbarrier.try_wait.parity.acquire.cluster.shared::cta.b64 p, [%1], %2;\n\t"
          "selp.u32 %0, 1, 0, p;\n\t}"
          : "=r"(done)
          : "r"(barrier), "r"(parity)
          : "memory");
    } else {
      PROBE_SM90_ASM(
          "{\n\t.reg .pred p;\n\t"
          "mbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2;\n\t"
          "selp.u32 %0, 1, 0, p;\n\t}"
          : "=r"(done)
          : "r"(barrier), "r"(parity)
          : "memory");
    }
    if (done != 0) return true;
    if (start == 0) {
      start = ticks();
    } else if (ticks() - start > kPatience) {
      return false;
    }
  }
}

}  // namespace probe
