/// \file
/// The rate of one instruction: the threads of a multiprocessor repeat it on several independent chains of
/// values each, so that its latency does not show. An operation is a struct with
///   Value                     what a chain holds
///   Op(operands, lane)        from words that the compiler does not know
///   Op::start(thread, chain)  what a chain begins with
///   step(x, y)                the instruction, on the value of a chain and that of the next chain
#pragma once

#include <cstring>
#include <string>
#include <vector>

#include "device.h"

namespace probe {

/// 16 warps, 4 for each scheduler, with 8 chains each: 32 independent instructions.
constexpr unsigned kChainThreads = 512, kChainWarps = kChainThreads / 32, kChains = 8;
/// Steps in the timed loop, whose own instructions are 3 or 4 to 256 of these.
constexpr unsigned kChainUnroll = 32;
constexpr unsigned kChainRounds = 128;

/// Loaded from memory, each lane its own, so that the compiler can neither reason about them nor keep them in
/// uniform registers, for which it takes other instructions.
struct Operands {
  unsigned word[4];
};

template <class Op>
struct ChainValues {
  typename Op::Value of[kChains];
};

template <class Op>
__global__ void __launch_bounds__(kChainThreads)
    chains_kernel(unsigned rounds, const Operands* operands, ChainValues<Op>* results, Span* spans) {
  const Op op(operands[threadIdx.x % 32], threadIdx.x % 32);
  typename Op::Value x[kChains];
#pragma unroll
  for (unsigned c = 0; c < kChains; ++c) x[c] = Op::start(threadIdx.x, c);
  __syncthreads();
  const Span start = now();
#pragma unroll 1
  for (unsigned round = 0; round < rounds; ++round) {
#pragma unroll
    for (unsigned i = 0; i < kChainUnroll; ++i) {
#pragma unroll
      for (unsigned c = 0; c < kChains; ++c) x[c] = op.step(x[c], x[(c + 1) % kChains]);
    }
  }
  __syncthreads();
  const Span span = since(start);
  if (threadIdx.x == 0) spans[blockIdx.x] = span;
#pragma unroll
  for (unsigned c = 0; c < kChains; ++c) results[blockIdx.x * kChainThreads + threadIdx.x].of[c] = x[c];
}

template <class Op>
struct Chains {
  std::vector<ChainValues<Op>> results;  ///< of each thread of each block
  std::vector<Span> spans;               ///< of each block
  unsigned steps = 0;                    ///< of each chain

  /// Instructions of a block, one a thread, over its ticks; the median of the blocks.
  [[nodiscard]] double per_tick() const {
    return static_cast<double>(kChainThreads * kChains) * steps / median_ticks(spans);
  }
  /// Ticks of a scheduler for an instruction of a warp.
  [[nodiscard]] double ticks_per_warp() const { return 128 / per_tick(); }

  /// Empty when all blocks, which do the same, ended with the same.
  [[nodiscard]] std::string difference() const {
    for (std::size_t i = kChainThreads; i < results.size(); ++i) {
      if (std::memcmp(&results[i], &results[i % kChainThreads], sizeof(results[i])) != 0) {
        return "multiprocessors differ";
      }
    }
    return {};
  }
};

/// The chains of an operation on every multiprocessor at once.
template <class Op>
Chains<Op> run_chains(const Target& target, const Operands& operands, unsigned rounds = kChainRounds) {
  const unsigned blocks = target.multiprocessors();
  const std::vector<Operands> of_lanes(32, operands);
  const ensyn::cuda::DeviceBuffer<Operands> given(of_lanes.size(), "operands");
  const ensyn::cuda::DeviceBuffer<ChainValues<Op>> results(std::size_t{blocks} * kChainThreads, "results");
  const ensyn::cuda::DeviceBuffer<Span> spans(blocks, "spans");
  ensyn::cuda::copy_to_device(given.data(), std::span<const Operands>(of_lanes), target.stream.get());
  // So much shared memory that no second block fits on a multiprocessor.
  const Shape shape{blocks, kChainThreads, target.shared_bytes / 2 + 1024};
  // The first launch warms the instruction cache and the clock.
  for (const unsigned count : {kChainRounds, rounds}) {
    launch(target.stream, "chains", chains_kernel<Op>, shape, count, given.data(), results.data(),
           spans.data());
  }
  return {values(results, target.stream), values(spans, target.stream), rounds * kChainUnroll};
}

}  // namespace probe
