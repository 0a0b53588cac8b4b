// Allocation, copies and fills of the emulated runtime.

#include <cstring>
#include <optional>
#include <utility>
#include <vector>

#include "device_memory.h"
#include "runtime.h"

using simt::call;
using simt::MemoryKind;
using simt::Runtime;
using simt::Throws;

namespace simt {
namespace {

std::size_t used_bytes(int device) {
  std::size_t used = 0;
  for (const auto& [begin, allocation] : device_memory().allocations()) {
    if (allocation.kind == MemoryKind::kDevice && allocation.device == device) used += allocation.bytes;
  }
  return used;
}

const Device& device_settings() {
  return settings().devices[static_cast<std::size_t>(current_device())];
}

cudaError_t allocate(void** pointer, std::size_t bytes, MemoryKind kind, Runtime& all) {
  if (pointer == nullptr) return cudaErrorInvalidValue;
  if (const cudaError_t status = all.refuse_in_capture(); status != cudaSuccess) return status;
  *pointer = nullptr;
  if (bytes == 0) return cudaSuccess;
  if (comes_due(settings().fail_allocation)) return cudaErrorMemoryAllocation;
  const int device = current_device();
  if (kind == MemoryKind::kDevice && bytes > device_settings().memory_bytes - used_bytes(device)) {
    return cudaErrorMemoryAllocation;
  }
  *pointer = device_memory().allocate(bytes, kind, device);
  return *pointer != nullptr ? cudaSuccess : cudaErrorMemoryAllocation;
}

cudaError_t release(void* pointer, MemoryKind kind, Runtime& all) {
  if (pointer == nullptr) return cudaSuccess;
  if (const cudaError_t status = all.refuse_in_capture(); status != cudaSuccess) return status;
  const Allocation* found = device_memory().find(pointer);
  if (found == nullptr || found->begin != pointer || found->kind != kind) {
    if (device_memory().in_range(pointer) && found == nullptr) throw Error("memory is freed twice");
    return cudaErrorInvalidValue;
  }
  const Allocation freed = *found;
  if (kind == MemoryKind::kDevice) all.run_all();
  const std::string fault = device_memory().check_guards();
  device_memory().free(freed);
  if (!fault.empty()) throw Error(fault);
  return cudaSuccess;
}

enum class Side { kPageable, kPinned, kDevice };

/// Where `bytes` bytes at `pointer` lie. \throws Error if they lie in memory that was freed or across an end
Side side_of(const void* pointer, std::size_t bytes, const char* what) {
  if (!device_memory().in_range(pointer)) return Side::kPageable;
  const Allocation* found = device_memory().find(pointer);
  const auto offset = found != nullptr ? static_cast<const std::byte*>(pointer) - found->begin : 0;
  if (found == nullptr || static_cast<std::size_t>(offset) + bytes > found->bytes) {
    const auto* end = static_cast<const std::byte*>(pointer) + bytes;
    throw Error(std::string(what) + ": " + device_memory().explain(found == nullptr ? pointer : end) + " (" +
                std::to_string(bytes) + " bytes)");
  }
  return found->kind == MemoryKind::kDevice ? Side::kDevice : Side::kPinned;
}

bool fits(cudaMemcpyKind kind, Side to, Side from) {
  switch (kind) {
    case cudaMemcpyHostToHost:
      return to != Side::kDevice && from != Side::kDevice;
    case cudaMemcpyHostToDevice:
      return to == Side::kDevice && from != Side::kDevice;
    case cudaMemcpyDeviceToHost:
      return to != Side::kDevice && from == Side::kDevice;
    case cudaMemcpyDeviceToDevice:
      return to == Side::kDevice && from == Side::kDevice;
    case cudaMemcpyDefault:
      return true;
  }
  return false;
}

/// As late as the stream allows; from pageable memory what it holds now, to pageable memory before this
/// returns.
cudaError_t copy(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind, cudaStream_t stream,
                 Runtime& all) {
  if (bytes == 0) return cudaSuccess;
  if (to == nullptr || from == nullptr) return cudaErrorInvalidValue;
  const Side to_side = side_of(to, bytes, "destination of a copy");
  const Side from_side = side_of(from, bytes, "source of a copy");
  if (!fits(kind, to_side, from_side)) return cudaErrorInvalidValue;
  const auto queue = all.find(stream);
  if (queue == nullptr) return cudaErrorInvalidResourceHandle;
  const bool captured = queue->capture != nullptr;
  std::function<void()> work = [to, from, bytes] {
    side_of(to, bytes, "destination of a copy, freed before it ran");
    side_of(from, bytes, "source of a copy, freed before it ran");
    std::memmove(to, from, bytes);
  };
  if (from_side == Side::kPageable && !captured) {
    const auto* first = static_cast<const std::byte*>(from);
    work = [to, staged = std::vector(first, first + bytes)] {
      side_of(to, staged.size(), "destination of a copy, freed before it ran");
      std::memcpy(to, staged.data(), staged.size());
    };
  }
  const cudaError_t status = all.enqueue(stream, std::move(work), cudaGraphNodeTypeMemcpy);
  if (status == cudaSuccess && to_side == Side::kPageable && !captured) all.run_stream(*queue);
  return status;
}

cudaError_t fill(void* to, int value, std::size_t bytes, cudaStream_t stream, Runtime& all) {
  if (bytes == 0) return cudaSuccess;
  if (side_of(to, bytes, "memset") == Side::kPageable) return cudaErrorInvalidValue;
  return all.enqueue(
      stream,
      [to, value, bytes] {
        side_of(to, bytes, "memset, freed before it ran");
        std::memset(to, value, bytes);
      },
      cudaGraphNodeTypeMemset);
}

}  // namespace
}  // namespace simt

