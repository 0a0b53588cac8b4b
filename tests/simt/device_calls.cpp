// The functions behind the headers that kernels include.

#include <bit>
#include <cstring>

#include "device_memory.h"
#include "race_hooks.h"
#include "scheduler.h"
#include "simt/atomics.h"

namespace simt::device {

int block_barrier(Vote vote, bool predicate, const Where& where) {
  return scheduler().block_barrier(vote, predicate, where);
}

std::uint64_t warp_meet(WarpOperation operation, std::uint32_t mask, std::uint64_t value, int source,
                        const Where& where) {
  return scheduler().warp_meet(operation, mask, value, source, where);
}

std::uint32_t live_lanes() {
  return ~scheduler().warp_of(scheduler().current()).exited;
}

int lane() {
  return static_cast<int>(scheduler().current().number % 32);
}

void* block_shared(std::size_t bytes, const Where& where) {
  Scheduler& all = scheduler();
  if (bytes != all.launch().shared_bytes) {
    all.fail([&] {
      return "block_shared needs " + std::to_string(bytes) + " bytes, the launch gave " +
             std::to_string(all.launch().shared_bytes) + ", at " + to_string(where);
    });
  }
  return all.current().block->shared;
}

void cluster_arrive(const Where& where) {
  scheduler().cluster_arrive(where);
}
void cluster_wait(const Where& where) {
  scheduler().cluster_wait(where);
}
void cluster_sync(const Where& where) {
  scheduler().cluster_sync(where);
}

unsigned cluster_rank() {
  return scheduler().current().block->rank;
}
unsigned cluster_blocks() {
  return static_cast<unsigned>(scheduler().blocks().size());
}
dim3 cluster_dimensions() {
  return scheduler().launch().cluster;
}
dim3 cluster_index() {
  const dim3 of = cluster_dimensions();
  const unsigned rank = cluster_rank();
  return {rank % of.x, rank / of.x % of.y, rank / of.x / of.y};
}

void* map_shared_rank(const void* address, unsigned rank, const Where& where) {
  Scheduler& all = scheduler();
  const Block& own = *all.current().block;
  const auto offset = static_cast<std::size_t>(static_cast<const std::byte*>(address) - own.shared);
  if (offset > all.launch().shared_bytes) {
    all.fail([&] {
      return "map_shared_rank of an address outside the block's shared memory, at " + to_string(where);
    });
  }
  if (rank >= all.blocks().size()) {
    all.fail([&] {
      return "map_shared_rank of block " + std::to_string(rank) + " of a cluster of " +
             std::to_string(all.blocks().size()) + ", at " + to_string(where);
    });
  }
  return all.block_of_rank(rank).shared + offset;
}

void before_atomic(void* address, std::size_t bytes) {
  scheduler().yield();
  if (race_hooks != nullptr) race_hooks->atomic_access(address, bytes, __builtin_return_address(0));
}

void atomic_load(void* to, const void* from, std::size_t bytes) {
  std::memcpy(to, from, bytes);
}

void atomic_store(void* to, const void* from, std::size_t bytes) {
  std::memcpy(to, from, bytes);
}

}  // namespace simt::device
