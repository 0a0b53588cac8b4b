// The pool of fibers: one reserved range of addresses, a guard page below each stack.

#include "fiber.h"

#include <sys/mman.h>

#include <new>
#include <stdexcept>

#ifdef SIMT_ASAN
#  include <sanitizer/asan_interface.h>
#endif

namespace simt {
namespace {

using boost::context::detail::transfer_t;

constexpr std::size_t kGuardBytes = 4096;
#ifdef SIMT_ASAN
constexpr std::size_t kStackBytes = 256 * 1024;  // instrumented frames are several times larger
#else
constexpr std::size_t kStackBytes = 128 * 1024;
#endif
constexpr std::size_t kMostFibers = 16 * 1024 + 1;  // a cluster of 16 blocks of 1024 threads
// Stacks that begin at the same offset within a page would compete for the same few sets of the cache.
constexpr std::size_t kColours = 61, kColourBytes = 64;

// Set for good by the one pool; a fiber that starts has no other way to know.
FiberPool::Run run_of_fibers = nullptr;

void enter(transfer_t transfer) {
  Fiber& own = *static_cast<const Handover*>(transfer.data)->to;
  finish_switch(transfer);
  run_of_fibers(own);
  __builtin_unreachable();
}

}  // namespace

FiberPool::FiberPool(Run run) {
  run_of_fibers = run;
  const std::size_t bytes = kMostFibers * kStackBytes;
  void* range = mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (range == MAP_FAILED) throw std::bad_alloc();
  low_ = static_cast<std::byte*>(range);
  high_ = low_ + bytes;
}

void FiberPool::start(Fiber& fiber) const {
  const std::size_t number = static_cast<std::size_t>(fiber.stack_low - low_) / kStackBytes;
  std::byte* high = low_ + (number + 1) * kStackBytes - number % kColours * kColourBytes;
  const auto bytes = static_cast<std::size_t>(high - fiber.stack_low);
  fiber.context = boost::context::detail::make_fcontext(high, bytes, enter);
  fiber.stack_bytes = bytes;
  fiber.fake_stack = nullptr;
#ifdef SIMT_ASAN
  __asan_unpoison_memory_region(fiber.stack_low, bytes);  // of frames that were abandoned
#endif
}

void FiberPool::grow() {
  if (fibers_.size() == kMostFibers)
    throw std::length_error("simt: more threads at once than a cluster can have");
  std::byte* low = low_ + fibers_.size() * kStackBytes + kGuardBytes;
  if (mprotect(low, kStackBytes - kGuardBytes, PROT_READ | PROT_WRITE) != 0) throw std::bad_alloc();
  Fiber& fiber = fibers_.emplace_back();
  fiber.stack_low = low;
  start(fiber);
  idle_.push_back(&fiber);
}

void FiberPool::abandon_all() {
  idle_.clear();
  for (Fiber& fiber : fibers_) {
    start(fiber);
    idle_.push_back(&fiber);
  }
}

}  // namespace simt
