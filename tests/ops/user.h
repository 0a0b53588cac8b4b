/// \file
/// What a program of a user's has: memory from cudaMalloc, streams of its own, numbers to put in.
#pragma once

#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace user {

using Numbers = ::testing::Types<float, double>;

/// What a user's own error macro does.
inline void ok(cudaError_t status) {
  if (status != cudaSuccess) throw std::runtime_error(cudaGetErrorString(status));
}

class Stream {
 public:
  Stream() { ok(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking)); }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  ~Stream() { static_cast<void>(cudaStreamDestroy(stream_)); }
  [[nodiscard]] cudaStream_t get() const { return stream_; }
  void wait() const { ok(cudaStreamSynchronize(stream_)); }

 private:
  cudaStream_t stream_ = nullptr;
};

/// Elements in device memory; every byte 0xFF, which is NaN, until something is written.
template <class E>
class Array {
 public:
  explicit Array(std::size_t size) : size_(size) {
    void* memory = nullptr;
    ok(cudaMalloc(&memory, size * sizeof(E)));
    data_ = static_cast<E*>(memory);
    ok(cudaMemset(memory, 0xFF, size * sizeof(E)));
    ok(cudaDeviceSynchronize());
  }
  explicit Array(const std::vector<E>& values) : Array(values.size()) { write(values); }
  Array(Array&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  Array(const Array&) = delete;
  Array& operator=(const Array&) = delete;
  ~Array() { static_cast<void>(cudaFree(data_)); }

  [[nodiscard]] E* data() const { return data_; }
  [[nodiscard]] std::size_t size() const { return size_; }

  /// Both wait for all work of the device.
  void write(const std::vector<E>& values) {
    ok(cudaDeviceSynchronize());
    ok(cudaMemcpy(data_, values.data(), values.size() * sizeof(E), cudaMemcpyHostToDevice));
    ok(cudaDeviceSynchronize());
  }
  [[nodiscard]] std::vector<E> read() const {
    std::vector<E> values(size_);
    ok(cudaDeviceSynchronize());
    ok(cudaMemcpy(values.data(), data_, size_ * sizeof(E), cudaMemcpyDeviceToHost));
    return values;
  }

 private:
  E* data_ = nullptr;
  std::size_t size_ = 0;
};

/// Work captured once.
class Graph {
 public:
  Graph(const Stream& stream, const std::function<void()>& body) {
    ok(cudaStreamBeginCapture(stream.get(), cudaStreamCaptureModeGlobal));
    body();
    cudaGraph_t graph = nullptr;
    ok(cudaStreamEndCapture(stream.get(), &graph));
    ok(cudaGraphInstantiate(&graph_, graph, 0));
    ok(cudaGraphDestroy(graph));
  }
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;
  ~Graph() { static_cast<void>(cudaGraphExecDestroy(graph_)); }
  void launch(const Stream& stream) const { ok(cudaGraphLaunch(graph_, stream.get())); }

 private:
  cudaGraphExec_t graph_ = nullptr;
};

/// Numbers in [-1, 1], always the same, some of them 0.
template <class T>
std::vector<T> numbers(std::size_t size, unsigned seed = 1) {
  std::vector<T> values(size);
  std::uint32_t state = seed * 2654435761u + 1;
  for (T& value : values) {
    state = state * 1664525u + 1013904223u;
    const int step = static_cast<int>(state >> 24) - 128;
    value = step % 8 == 0 ? T(0) : static_cast<T>(step) / T(128);
  }
  return values;
}

}  // namespace user
