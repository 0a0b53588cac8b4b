/// \file
/// Owners of device and pinned host memory. Move-only: a buffer is large and belongs to one place.
#pragma once

#include <cstddef>
#include <span>
#include <utility>

#include "host/cuda/runtime.h"

namespace ensyn::cuda {

/// Allocates `bytes` of device memory, null for 0. \throws OutOfMemoryError that says how much was asked for,
/// for what, and how much is free
[[nodiscard]] void* allocate_device(std::size_t bytes, const char* what);
/// As above for pinned host memory, which asynchronous copies need.
[[nodiscard]] void* allocate_pinned(std::size_t bytes, const char* what);
void free_device(void* memory) noexcept;
void free_pinned(void* memory) noexcept;

/// `size` elements that `Release` gives back.
template <class T, void* (*Allocate)(std::size_t, const char*), void (*Release)(void*) noexcept>
class Buffer {
 public:
  Buffer() = default;
  /// \param what names the buffer in an error.
  Buffer(std::size_t size, const char* what)
      : data_(static_cast<T*>(Allocate(size * sizeof(T), what))), size_(size) {}
  Buffer(Buffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  Buffer& operator=(Buffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer() { Release(data_); }

  [[nodiscard]] T* data() const noexcept { return data_; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] std::size_t bytes() const noexcept { return size_ * sizeof(T); }

 private:
  T* data_ = nullptr;
  std::size_t size_ = 0;
};

template <class T>
using DeviceBuffer = Buffer<T, allocate_device, free_device>;

/// Pinned host memory; its elements may be read once the stream that writes them was waited for.
template <class T>
using PinnedBuffer = Buffer<T, allocate_pinned, free_pinned>;

/// Queues a copy to the device. The source must stay unchanged until the stream has been waited for, unless
/// it is pageable, when the runtime takes its own copy first.
template <class T>
void copy_to_device(T* to, std::span<const T> from, cudaStream_t stream) {
  if (from.empty()) return;
  check(cudaMemcpyAsync(to, from.data(), from.size_bytes(), cudaMemcpyHostToDevice, stream),
        "copy to the device");
}

/// Queues a copy from the device.
template <class T>
void copy_from_device(std::span<T> to, const T* from, cudaStream_t stream) {
  if (to.empty()) return;
  check(cudaMemcpyAsync(to.data(), from, to.size_bytes(), cudaMemcpyDeviceToHost, stream),
        "copy from the device");
}

/// Queues filling with zero bytes.
template <class T>
void clear(const DeviceBuffer<T>& buffer, cudaStream_t stream) {
  if (buffer.size() == 0) return;
  check(cudaMemsetAsync(buffer.data(), 0, buffer.bytes(), stream), "clearing device memory");
}

}  // namespace ensyn::cuda
