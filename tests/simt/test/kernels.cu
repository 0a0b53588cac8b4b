// Kernels without faults.

#include "kernels.h"

#include <cooperative_groups.h>
#include <device/block_shared.h>
#include <device/launch.h>
#include <device/random.h>

namespace simt_test {
namespace {

namespace cg = cooperative_groups;
using ensyn::kernels::block_shared;
using ensyn::kernels::LaunchShape;

constexpr int kTile = 16;
constexpr unsigned kClusterBlocks = 4;

struct Values {
  float of[kThreads];
};
struct Tile {
  float of[kTile][kTile + 1];
};

__device__ inline int thread() {
  return static_cast<int>(threadIdx.x);
}

__global__ void __launch_bounds__(kThreads) block_sum_kernel(const float* in, float* out) {
  auto& shared = block_shared<Values>();
  shared.of[thread()] = in[static_cast<int>(blockIdx.x) * kThreads + thread()];
  __syncthreads();
  for (int n = kThreads / 2; n > 0; n /= 2) {
    if (thread() < n) shared.of[thread()] += shared.of[thread() + n];
    __syncthreads();
  }
  if (thread() == 0) out[blockIdx.x] = shared.of[0];
}

__global__ void static_shared_sum_kernel(const float* in, float* out) {
  __shared__ float values[kThreads];
  values[thread()] = in[static_cast<int>(blockIdx.x) * kThreads + thread()];
  __syncthreads();
  if (thread() != 0) return;
  float sum = 0;
  for (const float value : values) sum += value;
  out[blockIdx.x] = sum;
}

__global__ void transpose_kernel(const float* in, float* out, int rows, int columns) {
  auto& tile = block_shared<Tile>();
  const int x = static_cast<int>(threadIdx.x), y = static_cast<int>(threadIdx.y);
  const int first_row = static_cast<int>(blockIdx.y) * kTile,
            first_column = static_cast<int>(blockIdx.x) * kTile;
  if (first_row + y < rows && first_column + x < columns) {
    tile.of[y][x] = in[(first_row + y) * columns + first_column + x];
  }
  __syncthreads();
  if (first_column + y < columns && first_row + x < rows) {
    out[(first_column + y) * rows + first_row + x] = tile.of[x][y];
  }
}

__global__ void warp_sum_kernel(const float* in, float* out) {
  const int at = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  float sum = in[at];
  for (int n = 16; n > 0; n /= 2) sum += __shfl_down_sync(0xFFFFFFFFu, sum, static_cast<unsigned>(n));
  if (thread() % 32 == 0) out[at / 32] = sum;
}

/// The halves of a warp meet by themselves, the upper ones twice as often.
__global__ void half_warp_sum_kernel(const float* in, float* out) {
  const int at = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  const bool upper = thread() % 32 >= 16;
  const unsigned mask = upper ? 0xFFFF0000u : 0xFFFFu;
  float sum = in[at];
  for (int n = 8; n > 0; n /= 2) {
    sum += __shfl_xor_sync(mask, sum, n, 16);
    if (upper) __syncwarp(mask);
  }
  if (thread() % 16 == 0) out[at / 16] = sum;
}

__global__ void cluster_rotate_kernel(const float* in, float* out) {
  auto& shared = block_shared<Values>();
  const auto cluster = cg::this_cluster();
  const int at = static_cast<int>(blockIdx.x) * kThreads + thread();
  shared.of[thread()] = in[at];
  cluster.sync();
  const unsigned next = (cluster.block_rank() + 1) % cluster.num_blocks();
  const float value = cluster.map_shared_rank(shared.of, next)[thread()];
  auto token = cluster.barrier_arrive();
  out[at] = value;
  cluster.barrier_wait(std::move(token));
}

__global__ void philox_kernel(std::uint64_t seed, std::uint64_t subsequence, std::uint64_t offset,
                              std::uint32_t* words) {
  curandStatePhilox4_32_10_t state;
  curand_init(seed, subsequence, offset, &state);
  const uint4 four = curand4(&state);
  words[0] = four.x;
  words[1] = four.y;
  words[2] = four.z;
  words[3] = four.w;
}

__global__ void count_votes_kernel(const int* in, int* count_and_or, int* ballots) {
  const int vote = in[thread()];
  const int count = __syncthreads_count(vote), all = __syncthreads_and(vote), any = __syncthreads_or(vote);
  const unsigned ballot = __ballot_sync(0xFFFFFFFFu, vote);
  const int warp_any = __any_sync(0xFFFFFFFFu, vote), warp_all = __all_sync(0xFFFFFFFFu, vote);
  if (thread() == 0) {
    count_and_or[0] = count;
    count_and_or[1] = all;
    count_and_or[2] = any;
  }
  if (thread() % 32 != 0) return;
  ballots[3 * (thread() / 32)] = static_cast<int>(ballot);
  ballots[3 * (thread() / 32) + 1] = warp_any;
  ballots[3 * (thread() / 32) + 2] = warp_all;
}

__global__ void add_atomically_kernel(float* sum, int* maximum, int* count) {
  atomicAdd(sum, 0.5f);
  atomicMax(maximum, static_cast<int>(blockIdx.x) * kThreads + thread());
  if (atomicAdd(count, 1) % 2 == 0) atomicAdd(count + 1, 1);
}

__global__ void warp_rotate_kernel(const float* in, float* out) {
  auto& shared = block_shared<Values>();
  shared.of[thread()] = in[thread()];
  __syncwarp();
  out[thread()] = shared.of[thread() / 32 * 32 + (thread() + 1) % 32];
}

__global__ void sum_bytes_kernel(const std::uint8_t* in, std::uint8_t* out, int count) {
  const int at = static_cast<int>(blockIdx.x) * kThreads + thread();
  if (at < count) out[at] = static_cast<std::uint8_t>(in[at] + in[(at + 1) % count]);
}

__global__ void set_kernel(float* out, int count, float value) {
  const int at = static_cast<int>(blockIdx.x) * kThreads + thread();
  if (at < count) out[at] = value;
}

__global__ void add_to_kernel(float* out, int count, float value) {
  const int at = static_cast<int>(blockIdx.x) * kThreads + thread();
  if (at < count) out[at] += value;
}

__global__ void barriers_kernel(int count) {
  for (int i = 0; i < count; ++i) __syncthreads();
}

__global__ void shuffles_kernel(int count) {
  int value = thread();
  for (int i = 0; i < count; ++i) value += __shfl_xor_sync(0xFFFFFFFFu, value, 1);
}

LaunchShape shape_of(int blocks, int threads = kThreads, std::size_t shared_bytes = 0) {
  LaunchShape shape;
  shape.grid.x = static_cast<unsigned>(blocks);
  shape.block.x = static_cast<unsigned>(threads);
  shape.shared_bytes = shared_bytes;
  return shape;
}

}  // namespace

using ensyn::kernels::ceil_divide;
using ensyn::kernels::launch;

void block_sum(const float* in, float* out, int blocks, cudaStream_t stream) {
  launch("block_sum", block_sum_kernel, shape_of(blocks, kThreads, sizeof(Values)), stream, in, out);
}
void static_shared_sum(const float* in, float* out, int blocks, cudaStream_t stream) {
  launch("static_shared_sum", static_shared_sum_kernel, shape_of(blocks), stream, in, out);
}
void transpose(const float* in, float* out, int rows, int columns, cudaStream_t stream) {
  LaunchShape shape;
  shape.grid = {static_cast<unsigned>(ceil_divide(columns, kTile)),
                static_cast<unsigned>(ceil_divide(rows, kTile)), 1};
  shape.block = {kTile, kTile, 1};
  shape.shared_bytes = sizeof(Tile);
  launch("transpose", transpose_kernel, shape, stream, in, out, rows, columns);
}
void warp_sum(const float* in, float* out, int warps, cudaStream_t stream) {
  launch("warp_sum", warp_sum_kernel, shape_of(1, 32 * warps), stream, in, out);
}
void half_warp_sum(const float* in, float* out, int warps, cudaStream_t stream) {
  launch("half_warp_sum", half_warp_sum_kernel, shape_of(1, 32 * warps), stream, in, out);
}
void cluster_rotate(const float* in, float* out, int clusters, cudaStream_t stream) {
  LaunchShape shape = shape_of(clusters * static_cast<int>(kClusterBlocks), kThreads, sizeof(Values));
  shape.cluster.x = kClusterBlocks;
  launch("cluster_rotate", cluster_rotate_kernel, shape, stream, in, out);
}
void philox(std::uint64_t seed, std::uint64_t subsequence, std::uint64_t offset, std::uint32_t* words,
            cudaStream_t stream) {
  launch("philox", philox_kernel, shape_of(1, 1), stream, seed, subsequence, offset, words);
}
void count_votes(const int* in, int* count_and_or, int* ballots, cudaStream_t stream) {
  launch("count_votes", count_votes_kernel, shape_of(1), stream, in, count_and_or, ballots);
}
void add_atomically(float* sum, int* maximum, int* count, int blocks, cudaStream_t stream) {
  launch("add_atomically", add_atomically_kernel, shape_of(blocks), stream, sum, maximum, count);
}
void warp_rotate(const float* in, float* out, cudaStream_t stream) {
  launch("warp_rotate", warp_rotate_kernel, shape_of(1, kThreads, sizeof(Values)), stream, in, out);
}
void sum_bytes(const std::uint8_t* in, std::uint8_t* out, int count, cudaStream_t stream) {
  launch("sum_bytes", sum_bytes_kernel, shape_of(ceil_divide(count, kThreads)), stream, in, out, count);
}
void set(float* out, int count, float value, cudaStream_t stream) {
  launch("set", set_kernel, shape_of(ceil_divide(count, kThreads)), stream, out, count, value);
}
void add_to(float* out, int count, float value, cudaStream_t stream) {
  launch("add_to", add_to_kernel, shape_of(ceil_divide(count, kThreads)), stream, out, count, value);
}
void barriers(int count, int threads, int blocks, cudaStream_t stream) {
  launch("barriers", barriers_kernel, shape_of(blocks, threads), stream, count);
}
void shuffles(int count, int threads, cudaStream_t stream) {
  launch("shuffles", shuffles_kernel, shape_of(1, threads), stream, count);
}

}  // namespace simt_test
