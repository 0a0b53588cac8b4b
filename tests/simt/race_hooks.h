/// \file
/// What the scheduler tells the race detector, where one is linked.
#pragma once

#include <cstddef>
#include <cstdint>

namespace simt {

struct Block;
struct Thread;

struct RaceHooks {
  void (*launch_begins)();
  void (*warp_meets)(const Block& block, std::uint32_t warp, std::uint32_t lanes);
  void (*thread_exits)(const Thread& thread);
  void (*atomic_access)(const void* address, std::size_t bytes, const void* program_point);
};

/// Null without a race detector.
extern const RaceHooks* const race_hooks;

}  // namespace simt
