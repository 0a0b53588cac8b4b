// Every planted fault is caught: by an Error, by the poison, by results that depend on the order of threads,
// or by AddressSanitizer. The race detector finds those that otherwise only show in results.

#include <gmock/gmock.h>

#include <cmath>
#include <functional>
#include <set>
#include <string>

#include "buffer.h"
#include "kernels.h"

namespace simt_test {
namespace {

using testing::HasSubstr;

#ifdef SIMT_ASAN
constexpr bool kAddressSanitizer = true;
#else
constexpr bool kAddressSanitizer = false;
#endif

class Faults : public Emulation {
 protected:
  /// Text of the Error that the work ends with, now or when the device is waited for; empty without one.
  static std::string error_of(const std::function<void()>& work) {
    try {
      work();
      EXPECT_EQ(cudaDeviceSynchronize(), cudaSuccess);
    } catch (const simt::Error& error) {
      return error.what();
    }
    return {};
  }

  static void expect_error(const std::function<void()>& work, const std::string& text) {
    in_each_order([&] { EXPECT_THAT(error_of(work), HasSubstr(text)); });
  }

  /// The race detector names it; without one some order gives a wrong result.
  static void expect_race(const std::function<void(float*)>& work, const std::vector<float>& right,
                          const std::string& text = "race on") {
    bool wrong = false;
    in_each_order([&] {
      const Buffer<float> out(right.size());
      const std::string error = error_of([&] { work(out.data()); });
      if (simt::race_detector()) {
        EXPECT_THAT(error, HasSubstr(text));
        wrong = true;
      } else {
        EXPECT_EQ(error, "");
        wrong = wrong || out.read() != right;
      }
    });
    EXPECT_TRUE(wrong);
  }
};

TEST_F(Faults, MissingBarrierBetweenWriteAndRead) {
  const Buffer<float> in(std::vector<float>(kThreads, 1.0f));
  expect_race([&](float* out) { sum_without_barrier(in.data(), out, nullptr); }, {kThreads});
}

TEST_F(Faults, MissingBarrierBeforeTheNextTile) {
  std::vector<float> values, right(kThreads, 6.0f);
  for (std::size_t i = 0; i < 4 * kThreads; ++i) values.push_back(static_cast<float>(i / kThreads));
  const Buffer<float> in(values);
  expect_race([&](float* out) { tiles_without_second_barrier(in.data(), out, nullptr); }, right);
}

TEST_F(Faults, DivergentBarriers) {
  const Buffer<float> out(kThreads);
  expect_error([&] { barrier_after_exit(out.data(), nullptr); }, "divergent barrier");
  expect_error([&] { barrier_in_branches(out.data(), nullptr); }, "divergent barrier");
  EXPECT_THAT(
      error_of([&] { barrier_after_exit(out.data(), nullptr); }),
      testing::AllOf(HasSubstr("100 threads"), HasSubstr("156 threads"), HasSubstr("faulty_kernels.cu:")));
}

TEST_F(Faults, MissingSyncwarp) {
  const Buffer<float> in(counting(kThreads));
  std::vector<float> right(kThreads);
  for (std::size_t i = 0; i < right.size(); ++i) right[i] = static_cast<float>(i / 32 * 32 + (i + 1) % 32);
  expect_race([&](float* out) { rotate_without_syncwarp(in.data(), out, nullptr); }, right);
}

TEST_F(Faults, ShufflesOfLanesThatAreNotThere) {
  const Buffer<float> out(kThreads);
  expect_error([&] { shuffle_after_exit(out.data(), nullptr); }, "which has exited or is outside the mask");
  expect_error([&] { shuffle_outside_mask(out.data(), nullptr); }, "reads lane 20");
}

TEST_F(Faults, ClusterWithoutItsFirstOrLastBarrier) {
  const Buffer<float> in(counting(4 * kThreads));
  std::vector<float> right(4 * kThreads);
  for (std::size_t i = 0; i < right.size(); ++i) right[i] = in.read()[(i + kThreads) % right.size()];
  expect_race([&](float* out) { rotate_without_first_cluster_barrier(in.data(), out, nullptr); }, right,
              "before the cluster's first barrier");
  expect_race([&](float* out) { rotate_without_last_cluster_barrier(in.data(), out, nullptr); }, right,
              "exit");
}

TEST_F(Faults, WritesOutOfBoundsOfGlobalMemory) {
  const Buffer<float> out(1000);
  for (const std::ptrdiff_t at : {-1, 1000, 1005}) {
    if (kAddressSanitizer) {
      EXPECT_DEATH(error_of([&] { write_at(out.data(), at, nullptr); }), "use-after-poison");
    } else {
      EXPECT_THAT(error_of([&] { write_at(out.data(), at, nullptr); }), HasSubstr("out-of-bounds write"));
    }
  }
  EXPECT_THAT(error_of([&] { write_at(out.data(), 2000, nullptr); }), HasSubstr("bytes behind the end"));
  // Not null, which UndefinedBehaviorSanitizer finds first.
  auto* low = reinterpret_cast<float*>(std::uintptr_t{64});
  EXPECT_THAT(error_of([&] { write_at(low, 0, nullptr); }), HasSubstr("access to address"));
}

TEST_F(Faults, WritesOutOfBoundsOfSharedMemory) {
  const Buffer<float> out(1);
  for (const std::ptrdiff_t at : {-1, kThreads, kThreads + 20}) {
    if (kAddressSanitizer) {
      EXPECT_DEATH(error_of([&] { write_shared_at(out.data(), at, nullptr); }), "use-after-poison");
    } else {
      EXPECT_THAT(error_of([&] { write_shared_at(out.data(), at, nullptr); }), HasSubstr("shared memory"));
    }
  }
}

TEST_F(Faults, UninitialisedMemoryIsNan) {
  const Buffer<float> out(1);
  EXPECT_TRUE(std::isnan(out.read()[0]));
  set(out.data(), 1, 0.0f, nullptr);
  sum_uninitialised_shared(out.data(), nullptr);
  EXPECT_TRUE(std::isnan(out.read()[0]));
}

TEST_F(Faults, TwoWritersOfOneWord) {
  std::set<float> results;
  in_each_order([&] {
    for (const auto& work : {threads_write_one_word, blocks_write_one_word}) {
      const Buffer<float> out(1);
      const std::string error = error_of([&] { work(out.data(), nullptr); });
      EXPECT_THAT(error, HasSubstr(simt::race_detector() ? "race on" : ""));
      EXPECT_EQ(error.empty(), !simt::race_detector());
      results.insert(out.read()[0]);
    }
  });
  EXPECT_GT(results.size(), simt::race_detector() ? 0u : 2u);
}

TEST_F(Faults, TwoWritersOfOneByte) {
  const Buffer<std::uint8_t> out(kThreads);
  std::set<int> results;
  in_each_order([&] {
    const std::string error = error_of([&] { neighbouring_bytes_overlap(out.data(), nullptr); });
    EXPECT_THAT(error, HasSubstr(simt::race_detector() ? "race on byte 10 of" : ""));
    results.insert(out.read()[10]);
  });
  EXPECT_EQ(results.size(), 2u);
}

TEST_F(Faults, LaunchesThatNoDeviceAccepts) {
  const Buffer<float> out(1);
  EXPECT_THAT(error_of([&] { wrong_shared_bytes(out.data(), nullptr); }),
              HasSubstr("block_shared needs 1024 bytes"));
  EXPECT_THAT(error_of([&] { too_many_threads(out.data(), nullptr); }), HasSubstr("1024 threads"));
  EXPECT_THAT(error_of([&] { too_much_shared_memory(out.data(), nullptr); }), HasSubstr("more than 227 KiB"));
  EXPECT_THAT(error_of([&] { too_large_grid(out.data(), nullptr); }), HasSubstr("65535"));
}

TEST_F(Faults, UseAfterFree) {
  float* freed = nullptr;
  {
    const Buffer<float> memory(100);
    freed = memory.data();
  }
  EXPECT_THAT(error_of([&] { set(freed, 100, 1.0f, nullptr); }), HasSubstr("freed"));
  float value = 0;
  EXPECT_THAT(error_of([&] { cudaMemcpy(&value, freed, 4, cudaMemcpyDeviceToHost); }), HasSubstr("freed"));
  cudaFree(freed);
  EXPECT_THROW(simt::check(), simt::Error);
}

TEST_F(Faults, WorkAfterAnErrorRunsAsUsual) {
  const Buffer<float> out(kThreads);
  EXPECT_NE(error_of([&] { barrier_after_exit(out.data(), nullptr); }), "");
  set(out.data(), kThreads, 3.0f, nullptr);
  EXPECT_EQ(out.read(), std::vector<float>(kThreads, 3.0f));
}

TEST_F(Faults, LeaksAreCounted) {
  void* memory = nullptr;
  void* pinned = nullptr;
  ASSERT_EQ(cudaMalloc(&memory, 1000), cudaSuccess);
  ASSERT_EQ(cudaMallocHost(&pinned, 24), cudaSuccess);
  EXPECT_EQ(simt::live_allocations(), 2u);
  EXPECT_EQ(simt::allocated_bytes(), 1024u);
  cudaFree(memory);
  cudaFreeHost(pinned);
  EXPECT_EQ(simt::live_allocations(), 0u);
}

}  // namespace
}  // namespace simt_test
