// How many clusters, and blocks, are resident side by side when each block holds much shared memory: as the
// runtime computes it, and counted. For the count every cluster registers and then waits for one more cluster
// than can be there, until its patience ends; the largest number that had registered and not left is what
// was resident together. No block of a cluster leaves before that.

#include <algorithm>
#include <map>
#include <optional>
#include <string>

#include "device.h"

namespace probe {
namespace {

constexpr std::size_t kLargeBlock = std::size_t{215} << 10, kHalfBlock = std::size_t{105} << 10;
constexpr unsigned kThreads = 256;
// About 20 ms: far longer than a grid takes to start.
constexpr long long kWait = 40'000'000;

struct Counts {
  unsigned now, peak, arrived;
};

template <bool kClusters>
__global__ void residency_kernel(Counts* counts, unsigned expected, unsigned* order, unsigned* places) {
  unsigned size = 1;
  if constexpr (kClusters) size = cluster_size();
  if (threadIdx.x == 0) places[blockIdx.x] = multiprocessor();
  if constexpr (kClusters) cluster_barrier();
  if (threadIdx.x == 0 && blockIdx.x % size == 0) {
    order[blockIdx.x / size] = atomicAdd(&counts->arrived, 1U);
    atomicMax(&counts->peak, atomicAdd(&counts->now, 1U) + 1);
    const volatile unsigned& peak = counts->peak;
    for (const long long start = ticks(); peak < expected && ticks() - start < kWait;) {
    }
    atomicSub(&counts->now, 1U);
  }
  if constexpr (kClusters) cluster_barrier();
}

struct Residency {
  unsigned clusters = 0;         ///< resident together
  unsigned multiprocessors = 0;  ///< that they were on
  unsigned most_on_one = 0;      ///< blocks on one multiprocessor
  std::string detail;            ///< the multiprocessors of each cluster
};

template <bool kClusters>
Residency residency(const Target& target, const Shape& shape) {
  const unsigned launched = shape.blocks / shape.cluster;
  const ensyn::cuda::DeviceBuffer<Counts> counts(1, "counts");
  const ensyn::cuda::DeviceBuffer<unsigned> order(launched, "order"), places(shape.blocks, "places");
  ensyn::cuda::clear(counts, target.stream.get());
  launch(target.stream, "residency", residency_kernel<kClusters>, shape, counts.data(), launched,
         order.data(), places.data());
  Residency found;
  found.clusters = values(counts, target.stream)[0].peak;
  const std::vector<unsigned> orders = values(order, target.stream), at = values(places, target.stream);
  std::map<unsigned, unsigned> blocks_on;
  for (unsigned i = 0; i < launched; ++i) {
    if (orders[i] >= found.clusters) continue;  // came when others had left
    const unsigned end = (i + 1) * shape.cluster;
    for (unsigned block = i * shape.cluster; block < end; ++block) {
      found.most_on_one = std::max(found.most_on_one, ++blocks_on[at[block]]);
      found.detail += std::to_string(at[block]) + (block + 1 < end ? " " : "; ");
    }
  }
  found.multiprocessors = static_cast<unsigned>(blocks_on.size());
  return found;
}

/// What is wrong with a count where the runtime computes `computed`, with room for `fit` blocks on each
/// multiprocessor.
std::string wrong(const Residency& found, int computed, unsigned fit) {
  if (static_cast<int>(found.clusters) != computed) {
    return "the runtime computes " + std::to_string(computed);
  }
  if (found.most_on_one > fit) return std::to_string(found.most_on_one) + " blocks on one multiprocessor";
  return {};
}

std::string note(const Target& target, const Residency& found) {
  return "on " + std::to_string(found.multiprocessors) + " of " + std::to_string(target.multiprocessors()) +
         " multiprocessors";
}

struct Case {
  const char* name;
  unsigned cluster;
  std::size_t shared_bytes;
  unsigned fit;  ///< blocks on a multiprocessor
  std::optional<double> assumption;
};

// Assumptions: limits.md, sections 3 and 9.
constexpr Case kCases[] = {
    {"clusters of 2, 215 KiB a block", 2, kLargeBlock, 1, {}},
    {"clusters of 4, 215 KiB a block", 4, kLargeBlock, 1, {}},
    {"clusters of 8, 215 KiB a block", 8, kLargeBlock, 1, {}},
    {"clusters of 16, 215 KiB a block", 16, kLargeBlock, 1, 8},
    {"clusters of 16, 105 KiB a block", 16, kHalfBlock, 2, 16},
};

void measure_clusters_of(const Target& target, Report& report, const Case& c) {
  Shape shape{c.cluster, kThreads, c.shared_bytes, c.cluster};
  const auto* kernel = reinterpret_cast<const void*>(residency_kernel<true>);
  const int computed = active_clusters(target, kernel, shape);
  if (computed == 0) return report.not_here(c.name);
  // One more than there can be.
  shape.blocks = (target.multiprocessors() * c.fit / c.cluster + 1) * c.cluster;
  const Residency found = residency<true>(target, shape);
  report.add({c.name, "resident together", found.clusters, c.assumption, wrong(found, computed, c.fit),
              note(target, found), found.detail});
}

void measure_half_blocks(const Target& target, Report& report) {
  constexpr const char* kName = "blocks of 105 KiB";
  constexpr unsigned kFit = 2;
  if (kHalfBlock > target.shared_bytes) return report.not_here(kName);
  const Shape shape{target.multiprocessors() * kFit + 1, kThreads, kHalfBlock};
  const auto* kernel = reinterpret_cast<const void*>(residency_kernel<false>);
  allow(kernel, shape);
  int computed = 0;
  ensyn::cuda::check(
      cudaOccupancyMaxActiveBlocksPerMultiprocessor(&computed, kernel, kThreads, shape.shared_bytes),
      "occupancy");
  const Residency found = residency<false>(target, shape);
  report.add({kName,
              "per multiprocessor",
              static_cast<double>(found.clusters) / target.multiprocessors(),
              kFit,
              wrong(found, computed * target.device.multiprocessors, kFit),
              note(target, found),
              {}});
}

}  // namespace

void measure_clusters(const Target& target, Report& report) {
  for (const Case& c : kCases) measure_clusters_of(target, report, c);
  measure_half_blocks(target, report);
}

}  // namespace probe
