// Kernels without faults give the right results in every order, and the race detector has nothing to say.

#include "kernels.h"

#include <array>
#include <numeric>

#include "buffer.h"

namespace simt_test {
namespace {

using Kernels = Emulation;

TEST_F(Kernels, BlockSum) {
  const Buffer<float> in(counting(5 * kThreads));
  in_each_order([&] {
    const Buffer<float> out(5);
    block_sum(in.data(), out.data(), 5, nullptr);
    const auto values = in.read(), sums = out.read();
    for (int b = 0; b < 5; ++b) {
      const auto first = values.begin() + b * kThreads;
      EXPECT_EQ(sums[static_cast<std::size_t>(b)], std::accumulate(first, first + kThreads, 0.0f));
    }
  });
}

TEST_F(Kernels, StaticSharedMemory) {
  const Buffer<float> in(std::vector<float>(3 * kThreads, 2.0f));
  in_each_order([&] {
    const Buffer<float> out(3);
    static_shared_sum(in.data(), out.data(), 3, nullptr);
    EXPECT_EQ(out.read(), std::vector<float>(3, 2.0f * kThreads));
  });
}

TEST_F(Kernels, Transpose) {
  for (const int rows : {1, 16, 33}) {
    const int columns = 50;
    const auto count = static_cast<std::size_t>(rows * columns);
    const Buffer<float> in(counting(count));
    in_each_order([&] {
      const Buffer<float> out(count);
      transpose(in.data(), out.data(), rows, columns, nullptr);
      const auto result = out.read();
      for (int r = 0; r < rows; ++r) {
        for (int c = 0; c < columns; ++c) {
          ASSERT_EQ(result[static_cast<std::size_t>(c * rows + r)],
                    static_cast<float>((r * columns + c) % 1000));
        }
      }
    });
  }
}

TEST_F(Kernels, SumsOfWarps) {
  const Buffer<float> in(counting(96));
  in_each_order([&] {
    const Buffer<float> warps(3), halves(6);
    warp_sum(in.data(), warps.data(), 3, nullptr);
    half_warp_sum(in.data(), halves.data(), 3, nullptr);
    EXPECT_EQ(warps.read(), (std::vector<float>{496, 1520, 2544}));
    EXPECT_EQ(halves.read(), (std::vector<float>{120, 376, 632, 888, 1144, 1400}));
  });
}

TEST_F(Kernels, ClusterExchange) {
  const Buffer<float> in(counting(8 * kThreads));
  in_each_order([&] {
    const Buffer<float> out(8 * kThreads);
    cluster_rotate(in.data(), out.data(), 2, nullptr);
    const auto from = in.read(), to = out.read();
    for (std::size_t i = 0; i < to.size(); ++i) {
      const std::size_t block = i / kThreads, next = block / 4 * 4 + (block + 1) % 4;
      ASSERT_EQ(to[i], from[next * kThreads + i % kThreads]);
    }
  });
}

using Words = std::array<std::uint32_t, 4>;

/// Philox4x32-10 by its definition (Salmon et al. 2011).
Words philox_by_definition(Words counter, std::uint32_t key0, std::uint32_t key1) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t a = std::uint64_t{0xD2511F53u} * counter[0],
                        b = std::uint64_t{0xCD9E8D57u} * counter[2];
    counter = {static_cast<std::uint32_t>(b >> 32) ^ counter[1] ^ key0, static_cast<std::uint32_t>(b),
               static_cast<std::uint32_t>(a >> 32) ^ counter[3] ^ key1, static_cast<std::uint32_t>(a)};
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
  return counter;
}

TEST_F(Kernels, PhiloxKnownAnswers) {
  // Random123's vectors.
  const Words zeros{0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u};
  EXPECT_EQ(philox_by_definition({0, 0, 0, 0}, 0, 0), zeros);
  EXPECT_EQ(
      philox_by_definition({0xffffffffu, 0xffffffffu, 0xffffffffu, 0xffffffffu}, 0xffffffffu, 0xffffffffu),
      (Words{0x408f276du, 0x41c83b0eu, 0xa20bc7c6u, 0x6d5451fdu}));
  EXPECT_EQ(
      philox_by_definition({0x243f6a88u, 0x85a308d3u, 0x13198a2eu, 0x03707344u}, 0xa4093822u, 0x299f31d0u),
      (Words{0xd16cfe09u, 0x94fdccebu, 0x5001e420u, 0x24126ea1u}));
  const std::uint64_t some[] = {0, 1, 0x123456789ABCDEF0u, 0x2FFFFFFFFFFFFFFFu};
  for (const std::uint64_t seed : some) {
    for (const std::uint64_t subsequence : some) {
      for (const std::uint64_t block : some) {
        const Buffer<std::uint32_t> words(4);
        philox(seed, subsequence, 4 * block, words.data(), nullptr);
        const auto low = [](std::uint64_t x) { return static_cast<std::uint32_t>(x); };
        const std::uint64_t counter = 4 * block / 4;  // the offset counts words and wraps
        const Words expected =
            philox_by_definition({low(counter), low(counter >> 32), low(subsequence), low(subsequence >> 32)},
                                 low(seed), low(seed >> 32));
        ASSERT_EQ(words.read(), std::vector<std::uint32_t>(expected.begin(), expected.end()));
      }
    }
  }
}

TEST_F(Kernels, Votes) {
  std::vector<int> votes(kThreads, 0);
  for (std::size_t i = 0; i < 32; ++i) votes[i] = 1;
  votes[40] = 1;
  const Buffer<int> in(votes);
  in_each_order([&] {
    const Buffer<int> counts(3), ballots(3 * kThreads / 32);
    count_votes(in.data(), counts.data(), ballots.data(), nullptr);
    EXPECT_EQ(counts.read(), (std::vector<int>{33, 0, 1}));
    const auto found = ballots.read();
    EXPECT_EQ(std::vector<int>(found.begin(), found.begin() + 9),
              (std::vector<int>{-1, 1, 1, 1 << 8, 1, 0, 0, 0, 0}));
  });
}

TEST_F(Kernels, Atomics) {
  in_each_order([&] {
    const Buffer<float> sum(std::vector<float>{0});
    const Buffer<int> maximum(std::vector<int>{-1}), count(std::vector<int>{0, 0});
    add_atomically(sum.data(), maximum.data(), count.data(), 3, nullptr);
    EXPECT_EQ(sum.read()[0], 1.5f * kThreads);
    EXPECT_EQ(maximum.read()[0], 3 * kThreads - 1);
    EXPECT_EQ(count.read(), (std::vector<int>{3 * kThreads, 3 * kThreads / 2}));
  });
}

TEST_F(Kernels, RotationInsideWarps) {
  const Buffer<float> in(counting(kThreads));
  in_each_order([&] {
    const Buffer<float> out(kThreads);
    warp_rotate(in.data(), out.data(), nullptr);
    const auto result = out.read();
    for (std::size_t i = 0; i < result.size(); ++i) {
      ASSERT_EQ(result[i], static_cast<float>(i / 32 * 32 + (i + 1) % 32));
    }
  });
}

TEST_F(Kernels, NeighbouringBytesAreNoRace) {
  const Buffer<std::uint8_t> in(std::vector<std::uint8_t>(1000, 3));
  in_each_order([&] {
    const Buffer<std::uint8_t> out(1000);
    sum_bytes(in.data(), out.data(), 1000, nullptr);
    EXPECT_EQ(out.read(), std::vector<std::uint8_t>(1000, 6));
  });
}

}  // namespace
}  // namespace simt_test
