// Allocation, canaries and poison of emulated device memory.

#include "device_memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <new>

#ifdef SIMT_ASAN
#  include <sanitizer/asan_interface.h>
#endif

// Static shared memory, if any kernel has some.
extern "C" {
[[gnu::weak]] extern std::byte __start_simt_shared[];  // NOLINT
[[gnu::weak]] extern std::byte __stop_simt_shared[];   // NOLINT
}

namespace simt {
namespace {

constexpr std::size_t kPage = 4096;
constexpr std::size_t kRangeBytes = std::size_t{64}
                                    << 30;      // addresses only: what is not allocated is not mapped
constexpr std::size_t kGapBytes = 64 * 1024;    // unmapped behind each allocation
constexpr std::size_t kAlignment = 256;         // as cudaMalloc
constexpr std::size_t kGuardBytes = 256;        // at least, before an allocation
constexpr std::size_t kSlotBytes = 256 * 1024;  // shared memory of one block, its last page unmapped
constexpr std::size_t kMostBlocks = 16;         // of a cluster
constexpr int kPoison = 0xFF;                   // of float and double: NaN
[[maybe_unused]] constexpr auto kCanary = std::byte{0xA5};

std::size_t round_up(std::size_t bytes, std::size_t unit) {
  return (bytes + unit - 1) / unit * unit;
}

/// Pages of an allocation: canary, the allocation, and a canary of less than kAlignment bytes up to the last
/// page's end.
std::byte* pages_begin(const Allocation& of) {
  const auto behind = round_up(of.bytes, kAlignment);
  return of.begin + behind - round_up(behind + kGuardBytes, kPage);
}
std::byte* pages_end(const Allocation& of) {
  return of.begin + round_up(of.bytes, kAlignment);
}

void guard(std::byte* from, const std::byte* to) {
  const auto bytes = static_cast<std::size_t>(to - from);
#ifdef SIMT_ASAN
  __asan_poison_memory_region(from, bytes);
#else
  std::memset(from, std::to_integer<int>(kCanary), bytes);
#endif
}

void open(std::byte* from, std::size_t bytes) {
#ifdef SIMT_ASAN
  __asan_unpoison_memory_region(from, bytes);
#else
  static_cast<void>(from);
  static_cast<void>(bytes);
#endif
}

/// The first byte that is no canary any more, or null. AddressSanitizer has stopped the program at the write
/// already.
const std::byte* damage(const std::byte* from, const std::byte* to) {
#ifdef SIMT_ASAN
  static_cast<void>(from);
  static_cast<void>(to);
  return nullptr;
#else
  static constexpr auto kWord = 0xA5A5A5A5A5A5A5A5u;
  for (; to - from >= 8; from += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, from, 8);
    if (word != kWord) break;
  }
  for (; from < to; ++from) {
    if (*from != kCanary) return from;
  }
  return nullptr;
#endif
}

std::string text_of(const Allocation& allocation) {
  return "an allocation of " + std::to_string(allocation.bytes) + " bytes";
}

std::string distance(const Allocation& of, const std::byte* at) {
  if (at < of.begin) return std::to_string(of.begin - at) + " bytes before the begin of " + text_of(of);
  const auto beyond = static_cast<std::size_t>(at - of.begin) - of.bytes;
  return std::to_string(beyond) + " bytes behind the end of " + text_of(of);
}

}  // namespace

DeviceMemory& device_memory() {
  static auto* one =
      new DeviceMemory;  // never destroyed: static objects may free memory as late as they like
  return *one;
}

