// Kernels with one planted fault each.

#include <cooperative_groups.h>
#include <device/block_shared.h>
#include <device/launch.h>

#include "kernels.h"

namespace simt_test {
namespace {

namespace cg = cooperative_groups;
using ensyn::kernels::block_shared;
using ensyn::kernels::launch;
using ensyn::kernels::LaunchShape;

constexpr int kTiles = 4;

struct Values {
  float of[kThreads];
};

__device__ inline int thread() {
  return static_cast<int>(threadIdx.x);
}

__global__ void sum_without_barrier_kernel(const float* in, float* out) {
  auto& shared = block_shared<Values>();
  shared.of[thread()] = in[thread()];
  if (thread() != kThreads / 2) return;
  float sum = 0;
  for (const float value : shared.of) sum += value;
  out[0] = sum;
}

/// Each thread adds the values of its opposite in each tile; the next tile overwrites what others still read.
__global__ void tiles_without_second_barrier_kernel(const float* in, float* out) {
  auto& shared = block_shared<Values>();
  float sum = 0;
  for (int tile = 0; tile < kTiles; ++tile) {
    shared.of[thread()] = in[tile * kThreads + thread()];
    __syncthreads();
    sum += shared.of[kThreads - 1 - thread()];
  }
  out[thread()] = sum;
}

__global__ void barrier_after_exit_kernel(float* out) {
  if (thread() >= 100) return;
  __syncthreads();
  out[thread()] = 1;
}

__global__ void barrier_in_branches_kernel(float* out) {
  if (thread() < 64) {
    __syncthreads();
    out[thread()] = 1;
  } else {
    __syncthreads();
    out[thread()] = 2;
  }
}

__global__ void rotate_without_syncwarp_kernel(const float* in, float* out) {
  auto& shared = block_shared<Values>();
  shared.of[thread()] = in[thread()];
  out[thread()] = shared.of[thread() / 32 * 32 + (thread() + 1) % 32];
}

__global__ void shuffle_after_exit_kernel(float* out) {
  if (thread() % 32 >= 16) return;
  out[thread()] = __shfl_xor_sync(0xFFFFFFFFu, static_cast<float>(thread()), 16);
}

__global__ void shuffle_outside_mask_kernel(float* out) {
  if (thread() % 32 < 16) out[thread()] = __shfl_sync(0xFFFFu, static_cast<float>(thread()), 20);
}

template <bool kFirst, bool kLast>
__global__ void rotate_kernel(const float* in, float* out) {
  auto& shared = block_shared<Values>();
  const auto cluster = cg::this_cluster();
  const int at = static_cast<int>(blockIdx.x) * kThreads + thread();
  shared.of[thread()] = in[at];
  if (kFirst) cluster.sync();
  const unsigned next = (cluster.block_rank() + 1) % cluster.num_blocks();
  out[at] = cluster.map_shared_rank(shared.of, next)[thread()];
  if (kLast) cluster.sync();
}

__global__ void write_at_kernel(float* out, std::ptrdiff_t at) {
  out[at] = 1;
}

__global__ void write_shared_at_kernel(float* out, std::ptrdiff_t at) {
  auto& shared = block_shared<Values>();
  float* values = shared.of;
  values[at] = 1;
  out[0] = values[at];
}

__global__ void sum_uninitialised_shared_kernel(float* out) {
  auto& shared = block_shared<Values>();
  if (thread() != 0) shared.of[thread()] = 1;
  __syncthreads();
  if (thread() != 0) return;
  float sum = 0;
  for (const float value : shared.of) sum += value;
  out[0] = sum;
}

__global__ void threads_write_one_word_kernel(float* out) {
  out[0] = static_cast<float>(thread());
}

__global__ void blocks_write_one_word_kernel(float* out) {
  out[0] = static_cast<float>(blockIdx.x);
}

__global__ void neighbouring_bytes_overlap_kernel(std::uint8_t* out) {
  out[thread()] = 1;
  if (thread() == 9) out[10] = 2;
}

LaunchShape shape_of(int blocks, int threads = kThreads, std::size_t shared_bytes = 0) {
  LaunchShape shape;
  shape.grid.x = static_cast<unsigned>(blocks);
  shape.block.x = static_cast<unsigned>(threads);
  shape.shared_bytes = shared_bytes;
  return shape;
}

LaunchShape shape_with_values() {
  return shape_of(1, kThreads, sizeof(Values));
}

LaunchShape cluster_shape() {
  LaunchShape shape = shape_of(4, kThreads, sizeof(Values));
  shape.cluster.x = 4;
  return shape;
}

}  // namespace

void sum_without_barrier(const float* in, float* out, cudaStream_t stream) {
  launch("sum_without_barrier", sum_without_barrier_kernel, shape_with_values(), stream, in, out);
}
void tiles_without_second_barrier(const float* in, float* out, cudaStream_t stream) {
  launch("tiles_without_second_barrier", tiles_without_second_barrier_kernel, shape_with_values(), stream, in,
         out);
}
void barrier_after_exit(float* out, cudaStream_t stream) {
  launch("barrier_after_exit", barrier_after_exit_kernel, shape_of(1), stream, out);
}
void barrier_in_branches(float* out, cudaStream_t stream) {
  launch("barrier_in_branches", barrier_in_branches_kernel, shape_of(1), stream, out);
}
void rotate_without_syncwarp(const float* in, float* out, cudaStream_t stream) {
  launch("rotate_without_syncwarp", rotate_without_syncwarp_kernel, shape_with_values(), stream, in, out);
}
void shuffle_after_exit(float* out, cudaStream_t stream) {
  launch("shuffle_after_exit", shuffle_after_exit_kernel, shape_of(1), stream, out);
}
void shuffle_outside_mask(float* out, cudaStream_t stream) {
  launch("shuffle_outside_mask", shuffle_outside_mask_kernel, shape_of(1), stream, out);
}
void rotate_without_first_cluster_barrier(const float* in, float* out, cudaStream_t stream) {
  launch("rotate_without_first_cluster_barrier", rotate_kernel<false, true>, cluster_shape(), stream, in,
         out);
}
void rotate_without_last_cluster_barrier(const float* in, float* out, cudaStream_t stream) {
  launch("rotate_without_last_cluster_barrier", rotate_kernel<true, false>, cluster_shape(), stream, in, out);
}
void write_at(float* out, std::ptrdiff_t at, cudaStream_t stream) {
  launch("write_at", write_at_kernel, shape_of(1, 1), stream, out, at);
}
void write_shared_at(float* out, std::ptrdiff_t at, cudaStream_t stream) {
  launch("write_shared_at", write_shared_at_kernel, shape_of(1, 1, sizeof(Values)), stream, out, at);
}
void sum_uninitialised_shared(float* out, cudaStream_t stream) {
  launch("sum_uninitialised_shared", sum_uninitialised_shared_kernel, shape_with_values(), stream, out);
}
void threads_write_one_word(float* out, cudaStream_t stream) {
  launch("threads_write_one_word", threads_write_one_word_kernel, shape_of(1), stream, out);
}
void blocks_write_one_word(float* out, cudaStream_t stream) {
  launch("blocks_write_one_word", blocks_write_one_word_kernel, shape_of(16, 1), stream, out);
}
void neighbouring_bytes_overlap(std::uint8_t* out, cudaStream_t stream) {
  launch("neighbouring_bytes_overlap", neighbouring_bytes_overlap_kernel, shape_of(1), stream, out);
}
void wrong_shared_bytes(float* out, cudaStream_t stream) {
  launch("wrong_shared_bytes", sum_uninitialised_shared_kernel, shape_of(1, kThreads, 4), stream, out);
}
void too_many_threads(float* out, cudaStream_t stream) {
  launch("too_many_threads", threads_write_one_word_kernel, shape_of(1, 1025), stream, out);
}
void too_much_shared_memory(float* out, cudaStream_t stream) {
  launch("too_much_shared_memory", threads_write_one_word_kernel, shape_of(1, 32, 227 * 1024 + 1), stream,
         out);
}
void too_large_grid(float* out, cudaStream_t stream) {
  LaunchShape shape = shape_of(1);
  shape.grid.y = 65536;
  launch("too_large_grid", threads_write_one_word_kernel, shape, stream, out);
}

}  // namespace simt_test
