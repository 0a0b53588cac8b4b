#include "host/cpu/team.h"

#include <sched.h>

#include <algorithm>
#include <system_error>

#include "ensyn/error.h"

namespace ensyn::cpu {
namespace {

// About 2 microseconds, which most waits within a step are shorter than.
constexpr int kSpins = 400;
// Then a few tens of microseconds, in which the processor is given to whoever else could use it, such as the
// thread that is waited for, or another population of this process. It comes back at once where nobody could.
constexpr int kYields = 100;

inline void relax() noexcept {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

}  // namespace

void Barrier::wait() noexcept {
  if (threads_ == 1) return;
  const std::uint32_t round = round_.load(std::memory_order_relaxed);
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == threads_) {
    arrived_.store(0, std::memory_order_relaxed);
    round_.store(round + 1, std::memory_order_release);
    round_.notify_all();
    return;
  }
  for (int i = 0; i < kSpins; ++i) {
    if (round_.load(std::memory_order_acquire) != round) return;
    relax();
  }
  for (int i = 0; i < kYields; ++i) {
    if (round_.load(std::memory_order_acquire) != round) return;
    std::this_thread::yield();
  }
  round_.wait(round, std::memory_order_acquire);
}

ThreadPool::ThreadPool(int size) {
  errors_.resize(static_cast<std::size_t>(std::max(size, 1)));
  try {
    for (int rank = 1; rank < size; ++rank) workers_.emplace_back([this, rank] { work(rank); });
  } catch (const std::system_error& e) {
    const auto started = workers_.size() + 1;
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
    }
    start_.notify_all();
    for (auto& worker : workers_) worker.join();
    throw OutOfMemoryError("the system started only " + std::to_string(started) + " of " +
                           std::to_string(size) + " threads (" + e.what() + "): ask for fewer");
  }
}

ThreadPool::~ThreadPool() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  start_.notify_all();
  for (auto& worker : workers_) worker.join();
}

void ThreadPool::run_guarded(int rank) noexcept {
  try {
    (*body_)(rank);
  } catch (...) {
    errors_[static_cast<std::size_t>(rank)] = std::current_exception();
  }
}

void ThreadPool::run(const std::function<void(int)>& body) {
  std::fill(errors_.begin(), errors_.end(), nullptr);
  {
    const std::lock_guard lock(mutex_);
    body_ = &body;
    running_ = size() - 1;
    ++generation_;
  }
  start_.notify_all();
  run_guarded(0);
  {
    std::unique_lock lock(mutex_);
    done_.wait(lock, [this] { return running_ == 0; });
    body_ = nullptr;
  }
  for (const auto& error : errors_) {
    if (error) std::rethrow_exception(error);
  }
}

void ThreadPool::for_each(std::int64_t count, const std::function<void(std::int64_t, int)>& body) {
  std::atomic<std::int64_t> next{0};
  run([&](int rank) {
    for (std::int64_t i = next.fetch_add(1); i < count; i = next.fetch_add(1)) body(i, rank);
  });
}

void ThreadPool::work(int rank) {
  std::uint64_t seen = 0;
  while (true) {
    {
      std::unique_lock lock(mutex_);
      start_.wait(lock, [&] { return stop_ || generation_ != seen; });
      if (stop_) return;
      seen = generation_;
    }
    run_guarded(rank);
    {
      const std::lock_guard lock(mutex_);
      if (--running_ == 0) done_.notify_one();
    }
  }
}

int available_processors() noexcept {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) == 0) return std::max(1, CPU_COUNT(&set));
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

}  // namespace ensyn::cpu
