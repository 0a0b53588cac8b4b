/// \file
/// Stands in for kernels/device/launch.h: the kernel runs on the CPU when its stream is synchronised.
#pragma once

#include <cuda_runtime.h>

#include <tuple>
#include <type_traits>
#include <utility>

#include "kernels/base/check.h"
#include "kernels/base/launch_shape.h"
#include "simt/launch.h"

namespace ensyn::kernels {

/// As many as there are multiprocessors for, one block on each; none where the device has no clusters.
template <class... Parameters>
int most_clusters(const char* name, void (* /*kernel*/)(Parameters...), const LaunchShape& shape) {
  int device = 0, major = 0, multiprocessors = 0;
  cuda::check(cudaGetDevice(&device), name);
  cuda::check(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device), name);
  cuda::check(cudaDeviceGetAttribute(&multiprocessors, cudaDevAttrMultiProcessorCount, device), name);
  return major < 9 ? 0
                   : multiprocessors / static_cast<int>(shape.cluster.x * shape.cluster.y * shape.cluster.z);
}

/// Launches `kernel`, unless `shape` is empty. `name` is what errors show.
/// \throws DeviceError, simt::Error
template <class... Parameters, class... Arguments>
void launch(const char* name, void (*kernel)(Parameters...), const LaunchShape& shape, cudaStream_t stream,
            const Arguments&... arguments) {
  static_assert(sizeof...(Parameters) == sizeof...(Arguments));
  if (shape.empty()) return;
  simt::Launch launch;
  launch.name = name;
  launch.grid = {shape.grid.x, shape.grid.y, shape.grid.z};
  launch.block = {shape.block.x, shape.block.y, shape.block.z};
  launch.cluster = {shape.cluster.x, shape.cluster.y, shape.cluster.z};
  launch.shared_bytes = shape.shared_bytes;
  launch.body = [kernel, copies = std::tuple<std::remove_cvref_t<Parameters>...>(arguments...)] {
    std::apply(kernel, copies);
  };
  cuda::check(simt::launch(std::move(launch), stream), name);
}

}  // namespace ensyn::kernels