extern "C" {

cudaError_t cudaMalloc(void** pointer, std::size_t bytes) {
  return call([&](Runtime& all) { return simt::allocate(pointer, bytes, MemoryKind::kDevice, all); });
}

cudaError_t cudaMallocHost(void** pointer, std::size_t bytes) {
  return call([&](Runtime& all) { return simt::allocate(pointer, bytes, MemoryKind::kPinned, all); });
}

cudaError_t cudaHostAlloc(void** pointer, std::size_t bytes, unsigned) {
  return cudaMallocHost(pointer, bytes);
}

cudaError_t cudaFree(void* pointer) {
  return call([&](Runtime& all) { return simt::release(pointer, MemoryKind::kDevice, all); }, Throws::kNo);
}

cudaError_t cudaFreeHost(void* pointer) {
  return call([&](Runtime& all) { return simt::release(pointer, MemoryKind::kPinned, all); }, Throws::kNo);
}

/// The default stream: waits for streams that are blocking, not for others.
cudaError_t cudaMemcpy(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind) {
  return call([&](Runtime& all) {
    if (const cudaError_t status = all.refuse_in_capture(); status != cudaSuccess) return status;
    const cudaError_t status = simt::copy(to, from, bytes, kind, nullptr, all);
    if (status == cudaSuccess) all.run_stream(*all.default_stream);
    return status;
  });
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream) {
  return call([&](Runtime& all) { return simt::copy(to, from, bytes, kind, stream, all); });
}

cudaError_t cudaMemset(void* to, int value, std::size_t bytes) {
  return call([&](Runtime& all) {
    if (const cudaError_t status = all.refuse_in_capture(); status != cudaSuccess) return status;
    return simt::fill(to, value, bytes, nullptr, all);
  });
}

cudaError_t cudaMemsetAsync(void* to, int value, std::size_t bytes, cudaStream_t stream) {
  return call([&](Runtime& all) { return simt::fill(to, value, bytes, stream, all); });
}

cudaError_t cudaMemGetInfo(std::size_t* free, std::size_t* total) {
  return call([&](Runtime&) {
    *total = simt::device_settings().memory_bytes;
    *free = *total - simt::used_bytes(simt::current_device());
    return cudaSuccess;
  });
}

cudaError_t cudaPointerGetAttributes(cudaPointerAttributes* attributes, const void* pointer) {
  return call([&](Runtime&) {
    const simt::Allocation* found = simt::device_memory().find(pointer);
    *attributes = {};
    attributes->type = cudaMemoryTypeUnregistered;
    attributes->device = -2;
    if (found == nullptr) return cudaSuccess;
    attributes->type = found->kind == MemoryKind::kDevice ? cudaMemoryTypeDevice : cudaMemoryTypeHost;
    attributes->device = found->device;
    attributes->devicePointer = const_cast<void*>(pointer);
    if (found->kind == MemoryKind::kPinned) attributes->hostPointer = const_cast<void*>(pointer);
    return cudaSuccess;
  });
}

}  // extern "C"
