/// \file
/// State of the emulated CUDA runtime: streams as queues of work that runs when something waits for it,
/// events, graphs.
#pragma once

#include <cuda_runtime_api.h>

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "simt/settings.h"

namespace simt {

/// One execution of cudaEventRecord.
struct Record {
  std::shared_ptr<CUstream_st> stream;
  bool done = false;
  std::chrono::steady_clock::time_point time;
};

struct Operation {
  std::function<void()> work;
  std::shared_ptr<Record> after;  // must be done first
  std::uint64_t number = 0;       // over all streams, which the default stream's order goes by
};

/// A capture in progress, shared by the streams that take part.
struct Capture {
  cudaGraph_t graph = nullptr;
  cudaStream_t origin = nullptr;
  cudaStreamCaptureMode mode{};
  std::thread::id thread;
  bool invalid = false;
};

}  // namespace simt

// The types that CUDA's headers only name.
struct CUgraphNode_st {
  cudaGraphNodeType type{};
  std::function<void()> work;
  std::vector<std::size_t> after;  // numbers of nodes of the same graph
};
struct CUgraph_st {
  std::vector<std::unique_ptr<CUgraphNode_st>> nodes;
};
struct CUgraphExec_st {
  std::shared_ptr<const std::vector<CUgraphNode_st>> nodes;
};
struct CUstream_st {
  unsigned flags = 0;
  bool destroyed = false;  // what is queued still runs when something waits for the device
  std::deque<simt::Operation> queue;
  std::shared_ptr<simt::Capture> capture;
  std::vector<std::size_t> last_nodes;  // of the capture, which the next node comes after
};
struct CUevent_st {
  unsigned flags = 0;
  std::shared_ptr<simt::Record> record;
  std::shared_ptr<simt::Capture> capture;
  std::vector<std::size_t> nodes;
};

namespace simt {

class Runtime {
 public:
  std::recursive_mutex mutex;
  std::shared_ptr<CUstream_st> default_stream = std::make_shared<CUstream_st>();
  std::vector<std::shared_ptr<CUstream_st>> streams;  // all but the default stream
  std::set<cudaEvent_t> events;
  std::set<cudaGraph_t> graphs;
  std::set<cudaGraphExec_t> executables;
  std::set<std::shared_ptr<Capture>> captures;
  cudaError_t last_error = cudaSuccess;
  cudaError_t sticky_error = cudaSuccess;  // of a kernel that failed: every call returns it
  std::string pending;                     // text of an Error that could not be thrown yet
  std::uint64_t operations = 0, launches = 0, executions = 0;

  /// Null if the handle is of no live stream.
  [[nodiscard]] std::shared_ptr<CUstream_st> find(cudaStream_t stream) const;

  /// Queues work or captures it.
  [[nodiscard]] cudaError_t enqueue(cudaStream_t stream, std::function<void()> work, cudaGraphNodeType type);
  /// \throws Error, after which nothing is queued any more
  void run_stream(CUstream_st& stream);
  void run_until(const Record& record);
  void run_all();
  /// One operation, so that polling comes to an end. True if nothing is left.
  [[nodiscard]] bool run_one(CUstream_st& stream);
  void drop_queues();

  /// For calls that no capture of this thread allows: invalidates it.
  [[nodiscard]] cudaError_t refuse_in_capture();
  void invalidate(Capture& capture);

 private:
  void run_front(CUstream_st& stream);
};

[[nodiscard]] Runtime& runtime();

enum class Throws { kYes, kNo };

/// Frame of every call: one at a time, without a device or after a failure nothing works, errors are
/// remembered. Calls that destructors make keep an Error for the next call that may throw.
[[nodiscard]] cudaError_t call(const std::function<cudaError_t(Runtime&)>& body,
                               Throws throws = Throws::kYes);

/// Counts down to an injected fault: true once, when `countdown` reaches 0.
[[nodiscard]] bool comes_due(int& countdown);

/// Device of the calling thread.
[[nodiscard]] int& current_device();

/// Turns invalid accesses of kernels into Errors.
void install_fault_handler();

}  // namespace simt
