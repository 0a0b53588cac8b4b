#include "host/cuda/memory.h"

#include <string>

#include "ensyn/error.h"

namespace ensyn::cuda {
namespace {

std::string mebibytes(std::size_t bytes) {
  return std::to_string((bytes + (1u << 20) - 1) >> 20) + " MiB";
}

}  // namespace

void* allocate_device(std::size_t bytes, const char* what) {
  if (bytes == 0) return nullptr;
  void* memory = nullptr;
  const cudaError_t status = cudaMalloc(&memory, bytes);
  if (status == cudaErrorMemoryAllocation) {
    ignore(status);
    std::size_t free = 0, total = 0;
    ignore(cudaMemGetInfo(&free, &total));
    throw OutOfMemoryError("not enough device memory for " + std::string(what) + ": asked for " +
                           mebibytes(bytes) + ", " + mebibytes(free) + " of " + mebibytes(total) +
                           " are free; train fewer networks at once, or a smaller one");
  }
  check(status, "cudaMalloc");
  return memory;
}

void* allocate_pinned(std::size_t bytes, const char* what) {
  if (bytes == 0) return nullptr;
  void* memory = nullptr;
  const cudaError_t status = cudaMallocHost(&memory, bytes);
  if (status == cudaErrorMemoryAllocation) {
    ignore(status);
    throw OutOfMemoryError("not enough pinned host memory for " + std::string(what) + ": asked for " +
                           mebibytes(bytes));
  }
  check(status, "cudaMallocHost");
  return memory;
}

void free_device(void* memory) noexcept {
  if (memory != nullptr) ignore(cudaFree(memory));
}

void free_pinned(void* memory) noexcept {
  if (memory != nullptr) ignore(cudaFreeHost(memory));
}

}  // namespace ensyn::cuda
