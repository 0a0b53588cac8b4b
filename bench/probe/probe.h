/// \file
/// The families of measurements and what they share: the device, launches and times. Plain C++ and CUDA both
/// include it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "host/cuda/memory.h"
#include "host/cuda/runtime.h"
#include "report.h"

namespace probe {

/// The device that is measured. Everything is queued on its one stream.
struct Target {
  ensyn::cuda::DeviceInfo device;
  std::size_t shared_bytes = 0;  ///< the most dynamic shared memory of a block
  ensyn::cuda::Stream stream;

  /// Whether the compute capability is at least that, for example 9, 0.
  [[nodiscard]] bool has(int major, int minor) const {
    return device.major > major || (device.major == major && device.minor >= minor);
  }
  [[nodiscard]] unsigned multiprocessors() const { return static_cast<unsigned>(device.multiprocessors); }
};

struct Shape {
  unsigned blocks = 1, threads = 1;
  std::size_t shared_bytes = 0;
  unsigned cluster = 1;  ///< blocks of a cluster
  bool cooperative = false;
};

/// Measured by one block of threads between its first and its last clock reading.
struct Span {
  long long ticks = 0;                 ///< of the multiprocessor's clock
  unsigned long long nanoseconds = 0;  ///< of the device's timer, whose steps may be as long as 1 us
};

/// The launch of `shape` without a kernel. `attributes` must have room for two and outlive the result.
[[nodiscard]] cudaLaunchConfig_t configuration(const Shape& shape, cudaLaunchAttribute* attributes,
                                               cudaStream_t stream);

/// Lets `kernel` have the shared memory and the cluster of `shape`, which are beyond what every launch may.
void allow(const void* kernel, const Shape& shape);

/// Launches `kernel`; `name` is what errors show. \throws DeviceError
template <class... Parameters, class... Arguments>
void launch(const ensyn::cuda::Stream& stream, const char* name, void (*kernel)(Parameters...),
            const Shape& shape, const Arguments&... arguments) {
  allow(reinterpret_cast<const void*>(kernel), shape);
  cudaLaunchAttribute attributes[2];
  const cudaLaunchConfig_t config = configuration(shape, attributes, stream.get());
  ensyn::cuda::check(cudaLaunchKernelEx(&config, kernel, static_cast<Parameters>(arguments)...), name);
}

/// How many clusters of `shape` the device runs side by side, as the runtime computes it; 0 where it cannot
/// run any.
[[nodiscard]] int active_clusters(const Target& target, const void* kernel, const Shape& shape);

/// What `buffer` holds, once the stream has come so far.
template <class T>
[[nodiscard]] std::vector<T> values(const ensyn::cuda::DeviceBuffer<T>& buffer,
                                    const ensyn::cuda::Stream& stream) {
  std::vector<T> host(buffer.size());
  ensyn::cuda::copy_from_device(std::span<T>(host), buffer.data(), stream.get());
  stream.wait();
  return host;
}

template <class T>
[[nodiscard]] T median(std::vector<T> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2),
                   values.end());
  return values[values.size() / 2];
}

/// The median ticks of spans that blocks measured side by side.
[[nodiscard]] double median_ticks(const std::vector<Span>& spans);

/// Seconds of what `body` queues, the median of `samples` after one that is not counted.
[[nodiscard]] double seconds(const Target& target, int samples, const std::function<void()>& body);

// The families, in the order in which they run.
void measure_clusters(const Target& target, Report& report);
void measure_barriers(const Target& target, Report& report);
void measure_exchange(const Target& target, Report& report);
void measure_graph(const Target& target, Report& report);
void measure_rates(const Target& target, Report& report);
void measure_tensor(const Target& target, Report& report);
void measure_streams(const Target& target, Report& report);
void measure_memory(const Target& target, Report& report);
void measure_normals(const Target& target, Report& report);
void measure_curand(const Target& target, Report& report);
void measure_radius(const Target& target, Report& report);
void measure_clock(const Target& target, Report& report);

}  // namespace probe
