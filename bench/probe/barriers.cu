// How long a barrier takes when all of its threads arrive together: of a block (__syncthreads), of a cluster
// (with and without order among writes), of a grid (cooperative launch). Ticks from the first to the last
// of many, divided. Before that the same barriers must hold: each thread writes the number of the round, and
// after the barrier another thread, of another block where there are several, must have written it too.

#include <cooperative_groups.h>

#include "device.h"

namespace probe {
namespace {

constexpr unsigned kThreads = 256;
constexpr unsigned kRounds = 4096, kCheckedRounds = 256;

struct OfBlock {
  __device__ static void wait() { __syncthreads(); }
};
struct OfCluster {
  __device__ static void wait() { cluster_barrier(); }
};
struct OfClusterRelaxed {
  __device__ static void wait() { cluster_barrier_relaxed(); }
};
struct OfGrid {
  __device__ static void wait() { cooperative_groups::this_grid().sync(); }
};

template <class Barrier>
__global__ void __launch_bounds__(1024) timed_kernel(unsigned rounds, Span* spans) {
  Barrier::wait();
  const Span start = now();
#pragma unroll 8
  for (unsigned round = 0; round < rounds; ++round) Barrier::wait();
  const Span span = since(start);
  if (threadIdx.x == 0) spans[blockIdx.x] = span;
}

template <class Barrier>
__global__ void __launch_bounds__(1024)
    checked_kernel(unsigned rounds, volatile unsigned* written, unsigned* errors) {
  const unsigned all = gridDim.x * blockDim.x, me = blockIdx.x * blockDim.x + threadIdx.x;
  const unsigned other = (me + all / 2 + 1) % all;
  unsigned mine = 0;
  for (unsigned round = 1; round <= rounds; ++round) {
    written[me] = round;
    __threadfence();  // for the barriers that order nothing
    Barrier::wait();
    // The other may be a round ahead by now, never behind.
    if (written[other] < round) ++mine;
  }
  if (mine > 0) atomicAdd(errors, mine);
}

struct Time {
  double ticks = 0, microseconds = 0;
  std::string wrong;
};

template <class Barrier>
Time time_of(const Target& target, const Shape& shape) {
  const ensyn::cuda::DeviceBuffer<unsigned> written(std::size_t{shape.blocks} * shape.threads, "rounds"),
      errors(1, "errors");
  ensyn::cuda::clear(written, target.stream.get());
  ensyn::cuda::clear(errors, target.stream.get());
  launch(target.stream, "checked barriers", checked_kernel<Barrier>, shape, kCheckedRounds, written.data(),
         errors.data());
  Time time;
  if (const unsigned count = values(errors, target.stream)[0]; count > 0) {
    time.wrong = std::to_string(count) + " threads were passed by";
  }
  const ensyn::cuda::DeviceBuffer<Span> spans(shape.blocks, "spans");
  // The first launch warms the instruction cache.
  for (int i = 0; i < 2; ++i) {
    launch(target.stream, "barriers", timed_kernel<Barrier>, shape, kRounds, spans.data());
  }
  const std::vector<Span> found = values(spans, target.stream);
  time.ticks = median_ticks(found) / kRounds;
  time.microseconds = 1e-3 * static_cast<double>(found[0].nanoseconds) / kRounds;
  return time;
}

void measure_blocks(const Target& target, Report& report) {
  for (const unsigned threads : {128U, 256U, 512U, 1024U}) {
    const Time time = time_of<OfBlock>(target, {1, threads});
    report.add({"__syncthreads, " + std::to_string(threads) + " threads",
                "clocks",
                time.ticks,
                30,
                time.wrong,
                {},
                {}});
  }
}

template <class Barrier>
void measure_cluster_barriers(const Target& target, Report& report, const std::string& kind) {
  for (const unsigned size : {2U, 4U, 8U, 16U}) {
    const std::string name = "cluster barrier, " + kind + ", " + std::to_string(size) + " blocks";
    const Shape shape{size, kThreads, 0, size};
    const auto* kernel = reinterpret_cast<const void*>(timed_kernel<Barrier>);
    if (active_clusters(target, kernel, shape) == 0) {
      report.not_here(name);
      continue;
    }
    const Time time = time_of<Barrier>(target, shape);
    report.add({name, "clocks", time.ticks, 300, time.wrong, {}, {}});
  }
}

void measure_grid(const Target& target, Report& report) {
  const Time time = time_of<OfGrid>(target, {target.multiprocessors(), kThreads, 0, 1, true});
  const std::string blocks = std::to_string(target.multiprocessors()) + " blocks of 256 threads";
  report.add({"grid barrier", "clocks", time.ticks, {}, time.wrong, blocks, {}});
  report.add({"grid barrier", "us", time.microseconds, 1.2, time.wrong, blocks, {}});
}

}  // namespace

// Assumptions: limits.md, sections 0, 7 and 9.
void measure_barriers(const Target& target, Report& report) {
  measure_blocks(target, report);
  measure_cluster_barriers<OfCluster>(target, report, "release");
  measure_cluster_barriers<OfClusterRelaxed>(target, report, "relaxed");
  measure_grid(target, report);
}

}  // namespace probe
