/// \file
/// Owners of the CUDA runtime's streams, events and graphs, and what a device can do.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include "kernels/base/check.h"

namespace ensyn::cuda {

/// Whether the build has code for devices of this compute capability: from 7.5 on.
[[nodiscard]] constexpr bool is_supported(int major, int minor) {
  return major > 7 || (major == 7 && minor >= 5);
}

/// A device that this build can use.
struct DeviceInfo {
  int index = 0;
  std::string name;
  int major = 0, minor = 0;  ///< compute capability
  int multiprocessors = 0;
  std::size_t memory = 0;        ///< bytes
  std::size_t shared_bytes = 0;  ///< shared memory that a block may ask for
};

/// Usable devices, or why there are none.
struct DeviceList {
  std::vector<DeviceInfo> usable;
  std::string problem;  ///< of the whole machine or of single devices, for people; empty when there is none
};

/// Asks the runtime; never throws for what it finds.
[[nodiscard]] DeviceList list_devices();

/// The device of that index. \throws DeviceError that says what is wrong (no driver, a driver older than the
/// runtime, an index that is not there, an architecture that this build has no code for) and what to do
[[nodiscard]] DeviceInfo find_device(int index);

/// One line for people, for example `cuda 0: NVIDIA H200, sm_90, 132 multiprocessors, 143771 MiB`.
[[nodiscard]] std::string describe(const DeviceInfo& device);

namespace release {
struct StreamDeleter {
  void operator()(cudaStream_t stream) const noexcept { ignore(cudaStreamDestroy(stream)); }
};
struct EventDeleter {
  void operator()(cudaEvent_t event) const noexcept { ignore(cudaEventDestroy(event)); }
};
struct GraphDeleter {
  void operator()(cudaGraph_t graph) const noexcept { ignore(cudaGraphDestroy(graph)); }
};
struct GraphExecDeleter {
  void operator()(cudaGraphExec_t graph) const noexcept { ignore(cudaGraphExecDestroy(graph)); }
};
}  // namespace release

/// A stream of its own, which does not wait for the default stream.
class Stream {
 public:
  Stream();
  [[nodiscard]] cudaStream_t get() const noexcept { return stream_.get(); }
  /// \throws DeviceError when anything queued failed
  void wait() const;

 private:
  std::unique_ptr<std::remove_pointer_t<cudaStream_t>, release::StreamDeleter> stream_;
};

/// A point of a stream that the host can wait for.
class Event {
 public:
  Event();
  void record(const Stream& stream) const;
  /// \throws DeviceError when anything queued before it failed
  void wait() const;

 private:
  std::unique_ptr<std::remove_pointer_t<cudaEvent_t>, release::EventDeleter> event_;
};

/// Work recorded once and launched many times.
class Graph {
 public:
  Graph() = default;
  /// Records what `body` queues on `stream`. A body that throws leaves the stream usable.
  Graph(const Stream& stream, const std::function<void()>& body);
  void launch(const Stream& stream) const;
  [[nodiscard]] explicit operator bool() const noexcept { return graph_ != nullptr; }

 private:
  std::unique_ptr<std::remove_pointer_t<cudaGraphExec_t>, release::GraphExecDeleter> graph_;
};

/// Makes a device current for the calling thread, and the former one again at the end.
class CurrentDevice {
 public:
  explicit CurrentDevice(int index);
  CurrentDevice(const CurrentDevice&) = delete;
  CurrentDevice& operator=(const CurrentDevice&) = delete;
  ~CurrentDevice();

 private:
  int former_ = 0;
};

}  // namespace ensyn::cuda
