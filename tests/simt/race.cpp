// Which accesses race: two of one cell by different threads, at least one a write and not both atomic, that
// no barrier orders. Barriers of a block count for its threads, barriers of the cluster for those of all its
// blocks, and functions of a warp for the lanes that met, by vector clocks. Nothing orders blocks of one
// launch that share no cluster.

#include "race.h"

#include <array>
#include <bit>
#include <vector>

#include "device_memory.h"
#include "race_hooks.h"
#include "race_shadow.h"
#include "scheduler.h"

namespace simt {
namespace {

using Clock = std::array<std::uint32_t, 32>;

/// For each lane, how far it has seen each other lane of its warp.
struct WarpClocks {
  std::array<Clock, 32> of;
};

/// The last access of one block's shared memory by another block of the cluster.
struct RemoteAccess {
  bool any = false;
  std::uint32_t arrivals = 0;
  const void* point = nullptr;
};

constexpr std::size_t kWarpsPerBlock = 32;

Shadow shadow;
std::vector<WarpClocks> clocks;
std::vector<RemoteAccess> remote;
std::uint64_t cluster_of_remote = 0;  // number of the first block of the cluster that `remote` is about

WarpClocks& clocks_of(const Block& block, std::uint32_t warp) {
  return clocks[block.rank * kWarpsPerBlock + warp];
}

void launch_begins() {
  clocks.resize(kWarpsPerBlock * scheduler().blocks().size());
  remote.assign(scheduler().blocks().size(), {});
  shadow.trim();
}

void warp_meets(const Block& block, std::uint32_t warp, std::uint32_t lanes) {
  WarpClocks& all = clocks_of(block, warp);
  Clock joint{};
  for (std::uint32_t left = lanes; left != 0; left &= left - 1) {
    const auto lane = static_cast<std::size_t>(std::countr_zero(left));
    ++all.of[lane][lane];
    for (std::size_t other = 0; other < 32; ++other)
      joint[other] = std::max(joint[other], all.of[lane][other]);
  }
  for (std::uint32_t left = lanes; left != 0; left &= left - 1) {
    all.of[static_cast<std::size_t>(std::countr_zero(left))] = joint;
  }
}

Access access_now(AccessKind kind, const void* point) {
  Scheduler& all = scheduler();
  const Thread& thread = all.current();
  const std::size_t lane = thread.number % 32;
  Access access;
  access.launch = static_cast<std::uint32_t>(all.launch_number());
  access.block = static_cast<std::uint32_t>(thread.block->number);
  access.thread = static_cast<std::uint16_t>(thread.number);
  access.atomic = kind == AccessKind::kAtomic;
  access.barriers = thread.block->barriers;
  access.arrivals = thread.arrivals;
  access.warp_clock = clocks_of(*thread.block, thread.number / 32).of[lane][lane];
  access.point = point;
  return access;
}

bool in_this_cluster(std::uint32_t block) {
  for (const Block& other : scheduler().blocks()) {
    if (other.number == block) return true;
  }
  return false;
}

/// Whether `earlier` is ordered before what the current thread does now.
bool ordered(const Access& earlier, const Access& now, bool shared_memory) {
  if (earlier.launch != now.launch) return true;
  const Thread& thread = scheduler().current();
  if (earlier.block != now.block) {
    if (!in_this_cluster(earlier.block)) return shared_memory;  // which is another block's by now
    return earlier.arrivals < thread.waits;
  }
  if (earlier.thread == now.thread || earlier.barriers < now.barriers || earlier.arrivals < thread.waits)
    return true;
  if (earlier.thread / 32 != now.thread / 32) return false;
  return clocks_of(*thread.block, now.thread / 32u).of[now.thread % 32u][earlier.thread % 32u] >
         earlier.warp_clock;
}

std::string place_of(const void* address) {
  if (device_memory().shared_rank(address) >= 0 || DeviceMemory::is_static_shared(address))
    return "shared memory";
  const Allocation* found = device_memory().find(address);
  if (found == nullptr) return "memory";
  return "byte " + std::to_string(static_cast<const std::byte*>(address) - found->begin) +
         " of an allocation of " + std::to_string(found->bytes) + " bytes";
}

[[noreturn]] void report(const Access& earlier, bool earlier_writes, const Access& now, bool now_writes,
                         const void* address) {
  const auto verb = [](const Access& access, bool writes) {
    return std::string(access.atomic ? "atomic access" : (writes ? "write" : "read"));
  };
  scheduler().fail([&] {
    return "race on " + place_of(address) + ": " + verb(now, now_writes) + " at " + program_point(now.point) +
           ", not ordered after the " + verb(earlier, earlier_writes) + " by thread " +
           std::to_string(earlier.thread) + " of block " + std::to_string(earlier.block) + " at " +
           program_point(earlier.point);
  });
}

/// How little two readers have in common.
int distance(const Access& a, const Access& b) {
  if (a.block != b.block) return 2;
  return a.thread / 32 != b.thread / 32 ? 1 : 0;
}

void keep_read(Cell& cell, const Access& now, bool shared_memory) {
  for (Access& read : cell.reads) {
    if (read.launch == 0 || read.same_thread(now) || ordered(read, now, shared_memory)) {
      read = now;
      return;
    }
  }
  if (distance(cell.reads[0], now) > distance(cell.reads[0], cell.reads[1])) cell.reads[1] = now;
}

void touch(Cell& cell, const Access& now, AccessKind kind, bool shared_memory, const void* address) {
  const bool writes = kind != AccessKind::kRead;
  const auto races = [&](const Access& earlier) {
    return earlier.launch != 0 && !earlier.same_thread(now) && !(earlier.atomic && now.atomic) &&
           !ordered(earlier, now, shared_memory);
  };
  if (races(cell.write)) report(cell.write, true, now, writes, address);
  if (!writes) return keep_read(cell, now, shared_memory);
  for (Access& read : cell.reads) {
    if (races(read)) report(read, false, now, true, address);
    read.launch = 0;
  }
  cell.write = now;
}

/// Another block's shared memory exists between the cluster's first barrier and a barrier before that block
/// exits.
void check_remote(const void* address, const Access& now) {
  Scheduler& all = scheduler();
  const auto rank = static_cast<std::size_t>(device_memory().shared_rank(address));
  if (rank == all.current().block->rank) return;
  if (rank >= all.blocks().size()) return;
  if (all.current().waits == 0) {
    all.fail([&] {
      return "shared memory of another block is used before the cluster's first barrier, at " +
             program_point(now.point);
    });
  }
  if (all.blocks()[rank].exited > 0) {
    all.fail(
        [&] { return "shared memory of a block that has exited is used, at " + program_point(now.point); });
  }
  const std::uint64_t cluster = all.blocks()[0].number;
  if (cluster != cluster_of_remote) remote.assign(remote.size(), {});
  cluster_of_remote = cluster;
  RemoteAccess& last = remote[rank];
  if (!last.any || now.arrivals >= last.arrivals) last = {true, now.arrivals, now.point};
}

void thread_exits(const Thread& thread) {
  const RemoteAccess& last = remote[thread.block->rank];
  if (!last.any || cluster_of_remote != scheduler().blocks()[0].number || last.arrivals < thread.waits)
    return;
  scheduler().fail([&] {
    return "a block exits while others may use its shared memory, at " + program_point(last.point);
  });
}

void atomic_access(const void* address, std::size_t bytes, const void* point) {
  note_access(address, bytes, AccessKind::kAtomic, point);
}

constexpr RaceHooks kHooks{launch_begins, warp_meets, thread_exits, atomic_access};

}  // namespace

const RaceHooks* const race_hooks = &kHooks;

void note_access(const void* address, std::size_t bytes, AccessKind kind, const void* point) {
  static Scheduler& all = scheduler();
  static DeviceMemory& memory = device_memory();
  if (!all.running()) return;
  if (!memory.in_range(address) && !DeviceMemory::is_static_shared(address)) return;  // stack, constants
  const Access now = access_now(kind, point);
  const bool shared_memory = !memory.in_range(address) || memory.shared_rank(address) >= 0;
  if (shared_memory && all.blocks().size() > 1) check_remote(address, now);
  auto at = reinterpret_cast<std::uintptr_t>(address);
  for (const std::uintptr_t end = at + bytes; at < end;) {
    ShadowPage& page = shadow.page_of(at);
    const std::size_t offset = at % ShadowPage::kBytes;
    const bool whole = offset % ShadowPage::kWordBytes == 0 && end - at >= ShadowPage::kWordBytes;
    if (!whole && !page.split(offset)) page.split_word(offset);
    const auto* cell_address = reinterpret_cast<const void*>(at);
    if (!page.split(offset)) {
      touch(page.word(offset), now, kind, shared_memory, cell_address);
      at += ShadowPage::kWordBytes;
    } else {
      touch(page.byte(offset), now, kind, shared_memory, cell_address);
      ++at;
    }
  }
}

}  // namespace simt
