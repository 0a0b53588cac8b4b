// State streamed through the multiprocessors from one place in memory to another, as a training kernel
// streams six arrays of a tile, 3 KiB: read, changed in registers, written, by one warp for each tile. Three
// ways: plain loads and stores of 16 bytes; loads by cp.async into a ring in shared memory, as the library's
// kernels do; and loads and stores in bulk (cp.async.bulk), with a barrier for each stage of the ring. All
// with 16 warps a multiprocessor, which leaves each thread the registers that such a kernel needs; plain ones
// with 64 warps too. Blocks stay and take tile after tile. Bytes read and written over the time; every word
// is checked.

#include <device/async_copy.h>

#include "device.h"
#include "pattern.h"

namespace probe {
namespace {

constexpr unsigned kThreads = 256, kWarps = kThreads / 32;
constexpr unsigned kPerLane = 6, kTile = 32 * kPerLane;  // words of 16 bytes
constexpr unsigned kTileBytes = 16 * kTile;
constexpr unsigned kStages = 4;  // 96 KiB a block, two blocks a multiprocessor

struct Ring {
  uint4 tiles[kWarps][kStages][kTile];
  unsigned long long barriers[kWarps][kStages];
};

__device__ inline uint4 changed(const uint4& word) {
  return {word.x ^ kChange, word.y ^ kChange, word.z ^ kChange, word.w ^ kChange};
}

__device__ inline unsigned warp_of_grid() {
  return blockIdx.x * kWarps + threadIdx.x / 32;
}

__global__ void __launch_bounds__(kThreads) plain_kernel(const uint4* from, uint4* to, unsigned tiles) {
  const unsigned lane = threadIdx.x % 32;
  for (unsigned tile = warp_of_grid(); tile < tiles; tile += gridDim.x * kWarps) {
    const std::size_t at = std::size_t{tile} * kTile + lane;
    uint4 words[kPerLane];
#pragma unroll
    for (unsigned k = 0; k < kPerLane; ++k) words[k] = from[at + 32 * k];
#pragma unroll
    for (unsigned k = 0; k < kPerLane; ++k) to[at + 32 * k] = changed(words[k]);
  }
}

/// Each lane reads what it has copied itself, so that no other lane is waited for.
__global__ void __launch_bounds__(kThreads) async_kernel(const uint4* from, uint4* to, unsigned tiles) {
  extern __shared__ __align__(128) unsigned char shared[];
  const unsigned lane = threadIdx.x % 32, step = gridDim.x * kWarps;
  auto& ring = reinterpret_cast<Ring*>(shared)->tiles[threadIdx.x / 32];
  ensyn::kernels::AsyncCopies<kStages - 1> copies;
  const auto load = [&](unsigned tile, unsigned stage) {
    if (tile < tiles) {
#pragma unroll
      for (unsigned k = 0; k < kPerLane; ++k) {
        copies.copy16(&ring[stage][lane + 32 * k], from + std::size_t{tile} * kTile + lane + 32 * k);
      }
    }
    copies.end_group();
  };
  const unsigned first = warp_of_grid();
  for (unsigned stage = 0; stage + 1 < kStages; ++stage) load(first + stage * step, stage);
  unsigned stage = 0;
  for (unsigned tile = first; tile < tiles; tile += step) {
    load(tile + (kStages - 1) * step, (stage + kStages - 1) % kStages);
    copies.wait();
#pragma unroll
    for (unsigned k = 0; k < kPerLane; ++k) {
      to[std::size_t{tile} * kTile + lane + 32 * k] = changed(ring[stage][lane + 32 * k]);
    }
    stage = (stage + 1) % kStages;
  }
}

__device__ inline void load_bulk(std::uint32_t shared, const uint4* from, std::uint32_t barrier) {
  barrier_expect(barrier, kTileBytes);
  PROBE_SM90_ASM(
      "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::"r"(shared),
      "l"(from), "r"(kTileBytes), "r"(barrier)
      : "memory");
}

__device__ inline void store_bulk(uint4* to, std::uint32_t shared) {
  PROBE_SM90_ASM("cp.async.bulk.global.shared::cta.bulk_group [%0], [%1], %2;" ::"l"(to), "r"(shared),
                 "r"(kTileBytes)
                 : "memory");
  PROBE_SM90_ASM("cp.async.bulk.commit_group;" ::: "memory");
}

/// The first lane of a warp asks for copies; all lanes change what came, in place.
__global__ void __launch_bounds__(kThreads) bulk_kernel(const uint4* from, uint4* to, unsigned tiles) {
  extern __shared__ __align__(128) unsigned char shared[];
  const unsigned lane = threadIdx.x % 32, warp = threadIdx.x / 32, step = gridDim.x * kWarps;
  auto& ring = reinterpret_cast<Ring*>(shared)->tiles[warp];
  auto& barriers = reinterpret_cast<Ring*>(shared)->barriers[warp];
  const unsigned first = warp_of_grid();
  const auto load = [&](unsigned tile, unsigned stage) {
    if (tile >= tiles) return;
    load_bulk(shared_address(ring[stage]), from + std::size_t{tile} * kTile,
              shared_address(&barriers[stage]));
  };
  if (lane == 0) {
    for (unsigned stage = 0; stage < kStages; ++stage) barrier_init(shared_address(&barriers[stage]), 1);
    barrier_init_fence();
    for (unsigned stage = 0; stage + 1 < kStages; ++stage) load(first + stage * step, stage);
  }
  __syncwarp();
  unsigned stage = 0, parity = 0;
  for (unsigned tile = first; tile < tiles; tile += step) {
    if (!barrier_wait<Scope::block>(shared_address(&barriers[stage]), parity)) return;
#pragma unroll
    for (unsigned k = 0; k < kPerLane; ++k) ring[stage][lane + 32 * k] = changed(ring[stage][lane + 32 * k]);
    PROBE_SM90_ASM("fence.proxy.async.shared::cta;" ::: "memory");  // each lane for its own words
    __syncwarp();
    if (lane == 0) {
      store_bulk(to + std::size_t{tile} * kTile, shared_address(ring[stage]));
      // The stage before this one is free once its store, the last but one, has read it.
      PROBE_SM90_ASM("cp.async.bulk.wait_group.read 1;" ::: "memory");
      load(tile + (kStages - 1) * step, (stage + kStages - 1) % kStages);
    }
    stage = (stage + 1) % kStages;
    if (stage == 0) parity ^= 1;
  }
  if (lane == 0) PROBE_SM90_ASM("cp.async.bulk.wait_group 0;" ::: "memory");
}

struct Buffers {
  Words from, to;
  unsigned tiles = 0;
};

/// 1 GiB each, 20 times the largest second-level cache, or less where memory is short.
Buffers make_buffers(const Target& target) {
  std::size_t free = 0, total = 0;
  ensyn::cuda::check(cudaMemGetInfo(&free, &total), "cudaMemGetInfo");
  const std::size_t bytes = std::min<std::size_t>(std::size_t{1} << 30, free / 4);
  const auto tiles = static_cast<unsigned>(bytes / kTileBytes);
  Buffers buffers{Words(std::size_t{tiles} * kTile, "a stream"),
                  Words(std::size_t{tiles} * kTile, "a stream"), tiles};
  fill(buffers.from, target.stream);
  return buffers;
}

void measure_stream(const Target& target, Report& report, const char* name, const Buffers& buffers,
                    unsigned change, const std::function<void()>& body) {
  ensyn::cuda::clear(buffers.to, target.stream.get());
  const double time = seconds(target, 9, body);
  const double bytes = 2 * static_cast<double>(buffers.from.bytes());
  // Assumption: limits.md, section 0, measured on an H200.
  report.add({name,
              "GB/s",
              1e-9 * bytes / time,
              4300,
              wrong_words(buffers.to, change, target.stream),
              "read and written, " + std::to_string(buffers.from.bytes() >> 20) + " MiB each",
              {}});
}

}  // namespace

void measure_streams(const Target& target, Report& report) {
  const Buffers buffers = make_buffers(target);
  const auto with = [&](const char* name, auto* kernel, unsigned blocks, std::size_t shared_bytes) {
    const Shape shape{blocks * target.multiprocessors(), kThreads, shared_bytes};
    measure_stream(target, report, name, buffers, kChange, [&] {
      launch(target.stream, name, kernel, shape, buffers.from.data(), buffers.to.data(), buffers.tiles);
    });
  };
  measure_stream(target, report, "stream, cudaMemcpyAsync", buffers, 0, [&] {
    ensyn::cuda::check(cudaMemcpyAsync(buffers.to.data(), buffers.from.data(), buffers.from.bytes(),
                                       cudaMemcpyDeviceToDevice, target.stream.get()),
                       "a copy");
  });
  with("stream, plain, 64 warps a multiprocessor", plain_kernel, 8, 0);
  // So much shared memory that a third block does not fit.
  with("stream, plain, 16 warps", plain_kernel, 2, target.shared_bytes / 3 + 2048);
  if (target.has(8, 0) && sizeof(Ring) <= target.shared_bytes) {
    with("stream, cp.async, 16 warps", async_kernel, 2, sizeof(Ring));
  } else {
    report.not_here("stream, cp.async, 16 warps");
  }
  if (target.has(9, 0) && sizeof(Ring) <= target.shared_bytes) {
    with("stream, cp.async.bulk, 16 warps", bulk_kernel, 2, sizeof(Ring));
  } else {
    report.not_here("stream, cp.async.bulk, 16 warps");
  }
}

}  // namespace probe
