/// \file
/// Kernels that test the emulation: right ones, and ones with planted faults. All take device pointers.
#pragma once

#include <driver_types.h>

#include <cstddef>
#include <cstdint>

namespace simt_test {

constexpr int kThreads = 256;

// Right ones.
void block_sum(const float* in, float* out, int blocks, cudaStream_t stream);  // sums of kThreads values
void transpose(const float* in, float* out, int rows, int columns, cudaStream_t stream);
void warp_sum(const float* in, float* out, int warps, cudaStream_t stream);
void half_warp_sum(const float* in, float* out, int warps, cudaStream_t stream);  // one sum for each 16 lanes
void cluster_rotate(const float* in, float* out, int clusters,
                    cudaStream_t stream);  // blocks of 4 pass one on
void philox(std::uint64_t seed, std::uint64_t subsequence, std::uint64_t offset, std::uint32_t* words,
            cudaStream_t stream);
void count_votes(const int* in, int* count_and_or, int* ballots, cudaStream_t stream);
void add_atomically(float* sum, int* maximum, int* count, int blocks, cudaStream_t stream);
void warp_rotate(const float* in, float* out, cudaStream_t stream);  // through shared memory and __syncwarp
void sum_bytes(const std::uint8_t* in, std::uint8_t* out, int count, cudaStream_t stream);
void static_shared_sum(const float* in, float* out, int blocks, cudaStream_t stream);
void set(float* out, int count, float value, cudaStream_t stream);
void add_to(float* out, int count, float value, cudaStream_t stream);
void barriers(int count, int threads, int blocks, cudaStream_t stream);
void shuffles(int count, int threads, cudaStream_t stream);

// With a fault each.
void sum_without_barrier(const float* in, float* out, cudaStream_t stream);
void tiles_without_second_barrier(const float* in, float* out, cudaStream_t stream);  // 4 tiles
void barrier_after_exit(float* out, cudaStream_t stream);
void barrier_in_branches(float* out, cudaStream_t stream);
void rotate_without_syncwarp(const float* in, float* out, cudaStream_t stream);
void shuffle_after_exit(float* out, cudaStream_t stream);
void shuffle_outside_mask(float* out, cudaStream_t stream);
void rotate_without_first_cluster_barrier(const float* in, float* out, cudaStream_t stream);
void rotate_without_last_cluster_barrier(const float* in, float* out, cudaStream_t stream);
void write_at(float* out, std::ptrdiff_t at, cudaStream_t stream);
void write_shared_at(float* out, std::ptrdiff_t at, cudaStream_t stream);  // of kThreads floats
void sum_uninitialised_shared(float* out, cudaStream_t stream);
void threads_write_one_word(float* out, cudaStream_t stream);
void blocks_write_one_word(float* out, cudaStream_t stream);
void neighbouring_bytes_overlap(std::uint8_t* out, cudaStream_t stream);
void wrong_shared_bytes(float* out, cudaStream_t stream);
void too_many_threads(float* out, cudaStream_t stream);
void too_much_shared_memory(float* out, cudaStream_t stream);
void too_large_grid(float* out, cudaStream_t stream);

}  // namespace simt_test
