/// \file
/// Threads of the CPU backend: a pool that runs one function on every thread, and a barrier for those inside.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace ensyn::cpu {

/// Meeting point of a fixed number of threads. Spins briefly, since steps are short, then lets other
/// threads run, then sleeps, so that more threads than processors, as of populations side by side, still make
/// progress.
class Barrier {
 public:
  explicit Barrier(int threads) noexcept : threads_(threads) {}
  void wait() noexcept;

 private:
  int threads_;
  std::atomic<int> arrived_{0};
  std::atomic<std::uint32_t> round_{0};
};

/// A pool of `size` threads, the caller among them.
class ThreadPool {
 public:
  /// \throws OutOfMemoryError when the system gives no more threads.
  explicit ThreadPool(int size);
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;
  ~ThreadPool();

  [[nodiscard]] int size() const noexcept { return static_cast<int>(workers_.size()) + 1; }

  /// Runs body(rank) for every rank in [0, size) at the same time; rank 0 is the caller. Rethrows the
  /// exception of the lowest rank that threw. A body that meets others at a barrier must not throw before it.
  void run(const std::function<void(int rank)>& body);

  /// Runs body(index, rank) for every index in [0, count), each once, handed out in order to whichever thread
  /// is free.
  void for_each(std::int64_t count, const std::function<void(std::int64_t index, int rank)>& body);

 private:
  void work(int rank);
  void run_guarded(int rank) noexcept;

  std::mutex mutex_;
  std::condition_variable start_, done_;
  const std::function<void(int)>* body_ = nullptr;
  std::uint64_t generation_ = 0;
  int running_ = 0;
  bool stop_ = false;
  std::vector<std::exception_ptr> errors_;
  std::vector<std::thread> workers_;
};

/// Processors that this process may run on, at least 1.
[[nodiscard]] int available_processors() noexcept;

}  // namespace ensyn::cpu
