// Streams' work: queued by calls, run when something waits for it.

#include "runtime.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <utility>

#include "device_memory.h"
#include "order.h"
#include "simt/host.h"

namespace simt {
namespace {

/// While alive, device memory may be accessed.
class DeviceWork {
 public:
  DeviceWork() {
    if (depth_++ == 0) device_memory().set_device_access(true);
  }
  DeviceWork(const DeviceWork&) = delete;
  DeviceWork& operator=(const DeviceWork&) = delete;
  ~DeviceWork() {
    if (--depth_ == 0) device_memory().set_device_access(false);
  }

 private:
  static inline int depth_ = 0;
};

void exit_with_pending_error() {
  if (runtime().pending.empty()) return;
  std::fprintf(stderr, "simt: %s\n", runtime().pending.c_str());
  std::fflush(nullptr);
  std::_Exit(1);
}

void throw_pending(Runtime& all) {
  if (all.pending.empty() || std::uncaught_exceptions() > 0) return;
  throw Error(std::exchange(all.pending, {}));
}

}  // namespace

Runtime& runtime() {
  static auto* one = [] {
    install_fault_handler();
    std::atexit(exit_with_pending_error);
    return new Runtime;  // never destroyed: static objects may hold streams
  }();
  return *one;
}

cudaError_t call(const std::function<cudaError_t(Runtime&)>& body, Throws throws) {
  Runtime& all = runtime();
  const std::lock_guard lock(all.mutex);
  if (throws == Throws::kYes) throw_pending(all);
  cudaError_t status = all.sticky_error;
  if (settings().old_driver) status = cudaErrorInsufficientDriver;
  if (status == cudaSuccess && settings().devices.empty()) status = cudaErrorNoDevice;
  if (status == cudaSuccess) {
    try {
      status = body(all);
      if (all.sticky_error != cudaSuccess) status = all.sticky_error;
    } catch (const Error& error) {
      all.drop_queues();
      if (all.pending.empty()) all.pending = error.what();
      status = cudaErrorUnknown;
    }
  }
  if (throws == Throws::kYes) throw_pending(all);
  if (status != cudaSuccess && status != cudaErrorNotReady) all.last_error = status;
  return status;
}

bool comes_due(int& countdown) {
  return countdown > 0 && --countdown == 0;
}

int& current_device() {
  thread_local int device = 0;
  return device;
}

std::shared_ptr<CUstream_st> Runtime::find(cudaStream_t stream) const {
  if (stream == nullptr || stream == cudaStreamLegacy || stream == cudaStreamPerThread) return default_stream;
  for (const auto& known : streams) {
    if (known.get() == stream && !known->destroyed) return known;
  }
  return nullptr;
}

cudaError_t Runtime::enqueue(cudaStream_t handle, std::function<void()> work, cudaGraphNodeType type) {
  const auto stream = find(handle);
  if (stream == nullptr) return cudaErrorInvalidResourceHandle;
  if (stream->capture != nullptr) {
    if (stream->capture->invalid) return cudaErrorStreamCaptureInvalidated;
    auto& nodes = stream->capture->graph->nodes;
    nodes.push_back(
        std::make_unique<CUgraphNode_st>(CUgraphNode_st{type, std::move(work), stream->last_nodes}));
    stream->last_nodes = {nodes.size() - 1};
    return cudaSuccess;
  }
  if (stream == default_stream) {
    // The default stream waits for all blocking streams, which a capture does not allow.
    for (const auto& other : streams) {
      if (other->capture == nullptr || (other->flags & cudaStreamNonBlocking) != 0) continue;
      invalidate(*other->capture);
      return cudaErrorStreamCaptureImplicit;
    }
  }
  stream->queue.push_back({std::move(work), nullptr, ++operations});
  return cudaSuccess;
}

/// Whatever its order demands runs before: other streams' work before a wait, and between the default stream
/// and those that were not made non-blocking, all that was queued earlier.
void Runtime::run_front(CUstream_st& stream) {
  const std::uint64_t number = stream.queue.front().number;
  const auto run_earlier = [&](CUstream_st& other) {
    while (!other.queue.empty() && other.queue.front().number < number) run_front(other);
  };
  if (&stream != default_stream.get()) {
    if ((stream.flags & cudaStreamNonBlocking) == 0) run_earlier(*default_stream);
  } else {
    for (const auto& other : std::vector(streams)) {
      if ((other->flags & cudaStreamNonBlocking) == 0) run_earlier(*other);
    }
  }
  if (const auto after = stream.queue.front().after) run_until(*after);
  if (stream.queue.empty()) return;  // a kernel failed
  const Operation operation = std::move(stream.queue.front());
  stream.queue.pop_front();
  if (operation.work) operation.work();
}

void Runtime::run_stream(CUstream_st& stream) {
  const DeviceWork work;
  while (!stream.queue.empty()) run_front(stream);
}

void Runtime::run_until(const Record& record) {
  const DeviceWork work;
  while (!record.done && !record.stream->queue.empty()) run_front(*record.stream);
}

bool Runtime::run_one(CUstream_st& stream) {
  const DeviceWork work;
  if (!stream.queue.empty()) run_front(stream);
  return stream.queue.empty();
}

/// Streams in the order of the settings: what should have been ordered by events shows.
void Runtime::run_all() {
  auto all = streams;
  all.push_back(default_stream);
  if (settings().order == Order::kReverse) std::reverse(all.begin(), all.end());
  if (settings().order == Order::kShuffled) {
    for (std::size_t i = all.size(); i > 1; --i) std::swap(all[i - 1], all[next_choice() % i]);
  }
  for (const auto& stream : all) run_stream(*stream);
  std::erase_if(streams, [](const auto& stream) { return stream->destroyed; });
}

void Runtime::drop_queues() {
  default_stream->queue.clear();
  for (const auto& stream : streams) stream->queue.clear();
}

cudaError_t Runtime::refuse_in_capture() {
  cudaError_t status = cudaSuccess;
  for (const auto& capture : captures) {
    const bool own = capture->thread == std::this_thread::get_id();
    const bool forbids = capture->mode == cudaStreamCaptureModeGlobal ||
                         (capture->mode == cudaStreamCaptureModeThreadLocal && own);
    if (!forbids) continue;
    invalidate(*capture);
    status = cudaErrorStreamCaptureUnsupported;
  }
  return status;
}

void Runtime::invalidate(Capture& capture) {
  capture.invalid = true;
}

cudaError_t enqueue(cudaStream_t stream, std::function<void()> work) {
  return call([&](Runtime& all) { return all.enqueue(stream, std::move(work), cudaGraphNodeTypeHost); });
}

}  // namespace simt