DeviceMemory::DeviceMemory() {
  void* range = mmap(nullptr, kRangeBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (range == MAP_FAILED) throw std::bad_alloc();
  low_ = static_cast<std::byte*>(range);
  high_ = low_ + kRangeBytes;
  for (std::size_t rank = 0; rank < kMostBlocks; ++rank) {
    mprotect(low_ + rank * kSlotBytes, kSlotBytes - kPage, PROT_READ | PROT_WRITE);
  }
  cursor_ = low_ + kMostBlocks * kSlotBytes;
}

/// Addresses are not used again before the whole range was, so that what uses freed memory hits unmapped
/// pages.
std::byte* DeviceMemory::find_room(std::size_t bytes) {
  for (int pass = 0; pass < 2; ++pass) {
    auto next = allocations_.lower_bound(cursor_);
    for (;;) {
      const std::byte* end = next == allocations_.end() ? high_ : pages_begin(next->second);
      if (cursor_ <= end && static_cast<std::size_t>(end - cursor_) >= bytes + kGapBytes) {
        std::byte* room = cursor_;
        cursor_ += bytes + kGapBytes;
        return room;
      }
      if (next == allocations_.end()) break;
      cursor_ = pages_end(next->second) + kGapBytes;
      ++next;
    }
    cursor_ = low_ + kMostBlocks * kSlotBytes;
  }
  return nullptr;
}

void* DeviceMemory::allocate(std::size_t bytes, MemoryKind kind, int device) {
  if (bytes > kRangeBytes) return nullptr;
  const std::size_t aligned = round_up(bytes, kAlignment), pages = round_up(aligned + kGuardBytes, kPage);
  std::byte* room = find_room(pages);
  if (room == nullptr || mprotect(room, pages, PROT_READ | PROT_WRITE) != 0) return nullptr;
  const Allocation made{room + pages - aligned, bytes, kind, device};
  open(room, pages);
  std::memset(made.begin, kPoison, bytes);
  guard(room, made.begin);
  guard(made.begin + bytes, room + pages);
  allocations_.emplace(made.begin, made);
#ifdef SIMT_ASAN
  if (kind == MemoryKind::kDevice) __asan_poison_memory_region(made.begin, bytes);
#endif
  return made.begin;
}

void DeviceMemory::free(const Allocation& allocation) {
  std::byte* begin = pages_begin(allocation);
  const auto bytes = static_cast<std::size_t>(pages_end(allocation) - begin);
  allocations_.erase(allocation.begin);
  open(begin, bytes);
  // Mapped anew instead of only protected: gives the pages back.
  mmap(begin, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
}

const Allocation* DeviceMemory::find(const void* address) const {
  auto* byte = const_cast<std::byte*>(static_cast<const std::byte*>(address));
  auto next = allocations_.upper_bound(byte);
  if (next == allocations_.begin()) return nullptr;
  const Allocation& found = std::prev(next)->second;
  return byte <= found.begin + found.bytes ? &found : nullptr;
}

std::string DeviceMemory::explain(const void* address) const {
  auto* byte = const_cast<std::byte*>(static_cast<const std::byte*>(address));
  auto next = allocations_.upper_bound(byte);
  std::string text = "memory that was freed or never allocated";
  if (next != allocations_.begin() && byte < pages_end(std::prev(next)->second) + kGapBytes) {
    text += ", " + distance(std::prev(next)->second, byte);
  } else if (next != allocations_.end() && byte >= pages_begin(next->second) - kGapBytes) {
    text += ", " + distance(next->second, byte);
  }
  return text;
}

std::string DeviceMemory::check_guards() {
  for (auto& [begin, allocation] : allocations_) {
    const std::byte* at = damage(pages_begin(allocation), begin);
    if (at == nullptr) at = damage(begin + allocation.bytes, pages_end(allocation));
    if (at == nullptr) continue;
    const std::string fault = "out-of-bounds write " + distance(allocation, at);
    repair_guards();
    return fault;
  }
  return {};
}

void DeviceMemory::repair_guards() {
  for (auto& [begin, allocation] : allocations_) {
    guard(pages_begin(allocation), begin);
    guard(begin + allocation.bytes, pages_end(allocation));
  }
}

std::byte* DeviceMemory::shared_memory(std::uint32_t rank, std::size_t bytes) const {
  return low_ + (rank + 1) * kSlotBytes - kPage - kGuardBytes - round_up(bytes, 16);
}

void DeviceMemory::poison_shared(std::uint32_t rank, std::size_t bytes) {
  std::byte* shared = shared_memory(rank, bytes);
  std::byte* slot_end = low_ + (rank + 1) * kSlotBytes - kPage;
  open(shared - kGuardBytes, static_cast<std::size_t>(slot_end - shared) + kGuardBytes);
  std::memset(shared, kPoison, bytes);
  guard(shared - kGuardBytes, shared);
  guard(shared + bytes, slot_end);
  if (__start_simt_shared != nullptr && rank == 0) {
    std::memset(__start_simt_shared, kPoison,
                static_cast<std::size_t>(__stop_simt_shared - __start_simt_shared));
  }
}

std::string DeviceMemory::check_shared(std::uint32_t rank, std::size_t bytes) {
  const std::byte* shared = shared_memory(rank, bytes);
  const std::byte* slot_end = low_ + (rank + 1) * kSlotBytes - kPage;
  const std::byte* at = damage(shared - kGuardBytes, shared);
  if (at != nullptr)
    return "out-of-bounds write " + std::to_string(shared - at) + " bytes before shared memory";
  at = damage(shared + bytes, slot_end);
  if (at == nullptr) return {};
  return "out-of-bounds write " + std::to_string(at - shared - static_cast<std::ptrdiff_t>(bytes)) +
         " bytes behind the " + std::to_string(bytes) + " bytes of shared memory";
}

int DeviceMemory::shared_rank(const void* address) const {
  const auto offset = static_cast<std::size_t>(static_cast<const std::byte*>(address) - low_);
  return offset < kMostBlocks * kSlotBytes ? static_cast<int>(offset / kSlotBytes) : -1;
}

bool DeviceMemory::is_static_shared(const void* address) {
  const auto* byte = static_cast<const std::byte*>(address);
  return byte >= __start_simt_shared && byte < __stop_simt_shared;
}

void DeviceMemory::set_device_access([[maybe_unused]] bool allowed) {
#ifdef SIMT_ASAN
  for (auto& [begin, allocation] : allocations_) {
    if (allocation.kind != MemoryKind::kDevice) continue;
    if (allowed) {
      __asan_unpoison_memory_region(begin, allocation.bytes);
    } else {
      __asan_poison_memory_region(begin, allocation.bytes);
    }
  }
#endif
}

}  // namespace simt
