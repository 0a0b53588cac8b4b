// Barriers of blocks and clusters, and functions of warps: who waits, and who is released when.

#include <bit>
#include <cstring>

#include "device_memory.h"
#include "race_hooks.h"
#include "scheduler.h"

namespace simt {
namespace {

bool same_place(const Where& a, const Where& b) {
  return a.line() == b.line() && a.column() == b.column() &&
         (a.file_name() == b.file_name() || std::strcmp(a.file_name(), b.file_name()) == 0);
}

const char* name_of(device::WarpOperation operation) {
  switch (operation) {
    case device::WarpOperation::kSync:
      return "__syncwarp";
    case device::WarpOperation::kShuffle:
      return "a shuffle";
    case device::WarpOperation::kBallot:
      return "a vote";
  }
  return "";
}

}  // namespace

int Scheduler::block_barrier(device::Vote vote, bool predicate, const Where& where) {
  Thread& own = *current_;
  Block& block = *own.block;
  if (block.arrived == 0) {
    block.barrier_place = where;
  } else if (!same_place(block.barrier_place, where)) {
    fail([&] {
      return "divergent barrier: at __syncthreads of " + to_string(where) +
             ", while other threads of the block wait at " + to_string(block.barrier_place);
    });
  }
  own.where = where;
  own.state = State::kAtBlockBarrier;
  block.votes += predicate ? 1u : 0u;
  if (++block.arrived == threads_per_block_) release_block(block);
  wait();
  switch (vote) {
    case device::Vote::kCount:
      return static_cast<int>(block.result);
    case device::Vote::kAnd:
      return block.result == threads_per_block_ ? 1 : 0;
    case device::Vote::kOr:
      return block.result != 0 ? 1 : 0;
    case device::Vote::kNone:
      break;
  }
  return 0;
}

void Scheduler::release_block(Block& block) {
  block.arrived = 0;
  block.result = block.votes;
  block.votes = 0;
  ++block.barriers;
  const std::uint32_t* order = block_order_.next();
  for (std::uint32_t t = 0; t < threads_per_block_; ++t) make_runnable(block.threads[order[t]]);
}

std::uint64_t Scheduler::warp_meet(device::WarpOperation operation, std::uint32_t mask, std::uint64_t value,
                                   int source, const Where& where) {
  Thread& own = *current_;
  Block& block = *own.block;
  const std::uint32_t number = own.number / 32, lane = 1u << own.number % 32;
  Warp& warp = block.warps[number];
  own.where = where;
  if ((mask & lane) == 0)
    fail([&] {
      return std::string(name_of(operation)) + " whose mask lacks the caller, at " + to_string(where);
    });
  std::uint32_t m = 0;
  while (m < warp.meetings && warp.meeting[m].mask != mask) ++m;
  if (m == warp.meetings) warp.meeting[warp.meetings++] = {mask, 0, operation};
  Meeting& meeting = warp.meeting[m];
  if (meeting.operation != operation) {
    fail([&] {
      return std::string("divergent warp: at ") + name_of(operation) + " of " + to_string(where) +
             ", while other lanes of the mask wait at " + name_of(meeting.operation);
    });
  }
  own.value = value;
  own.source = source;
  own.state = State::kAtWarpFunction;
  meeting.arrived |= lane;
  release_if_met(block, number, m);
  wait();
  if (own.source < 0) {
    own.source = source;
    fail([&] {
      return "a shuffle reads lane " + std::to_string(source) +
             ", which has exited or is outside the mask, at " + to_string(where);
    });
  }
  return own.result;
}

/// Lanes that have exited are not waited for, but cannot be read either.
bool Scheduler::release_if_met(Block& block, std::uint32_t number, std::uint32_t m) {
  Warp& warp = block.warps[number];
  const Meeting met = warp.meeting[m];
  if (met.arrived != (met.mask & ~warp.exited)) return false;
  warp.meeting[m] = warp.meeting[--warp.meetings];
  if (race_hooks != nullptr) race_hooks->warp_meets(block, number, met.arrived);
  Thread* lanes = block.threads + std::size_t{32} * number;
  std::uint64_t ballot = 0;
  if (met.operation == device::WarpOperation::kBallot) {
    for (std::uint32_t left = met.arrived; left != 0; left &= left - 1) {
      const int lane = std::countr_zero(left);
      ballot |= lanes[lane].value << lane;
    }
  }
  const Order order = settings().order;
  const std::uint32_t mixed = order == Order::kShuffled ? static_cast<std::uint32_t>(next_choice()) & 31u
                                                        : (order == Order::kReverse ? 31u : 0u);
  for (std::uint32_t i = 0; i < 32; ++i) {
    const std::uint32_t l = i ^ mixed;  // a permutation of the lanes
    if ((met.arrived >> l & 1u) == 0) continue;
    Thread& lane = lanes[l];
    if (met.operation == device::WarpOperation::kShuffle) {
      const bool there = lane.source < 32 && (met.arrived >> lane.source & 1u) != 0;
      if (there) lane.result = lanes[lane.source].value;
      if (!there) lane.source = -1;
    } else {
      lane.result = ballot;
    }
    make_runnable(lane);
  }
  return true;
}

void Scheduler::cluster_arrive(const Where& where) {
  Thread& own = *current_;
  own.where = where;
  if (own.arrivals != own.waits)
    fail([&] { return "arrives twice at the cluster's barrier without waiting, at " + to_string(where); });
  ++own.arrivals;
  if (++cluster_arrived_ == threads_.size()) release_cluster();
}

void Scheduler::release_cluster() {
  cluster_arrived_ = 0;
  ++cluster_phase_;
  const std::uint32_t* order = cluster_order_.next();
  for (std::size_t t = 0; t < threads_.size(); ++t) {
    Thread& thread = threads_[order[t]];
    if (thread.state == State::kAtCluster) make_runnable(thread);
  }
}

void Scheduler::cluster_wait(const Where& where) {
  Thread& own = *current_;
  own.where = where;
  if (own.arrivals == own.waits)
    fail([&] { return "waits at the cluster's barrier without arriving, at " + to_string(where); });
  if (cluster_phase_ == own.waits) {
    own.state = State::kAtCluster;
    wait();
  }
  ++own.waits;
}

void Scheduler::cluster_sync(const Where& where) {
  Thread& own = *current_;
  own.state = State::kAtCluster;  // before arriving, so that whoever comes last goes on in its turn
  cluster_arrive(where);
  wait();
  ++own.waits;
}

}  // namespace simt
