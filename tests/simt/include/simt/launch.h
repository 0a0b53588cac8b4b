/// \file
/// A kernel launch as the emulator takes it; product code uses <device/launch.h>.
#pragma once

#include <driver_types.h>
#include <vector_types.h>

#include <cstddef>
#include <functional>
#include <string>

namespace simt {

/// `body` runs the kernel for the thread that threadIdx and blockIdx name, and holds copies of the arguments.
struct Launch {
  std::string name;
  dim3 grid, block, cluster;
  std::size_t shared_bytes = 0;
  std::function<void()> body;
};

/// Queues the launch, or adds it to the graph that is being captured.
/// \throws Error if no device could run it
[[nodiscard]] cudaError_t launch(Launch launch, cudaStream_t stream);

}  // namespace simt
