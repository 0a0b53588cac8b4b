// The scheduler: starts threads, switches between them at waits, and releases those that waited.
//
// A fiber runs threads in a loop as long as they do not wait, so that a kernel without barriers is a plain
// loop. When a thread waits, another fiber goes on with the threads that have not started, or with one that
// may run again.

#include "scheduler.h"

#include <algorithm>

#include "device_memory.h"
#include "race_hooks.h"

// The built-in variables of kernels, which see them as constants.
uint3 threadIdx{}, blockIdx{};  // NOLINT
dim3 blockDim{}, gridDim{};     // NOLINT

namespace simt {
namespace {

constexpr std::uint64_t kAtomicsPerYield = 4;

}  // namespace

Scheduler& scheduler() {
  static auto* one = new Scheduler;  // never destroyed, as device_memory
  return *one;
}

Scheduler::Scheduler() : pool_(&Scheduler::run_fiber) {}

void Scheduler::run(const Launch& launch) {
  launch_ = &launch;
  restart_choices(++launch_number_);
  prepare(launch);
  if (race_hooks != nullptr) race_hooks->launch_begins();
  const std::uint32_t clusters_x = launch.grid.x / launch.cluster.x,
                      clusters_y = launch.grid.y / launch.cluster.y;
  const std::uint64_t clusters = std::uint64_t{clusters_x} * clusters_y * (launch.grid.z / launch.cluster.z);
  const Order order = settings().order;
  // Too many for a permutation: blocks are visited with a stride that has no divisor in common with their
  // number.
  const std::uint64_t stride = order == Order::kShuffled ? coprime_stride(clusters) : 1;
  std::uint64_t visited = order == Order::kShuffled ? next_choice() % clusters : 0;
  for (std::uint64_t i = 0; i < clusters; ++i) {
    const std::uint64_t cluster = order == Order::kReverse ? clusters - 1 - visited : visited;
    const auto x = static_cast<std::uint32_t>(cluster % clusters_x);
    const auto y = static_cast<std::uint32_t>(cluster / clusters_x % clusters_y);
    const auto z = static_cast<std::uint32_t>(cluster / clusters_x / clusters_y);
    run_cluster({x * launch.cluster.x, y * launch.cluster.y, z * launch.cluster.z});
    visited += stride;
    if (visited >= clusters) visited -= clusters;
  }
  check_after_launch(launch);
}

void Scheduler::prepare(const Launch& launch) {
  const std::uint32_t blocks = launch.cluster.x * launch.cluster.y * launch.cluster.z;
  const dim3 shape = launch.block;
  const bool same = blocks == blocks_.size() && shape.x == prepared_block_.x &&
                    shape.y == prepared_block_.y && shape.z == prepared_block_.z;
  threads_per_block_ = shape.x * shape.y * shape.z;
  warps_per_block_ = (threads_per_block_ + 31) / 32;
  const std::uint32_t threads = threads_per_block_ * blocks;
  block_order_.prepare(threads_per_block_);
  cluster_order_.prepare(threads);
  gridDim = launch.grid;
  blockDim = launch.block;
  if (same) return;
  prepared_block_ = shape;
  blocks_.assign(blocks, {});
  threads_.assign(threads, {});
  warps_.assign(std::size_t{warps_per_block_} * blocks, {});
  runnable_.assign(threads, nullptr);
  for (std::uint32_t b = 0; b < blocks; ++b) {
    blocks_[b].rank = b;
    blocks_[b].threads = threads_.data() + std::size_t{b} * threads_per_block_;
    blocks_[b].warps = warps_.data() + std::size_t{b} * warps_per_block_;
    for (std::uint32_t t = 0; t < threads_per_block_; ++t) {
      Thread& thread = blocks_[b].threads[t];
      thread.block = &blocks_[b];
      thread.number = t;
      thread.index = {t % shape.x, t / shape.x % shape.y, t / shape.x / shape.y};
    }
  }
}

void Scheduler::run_cluster(dim3 first_block) {
  const Launch& launch = *launch_;
  for (Block& block : blocks_) {
    const std::uint32_t x = block.rank % launch.cluster.x,
                        y = block.rank / launch.cluster.x % launch.cluster.y;
    const std::uint32_t z = block.rank / launch.cluster.x / launch.cluster.y;
    block.index = {first_block.x + x, first_block.y + y, first_block.z + z};
    block.number = block.index.x + std::uint64_t{launch.grid.x} *
                                       (block.index.y + std::uint64_t{launch.grid.y} * block.index.z);
    block.shared = device_memory().shared_memory(block.rank, launch.shared_bytes);
    block.started = block.exited = block.arrived = block.votes = block.barriers = 0;
    for (std::uint32_t w = 0; w < warps_per_block_; ++w) {
      const std::uint32_t lanes = std::min(32u, threads_per_block_ - 32 * w);
      block.warps[w].exited = lanes == 32 ? 0 : ~0u << lanes;
      block.warps[w].meetings = 0;
    }
  }
  for (Thread& thread : threads_) {
    thread.state = State::kUnstarted;
    thread.arrivals = thread.waits = 0;
  }
  start_order_ = cluster_order_.next();
  prefer_start_ = settings().order == Order::kShuffled && next_choice() % 2 == 0;
  started_ = exited_ = cluster_arrived_ = cluster_phase_ = runnable_first_ = runnable_count_ = 0;
  must_start_ = false;
  error_.clear();
  switch_fiber(main_, pool_.take());
  current_ = nullptr;
  if (!error_.empty()) {
    pool_.abandon_all();
    device_memory().repair_guards();
    throw Error(error_);
  }
}

/// The memory of a block is poisoned when its first thread starts: what others wrote into it before is lost.
void Scheduler::start_block(Block& block) {
  device_memory().poison_shared(block.rank, launch_->shared_bytes);
}

void Scheduler::run_fiber(Fiber& own) {
  for (;;) scheduler().run_threads(own);
}

/// Starts threads until it is the turn of one that waited, then gives the fiber back and switches to that
/// one.
void Scheduler::run_threads(Fiber& own) {
  while (starts_next()) start_next(own);
  pool_.give(own);
  if (runnable_count_ > 0) {
    switch_fiber(own, *take_runnable().fiber);
  } else if (exited_ == threads_.size()) {
    switch_fiber(own, main_);
  } else {
    report_deadlock();
  }
}

bool Scheduler::starts_next() const {
  return started_ < threads_.size() && (runnable_count_ == 0 || prefer_start_ || must_start_);
}

void Scheduler::start_next(Fiber& own) {
  Thread& thread = threads_[start_order_[started_++]];
  must_start_ = false;
  thread.fiber = &own;
  thread.state = State::kRunnable;
  if (thread.block->started++ == 0) start_block(*thread.block);
  activate(thread);
  try {
    launch_->body();
  } catch (const std::exception& error) {
    error_ = describe(*launch_, thread) + ": the kernel threw: " + error.what();
  }
  if (!error_.empty()) leave();
  finish(thread);
}

void Scheduler::finish(Thread& thread) {
  thread.state = State::kExited;
  Block& block = *thread.block;
  ++exited_;
  if (race_hooks != nullptr) race_hooks->thread_exits(thread);
  if (++block.exited == threads_per_block_) finish_block(block);
  Warp& warp = block.warps[thread.number / 32];
  warp.exited |= 1u << thread.number % 32;
  for (std::uint32_t m = 0; m < warp.meetings;) {
    if (!release_if_met(block, thread.number / 32, m)) ++m;
  }
}

void Scheduler::finish_block(Block& block) {
  error_ = device_memory().check_shared(block.rank, launch_->shared_bytes);
  if (!error_.empty()) fail([&] { return "this or an earlier thread of the block made an " + error_; });
  // Other blocks of the cluster that still read its memory get poison.
  if (blocks_.size() > 1) device_memory().poison_shared(block.rank, launch_->shared_bytes);
}

void Scheduler::activate(Thread& thread) {
  current_ = &thread;
  threadIdx = thread.index;
  blockIdx = thread.block->index;
}

Thread& Scheduler::take_runnable() {
  Thread& thread = *runnable_[runnable_first_];
  if (++runnable_first_ == runnable_.size()) runnable_first_ = 0;
  --runnable_count_;
  return thread;
}

void Scheduler::make_runnable(Thread& thread) {
  thread.state = State::kRunnable;
  std::uint32_t at = runnable_first_ + runnable_count_++;
  if (at >= runnable_.size()) at -= static_cast<std::uint32_t>(runnable_.size());
  runnable_[at] = &thread;
}

/// Runs others until somebody made the current thread runnable and its turn has come.
void Scheduler::wait() {
  Thread& own = *current_;
  if (starts_next()) {
    switch_fiber(*own.fiber, pool_.take());
  } else if (runnable_count_ > 0) {
    Thread& next = take_runnable();
    if (&next == &own) return;
    switch_fiber(*own.fiber, *next.fiber);
  } else {
    report_deadlock();
  }
  activate(own);
}

void Scheduler::yield() {
  if (++atomics_ % kAtomicsPerYield != 0) return;
  Thread& own = *current_;
  make_runnable(own);
  must_start_ = true;  // or this very thread might be chosen for ever while others have not started
  wait();
}

void Scheduler::leave() {
  switch_fiber(*current_->fiber, main_);
  __builtin_unreachable();
}

}  // namespace simt
