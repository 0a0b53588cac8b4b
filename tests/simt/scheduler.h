/// \file
/// Runs the threads of one cluster of blocks (or of one block) as fibers, and knows who waits for whom.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "fiber.h"
#include "order.h"
#include "simt/launch.h"
#include "simt/synchronize.h"

namespace simt {

using device::Where;

enum class State : std::uint8_t {
  kUnstarted,
  kRunnable,
  kAtBlockBarrier,
  kAtWarpFunction,
  kAtCluster,
  kExited
};

struct Block;

struct Thread {
  Block* block = nullptr;
  Fiber* fiber = nullptr;
  uint3 index{};
  std::uint32_t number = 0;  // within the block
  State state = State::kUnstarted;
  Where where;  // of the last wait
  // Warp functions: what this lane gives, whose value it wants, what it gets.
  std::uint64_t value = 0, result = 0;
  int source = 0;
  // Cluster barriers passed: a thread has arrived at one more, or as many.
  std::uint32_t arrivals = 0, waits = 0;
};

/// Lanes of a warp that meet at a warp function with one mask.
struct Meeting {
  std::uint32_t mask = 0, arrived = 0;
  device::WarpOperation operation{};
};

struct Warp {
  std::uint32_t exited = 0;  // lanes; those beyond the block count as exited
  std::uint32_t meetings = 0;
  std::array<Meeting, 32> meeting;
};

struct Block {
  uint3 index{};
  std::uint64_t number = 0;  // within the grid
  std::uint32_t rank = 0;    // within the cluster
  Thread* threads = nullptr;
  Warp* warps = nullptr;
  std::byte* shared = nullptr;
  std::uint32_t started = 0, exited = 0;
  std::uint32_t arrived = 0, votes = 0, result = 0;  // of the barrier that is being met
  Where barrier_place;                               // of the first to arrive
  std::uint32_t barriers = 0;                        // passed
};

/// Where a fault was found, for the text of an Error.
[[nodiscard]] std::string describe(const Launch& launch, const Thread& thread);

class Scheduler {
 public:
  Scheduler();
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  /// Runs the whole grid. \throws Error
  void run(const Launch& launch);

  // What the functions of simt/synchronize.h do for the thread that runs.
  int block_barrier(device::Vote vote, bool predicate, const Where& where);
  std::uint64_t warp_meet(device::WarpOperation operation, std::uint32_t mask, std::uint64_t value,
                          int source, const Where& where);
  void cluster_arrive(const Where& where);
  void cluster_wait(const Where& where);
  void cluster_sync(const Where& where);
  /// Lets others run first.
  void yield();

  [[nodiscard]] bool running() const { return current_ != nullptr; }
  [[nodiscard]] Thread& current() { return *current_; }
  [[nodiscard]] const Launch& launch() const { return *launch_; }
  [[nodiscard]] Block& block_of_rank(unsigned rank) { return blocks_[rank]; }
  [[nodiscard]] const std::vector<Block>& blocks() const { return blocks_; }
  [[nodiscard]] const FiberPool& pool() const { return pool_; }
  [[nodiscard]] std::uint64_t launch_number() const { return launch_number_; }
  [[nodiscard]] Warp& warp_of(const Thread& thread) { return thread.block->warps[thread.number / 32]; }

  /// Ends the launch with an error that begins with where the running thread is; `text` returns the rest.
  /// What the abandoned fibers have on their stacks is never destroyed, hence no strings in arguments.
  template <class Text>
  [[noreturn]] void fail(const Text& text) {
    error_ = describe(*launch_, *current_) + ": " + text();
    leave();
  }

 private:
  static void run_fiber(Fiber& own);
  void run_threads(Fiber& own);
  void prepare(const Launch& launch);
  void run_cluster(dim3 first_block);
  void start_block(Block& block);
  void start_next(Fiber& own);
  void finish(Thread& thread);
  void finish_block(Block& block);
  void wait();
  void activate(Thread& thread);
  [[nodiscard]] bool starts_next() const;
  [[nodiscard]] Thread& take_runnable();
  void make_runnable(Thread& thread);
  void release_block(Block& block);
  void release_cluster();
  bool release_if_met(Block& block, std::uint32_t warp, std::uint32_t meeting);
  [[noreturn]] void report_deadlock();
  [[nodiscard]] std::string text_of_deadlock() const;
  [[noreturn]] void leave();
  void check_after_launch(const Launch& launch);

  FiberPool pool_;
  Fiber main_;
  const Launch* launch_ = nullptr;
  std::uint64_t launch_number_ = 0;
  Thread* current_ = nullptr;
  std::vector<Block> blocks_;
  std::vector<Thread> threads_;
  std::vector<Warp> warps_;
  dim3 prepared_block_{0, 0, 0};
  std::uint32_t threads_per_block_ = 0, warps_per_block_ = 0;
  Permutations block_order_, cluster_order_;
  const std::uint32_t* start_order_ = nullptr;
  std::uint32_t started_ = 0, exited_ = 0, cluster_arrived_ = 0, cluster_phase_ = 0;
  bool prefer_start_ = false, must_start_ = false;
  // Runnable threads, first come first served: a ring of as many places as threads.
  std::vector<Thread*> runnable_;
  std::uint32_t runnable_first_ = 0, runnable_count_ = 0;
  std::uint64_t atomics_ = 0;
  std::string error_;
};

[[nodiscard]] Scheduler& scheduler();

}  // namespace simt
