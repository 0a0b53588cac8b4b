/// \file
/// A point of a CUDA stream that has a time.
#pragma once

#include <utility>

#include "host/cuda/runtime.h"

namespace bench {

class Event {
 public:
  Event() { ensyn::cuda::check(cudaEventCreate(&event_), "cudaEventCreate"); }
  Event(Event&& other) noexcept : event_(std::exchange(other.event_, nullptr)) {}
  Event& operator=(Event&&) = delete;
  ~Event() {
    if (event_ != nullptr) ensyn::cuda::ignore(cudaEventDestroy(event_));
  }
  void record(const ensyn::cuda::Stream& stream) const {
    ensyn::cuda::check(cudaEventRecord(event_, stream.get()), "cudaEventRecord");
  }
  /// Microseconds from `start` to this event, both of which have come to pass.
  [[nodiscard]] double since(const Event& start) const {
    float milliseconds = 0;
    ensyn::cuda::check(cudaEventElapsedTime(&milliseconds, start.event_, event_), "cudaEventElapsedTime");
    return 1e3 * static_cast<double>(milliseconds);
  }

 private:
  cudaEvent_t event_ = nullptr;
};

}  // namespace bench
