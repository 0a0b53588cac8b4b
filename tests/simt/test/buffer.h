/// \file
/// Device memory of a test, and a fixture that runs tests in one order after another.
#pragma once

#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include <vector>

#include "simt/settings.h"

namespace simt_test {

inline constexpr simt::Order kOrders[] = {simt::Order::kForward, simt::Order::kReverse,
                                          simt::Order::kShuffled};

template <class T>
class Buffer {
 public:
  explicit Buffer(std::size_t count) : count_(count) {
    void* memory = nullptr;
    EXPECT_EQ(cudaMalloc(&memory, count * sizeof(T)), cudaSuccess);
    data_ = static_cast<T*>(memory);
  }
  explicit Buffer(const std::vector<T>& values) : Buffer(values.size()) { write(values); }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer() { cudaFree(data_); }

  [[nodiscard]] T* data() const { return data_; }
  void write(const std::vector<T>& values) {
    EXPECT_EQ(cudaMemcpy(data_, values.data(), values.size() * sizeof(T), cudaMemcpyHostToDevice),
              cudaSuccess);
  }
  [[nodiscard]] std::vector<T> read() const {
    std::vector<T> values(count_);
    EXPECT_EQ(cudaMemcpy(values.data(), data_, count_ * sizeof(T), cudaMemcpyDeviceToHost), cudaSuccess);
    return values;
  }

 private:
  std::size_t count_;
  T* data_ = nullptr;
};

inline std::vector<float> counting(std::size_t count) {
  std::vector<float> values(count);
  for (std::size_t i = 0; i < count; ++i) values[i] = static_cast<float>(i % 1000);
  return values;
}

/// Every test begins with a new emulation and ends without leaks or errors that nobody saw.
class Emulation : public testing::Test {
 protected:
  void SetUp() override { simt::reset(); }
  void TearDown() override {
    EXPECT_NO_THROW(simt::check());
    EXPECT_EQ(simt::live_allocations(), 0u);
    EXPECT_EQ(simt::live_streams(), 0u);
    EXPECT_EQ(simt::live_events(), 0u);
    EXPECT_EQ(simt::live_graphs(), 0u);
    simt::reset();
  }

  /// Runs `body` in each order, the shuffled one with some seeds.
  template <class Body>
  static void in_each_order(const Body& body) {
    for (const simt::Order order : kOrders) {
      for (std::uint64_t seed = 1; seed <= (order == simt::Order::kShuffled ? 4u : 1u); ++seed) {
        simt::settings().order = order;
        simt::settings().seed = seed;
        body();
      }
    }
  }
};

}  // namespace simt_test
