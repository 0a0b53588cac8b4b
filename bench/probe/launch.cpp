#include <cuda_runtime_api.h>

#include "bench/cuda/event.h"
#include "probe.h"

namespace probe {

using ensyn::cuda::check;

cudaLaunchConfig_t configuration(const Shape& shape, cudaLaunchAttribute* attributes, cudaStream_t stream) {
  cudaLaunchConfig_t config{};
  config.gridDim = {shape.blocks, 1, 1};
  config.blockDim = {shape.threads, 1, 1};
  config.dynamicSmemBytes = shape.shared_bytes;
  config.stream = stream;
  config.attrs = attributes;
  if (shape.cluster > 1) {
    cudaLaunchAttribute& attribute = attributes[config.numAttrs++];
    attribute = {};
    attribute.id = cudaLaunchAttributeClusterDimension;
    attribute.val.clusterDim.x = shape.cluster;
    attribute.val.clusterDim.y = 1;
    attribute.val.clusterDim.z = 1;
  }
  if (shape.cooperative) {
    cudaLaunchAttribute& attribute = attributes[config.numAttrs++];
    attribute = {};
    attribute.id = cudaLaunchAttributeCooperative;
    attribute.val.cooperative = 1;
  }
  return config;
}

void allow(const void* kernel, const Shape& shape) {
  constexpr std::size_t kWithoutAsking = std::size_t{48} << 10;
  constexpr unsigned kPortableCluster = 8;
  if (shape.shared_bytes > kWithoutAsking) {
    check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                               static_cast<int>(shape.shared_bytes)),
          "asking for shared memory");
  }
  if (shape.cluster > kPortableCluster) {
    check(cudaFuncSetAttribute(kernel, cudaFuncAttributeNonPortableClusterSizeAllowed, 1),
          "asking for clusters of more than 8 blocks");
  }
}

int active_clusters(const Target& target, const void* kernel, const Shape& shape) {
  if (!target.has(9, 0) || shape.shared_bytes > target.shared_bytes) return 0;
  allow(kernel, shape);
  cudaLaunchAttribute attributes[2];
  const cudaLaunchConfig_t config = configuration(shape, attributes, target.stream.get());
  int count = 0;
  // A device that knows no clusters of this size says so by an error.
  const cudaError_t status = cudaOccupancyMaxActiveClusters(&count, kernel, &config);
  if (status == cudaSuccess) return count;
  ensyn::cuda::ignore(status);
  return 0;
}

double median_ticks(const std::vector<Span>& spans) {
  std::vector<double> ticks;
  ticks.reserve(spans.size());
  for (const Span& span : spans) ticks.push_back(static_cast<double>(span.ticks));
  return median(std::move(ticks));
}

double seconds(const Target& target, int samples, const std::function<void()>& body) {
  std::vector<double> times;
  for (int i = 0; i <= samples; ++i) {
    const bench::Event start, end;
    start.record(target.stream);
    body();
    end.record(target.stream);
    target.stream.wait();
    if (i > 0) times.push_back(1e-6 * end.since(start));
  }
  return median(std::move(times));
}

}  // namespace probe
