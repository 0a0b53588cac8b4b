// Launches: what no device accepts is refused, the rest is queued.

#include "simt/launch.h"

#include <memory>
#include <utility>

#include "runtime.h"
#include "scheduler.h"

namespace simt {
namespace {

/// As kernels/device/launch.h asks for.
constexpr std::size_t kMostSharedBytes = 227 * 1024;
constexpr std::uint64_t kMostThreads = 1024, kMostGridX = 0x7FFFFFFF, kMostGridYZ = 65535,
                        kMostClusterBlocks = 16;

std::uint64_t volume(dim3 of) {
  return std::uint64_t{of.x} * of.y * of.z;
}

/// Text of what is wrong; empty if nothing is.
std::string fault_of(const Launch& launch) {
  const dim3 grid = launch.grid, block = launch.block, cluster = launch.cluster;
  if (volume(grid) == 0 || volume(block) == 0 || volume(cluster) == 0) return "an extent is 0";
  if (volume(block) > kMostThreads || block.z > 64)
    return "more than 1024 threads in a block, or more than 64 in z";
  if (grid.x > kMostGridX || grid.y > kMostGridYZ || grid.z > kMostGridYZ) {
    return "a grid of more than 65535 blocks in y or z: " + std::to_string(grid.x) + " x " +
           std::to_string(grid.y) + " x " + std::to_string(grid.z);
  }
  if (launch.shared_bytes > kMostSharedBytes) {
    return std::to_string(launch.shared_bytes) + " bytes of shared memory, more than 227 KiB";
  }
  if (volume(cluster) > kMostClusterBlocks) return "more than 16 blocks in a cluster";
  if (grid.x % cluster.x != 0 || grid.y % cluster.y != 0 || grid.z % cluster.z != 0) {
    return "the grid is not a multiple of the cluster";
  }
  if (volume(cluster) > 1 && settings().devices[static_cast<std::size_t>(current_device())].major < 9) {
    return "clusters need compute capability 9.0";
  }
  return {};
}

void execute(const Launch& launch) {
  Runtime& all = runtime();
  ++all.executions;
  if (comes_due(settings().fail_execution)) {
    all.sticky_error = cudaErrorIllegalAddress;
    all.drop_queues();
    return;
  }
  scheduler().run(launch);
}

}  // namespace

cudaError_t launch(Launch launch, cudaStream_t stream) {
  return call([&](Runtime& all) {
    const std::string fault = fault_of(launch);
    if (!fault.empty()) throw Error("launch of kernel " + launch.name + ": " + fault);
    ++all.launches;
    if (comes_due(settings().fail_launch)) return cudaErrorLaunchOutOfResources;
    auto kept = std::make_shared<const Launch>(std::move(launch));
    return all.enqueue(
        stream, [kept = std::move(kept)] { execute(*kept); }, cudaGraphNodeTypeKernel);
  });
}

}  // namespace simt
