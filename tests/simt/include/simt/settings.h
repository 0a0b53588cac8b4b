/// \file
/// Knobs and counters of the emulation, for tests: order of threads, devices that exist, faults to inject,
/// leaks.
#pragma once

#include <driver_types.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "simt/error.h"

namespace simt {

/// In which order runnable threads of a block, blocks of a grid and independent streams go on.
enum class Order { kForward, kReverse, kShuffled };

/// One emulated device.
struct Device {
  int major = 9, minor = 0;  ///< compute capability
  int multiprocessors = 132;
  std::size_t memory_bytes = std::size_t{80}
                             << 30;  ///< allocations beyond it fail; little of it is ever touched
};

struct Settings {
  Order order = Order::kShuffled;  ///< environment: SIMT_ORDER=forward, reverse or shuffled
  std::uint64_t seed = 1;          ///< of the shuffled order; environment: SIMT_SEED
  std::vector<Device> devices = std::vector<Device>(1);  ///< none: cudaErrorNoDevice
  bool old_driver = false;                               ///< cudaErrorInsufficientDriver from every call
  int fail_allocation = 0;  ///< the n-th allocation of device or pinned memory from now fails; 0: none
  int fail_launch = 0;      ///< the n-th launch from now is refused; 0: none
  int fail_execution = 0;   ///< the n-th kernel executed from now fails, found at synchronisation; 0: none
};

/// May be changed at any time between launches.
[[nodiscard]] Settings& settings();

/// Back to the state of a new process: settings from the environment, no queued work, no errors, counters at
/// zero. Allocations, streams, events and graphs live on.
void reset();

/// Throws the errors that were found where nothing can be thrown: in cudaFree and the Destroy functions,
/// which destructors call. Other runtime calls throw them too; a process that ends with one left exits with
/// status 1. \throws Error
void check();

[[nodiscard]] std::size_t live_allocations();  ///< of device and pinned memory
[[nodiscard]] std::size_t allocated_bytes();   ///< of device and pinned memory
[[nodiscard]] std::size_t live_streams();
[[nodiscard]] std::size_t live_events();
[[nodiscard]] std::size_t live_graphs();        ///< graphs and executable graphs
[[nodiscard]] std::size_t queued_operations();  ///< not yet executed, over all streams
[[nodiscard]] std::uint64_t launch_count();     ///< kernels launched or captured since reset
[[nodiscard]] std::uint64_t execution_count();  ///< kernels executed since reset
[[nodiscard]] bool race_detector();             ///< whether this program was linked with it

}  // namespace simt
