// Texts of errors: where a thread is, and who waits for whom when nobody can go on.

#include <algorithm>
#include <vector>

#include "device_memory.h"
#include "scheduler.h"

namespace simt {
namespace {

template <class Triple>
std::string text(const Triple& of) {
  return "(" + std::to_string(of.x) + ", " + std::to_string(of.y) + ", " + std::to_string(of.z) + ")";
}

/// Threads of one block that wait at one place.
struct Crowd {
  const Thread* first;
  std::size_t count;
};

const char* name_of(State state) {
  switch (state) {
    case State::kUnstarted:
      return "have not started";
    case State::kRunnable:
      return "run";
    case State::kAtBlockBarrier:
      return "wait at __syncthreads";
    case State::kAtWarpFunction:
      return "wait at a warp function";
    case State::kAtCluster:
      return "wait at the cluster's barrier";
    case State::kExited:
      return "have exited";
  }
  return "";
}

bool together(const Thread& a, const Thread& b) {
  return a.block == b.block && a.state == b.state &&
         (a.state == State::kExited ||
          (a.where.line() == b.where.line() && a.where.file_name() == b.where.file_name()));
}

}  // namespace

std::string to_string(const device::Where& where) {
  return std::string(where.file_name()) + ":" + std::to_string(where.line());
}

std::string describe(const Launch& launch, const Thread& thread) {
  return "kernel " + launch.name + ", block " + text(thread.block->index) + ", thread " + text(thread.index);
}

/// All threads have started and none can run: each one that waits does so for others that exited or wait
/// elsewhere.
void Scheduler::report_deadlock() {
  error_ = text_of_deadlock();
  leave();
}

std::string Scheduler::text_of_deadlock() const {
  std::vector<Crowd> crowds;
  for (const Thread& thread : threads_) {
    const auto same = [&](const Crowd& crowd) { return together(*crowd.first, thread); };
    const auto found = std::find_if(crowds.begin(), crowds.end(), same);
    if (found != crowds.end()) {
      ++found->count;
    } else {
      crowds.push_back({&thread, 1});
    }
  }
  std::string report = "kernel " + launch_->name + ": divergent barrier:";
  for (const Crowd& crowd : crowds) {
    report += " " + std::to_string(crowd.count) + " threads of block " + text(crowd.first->block->index) +
              " " + name_of(crowd.first->state);
    if (crowd.first->state != State::kExited) report += " of " + to_string(crowd.first->where);
    report += " (the first is thread " + text(crowd.first->index) + ");";
  }
  report.pop_back();
  return report;
}

void Scheduler::check_after_launch(const Launch& launch) {
  const std::string fault = device_memory().check_guards();
  if (!fault.empty()) throw Error("kernel " + launch.name + ": " + fault);
}

}  // namespace simt
