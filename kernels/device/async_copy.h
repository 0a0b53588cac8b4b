/// \file
/// Copies from device to shared memory that go on while the thread computes. The tests' emulation
/// (tests/simt) has a header of the same name, which copies as late as the device may.
#pragma once

#include <cuda_pipeline_primitives.h>

namespace ensyn::kernels {

/// A thread's copies, in groups of which the last kAhead may be under way.
template <int kAhead>
class AsyncCopies {
 public:
  /// Of 16 bytes, both addresses at multiples of 16.
  __device__ void copy16(void* shared, const void* global) { __pipeline_memcpy_async(shared, global, 16); }
  /// Ends a group, which may be empty.
  __device__ void end_group() { __pipeline_commit(); }
  /// Waits for all groups but the last kAhead; the thread, and it alone, may then read what they brought.
  __device__ void wait() { __pipeline_wait_prior(kAhead); }
};

}  // namespace ensyn::kernels
