/// \file
/// Barriers and warp functions as kernels call them. Each carries the place of the call for reports.
#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>

#include "simt/where.h"

namespace simt::device {

enum class Vote { kNone, kCount, kAnd, kOr };
enum class WarpOperation { kSync, kShuffle, kBallot };

int block_barrier(Vote vote, bool predicate, const Where& where);
/// Meets the other lanes of `mask`; returns the value of lane `source`, or the ballot.
std::uint64_t warp_meet(WarpOperation operation, std::uint32_t mask, std::uint64_t value, int source,
                        const Where& where);
[[nodiscard]] std::uint32_t live_lanes();
[[nodiscard]] int lane();
[[nodiscard]] void* block_shared(std::size_t bytes, const Where& where);

void cluster_arrive(const Where& where);
void cluster_wait(const Where& where);
void cluster_sync(const Where& where);
[[nodiscard]] unsigned cluster_rank();
[[nodiscard]] unsigned cluster_blocks();
[[nodiscard]] dim3 cluster_index();
[[nodiscard]] dim3 cluster_dimensions();
[[nodiscard]] void* map_shared_rank(const void* address, unsigned rank, const Where& where);

template <class T>
T shuffle(std::uint32_t mask, T value, int source, const Where& where) {
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= 8);
  std::uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof(T));
  bits = warp_meet(WarpOperation::kShuffle, mask, bits, source, where);
  std::memcpy(&value, &bits, sizeof(T));
  return value;
}

}  // namespace simt::device

inline void __syncthreads(simt::device::Where where = simt::device::Where::current()) {
  simt::device::block_barrier(simt::device::Vote::kNone, false, where);
}
inline int __syncthreads_count(int predicate, simt::device::Where where = simt::device::Where::current()) {
  return simt::device::block_barrier(simt::device::Vote::kCount, predicate != 0, where);
}
inline int __syncthreads_and(int predicate, simt::device::Where where = simt::device::Where::current()) {
  return simt::device::block_barrier(simt::device::Vote::kAnd, predicate != 0, where);
}
inline int __syncthreads_or(int predicate, simt::device::Where where = simt::device::Where::current()) {
  return simt::device::block_barrier(simt::device::Vote::kOr, predicate != 0, where);
}
inline void __syncwarp(unsigned mask = 0xFFFFFFFFu,
                       simt::device::Where where = simt::device::Where::current()) {
  simt::device::warp_meet(simt::device::WarpOperation::kSync, mask, 0, 0, where);
}

// Lanes form segments of `width`; a source outside the segment gives the caller's own value.
template <class T>
T __shfl_sync(unsigned mask, T value, int source, int width = 32,
              simt::device::Where where = simt::device::Where::current()) {
  const int first = simt::device::lane() & ~(width - 1);
  return simt::device::shuffle(mask, value, first + (source & (width - 1)), where);
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32,
                 simt::device::Where where = simt::device::Where::current()) {
  const int own = simt::device::lane(), source = own - static_cast<int>(delta);
  return simt::device::shuffle(mask, value, source < (own & ~(width - 1)) ? own : source, where);
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32,
                   simt::device::Where where = simt::device::Where::current()) {
  const int own = simt::device::lane(), source = own + static_cast<int>(delta);
  return simt::device::shuffle(mask, value, source > (own | (width - 1)) ? own : source, where);
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int lane_mask, int width = 32,
                  simt::device::Where where = simt::device::Where::current()) {
  const int own = simt::device::lane(), source = own ^ lane_mask;
  return simt::device::shuffle(mask, value, source > (own | (width - 1)) ? own : source, where);
}

inline unsigned __ballot_sync(unsigned mask, int predicate,
                              simt::device::Where where = simt::device::Where::current()) {
  return static_cast<unsigned>(
      simt::device::warp_meet(simt::device::WarpOperation::kBallot, mask, predicate != 0 ? 1 : 0, 0, where));
}
inline int __any_sync(unsigned mask, int predicate,
                      simt::device::Where where = simt::device::Where::current()) {
  return __ballot_sync(mask, predicate, where) != 0;
}
inline int __all_sync(unsigned mask, int predicate,
                      simt::device::Where where = simt::device::Where::current()) {
  return __ballot_sync(mask, predicate == 0, where) == 0;
}
/// The lanes that have not exited: more than a device may show, where lanes that diverged are absent.
inline unsigned __activemask() {
  return simt::device::live_lanes();
}

// One thread runs at a time, so that these order nothing here; the race detector does not take them for
// barriers.
inline void __threadfence_block() {}
inline void __threadfence() {}
inline void __threadfence_system() {}
inline void __nanosleep(unsigned) {}
