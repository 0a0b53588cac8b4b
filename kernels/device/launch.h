/// \file
/// The one way in which kernels are launched. The tests' emulation (tests/simt) has a header of the same name
/// that runs the kernel on the CPU, which is why kernel sources include this one in angle brackets.
#pragma once

#include <cuda_runtime.h>
#include <nvtx3/nvToolsExt.h>

#include "kernels/base/check.h"
#include "kernels/base/launch_shape.h"

namespace ensyn::kernels {

/// What every kernel may have on every device.
inline constexpr std::size_t kSharedBytesWithoutAsking = 48 << 10;
inline constexpr unsigned kPortableClusterBlocks = 8;

/// Asks for what a launch of this shape may not have unasked.
template <class Kernel>
void ask_for(const char* name, Kernel kernel, const LaunchShape& shape) {
  if (shape.shared_bytes > kSharedBytesWithoutAsking) {
    cuda::check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                     static_cast<int>(shape.shared_bytes)),
                name);
  }
  if (shape.cluster.x * shape.cluster.y * shape.cluster.z > kPortableClusterBlocks)
    cuda::check(cudaFuncSetAttribute(kernel, cudaFuncAttributeNonPortableClusterSizeAllowed, 1), name);
}

/// The runtime's form of a shape; `cluster` is room for its attribute.
inline cudaLaunchConfig_t launch_config(const LaunchShape& shape, cudaStream_t stream,
                                        cudaLaunchAttribute& cluster) {
  cudaLaunchConfig_t config{};
  config.gridDim = {shape.grid.x, shape.grid.y, shape.grid.z};
  config.blockDim = {shape.block.x, shape.block.y, shape.block.z};
  config.dynamicSmemBytes = shape.shared_bytes;
  config.stream = stream;
  if (shape.cluster == Extent{}) return config;
  cluster.id = cudaLaunchAttributeClusterDimension;
  cluster.val.clusterDim.x = shape.cluster.x;
  cluster.val.clusterDim.y = shape.cluster.y;
  cluster.val.clusterDim.z = shape.cluster.z;
  config.attrs = &cluster;
  config.numAttrs = 1;
  return config;
}

/// How many clusters of such a launch the device runs at a time. \throws DeviceError
template <class... Parameters>
int most_clusters(const char* name, void (*kernel)(Parameters...), const LaunchShape& shape) {
  ask_for(name, kernel, shape);
  cudaLaunchAttribute cluster{};
  const cudaLaunchConfig_t config = launch_config(shape, nullptr, cluster);
  int count = 0;
  cuda::check(cudaOccupancyMaxActiveClusters(&count, kernel, &config), name);
  return count;
}

/// Launches `kernel`, unless `shape` is empty. `name` is what errors and profilers show.
/// \throws DeviceError
template <class... Parameters, class... Arguments>
void launch(const char* name, void (*kernel)(Parameters...), const LaunchShape& shape, cudaStream_t stream,
            const Arguments&... arguments) {
  if (shape.empty()) return;
  ask_for(name, kernel, shape);
  cudaLaunchAttribute cluster{};
  const cudaLaunchConfig_t config = launch_config(shape, stream, cluster);
  nvtxRangePushA(name);
  const cudaError_t status = cudaLaunchKernelEx(&config, kernel, arguments...);
  nvtxRangePop();
  cuda::check(status, name);
}

}  // namespace ensyn::kernels
