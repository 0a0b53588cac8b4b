// Devices, errors and functions' attributes of the emulated runtime.

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <utility>

#include "runtime.h"

using simt::call;
using simt::Runtime;

namespace simt {
namespace {

constexpr int kVersion = CUDART_VERSION;
constexpr int kSharedBytes = 48 * 1024, kSharedBytesOptIn = 227 * 1024,
              kSharedBytesPerMultiprocessor = 228 * 1024;
constexpr int kThreadsPerBlock = 1024, kThreadsPerMultiprocessor = 2048, kBlocksPerMultiprocessor = 32;
constexpr int kRegisters = 65536, kL2Bytes = 50 << 20;

bool exists(int device) {
  return device >= 0 && static_cast<std::size_t>(device) < settings().devices.size();
}

void fill(cudaDeviceProp& to, const Device& from, int number) {
  to = {};
  std::snprintf(to.name, sizeof(to.name), "SIMT emulation %d", number);
  to.totalGlobalMem = from.memory_bytes;
  to.major = from.major;
  to.minor = from.minor;
  to.multiProcessorCount = from.multiprocessors;
  to.sharedMemPerBlock = kSharedBytes;
  to.sharedMemPerBlockOptin = kSharedBytesOptIn;
  to.sharedMemPerMultiprocessor = kSharedBytesPerMultiprocessor;
  to.regsPerBlock = to.regsPerMultiprocessor = kRegisters;
  to.warpSize = 32;
  to.maxThreadsPerBlock = kThreadsPerBlock;
  to.maxThreadsPerMultiProcessor = kThreadsPerMultiprocessor;
  to.maxBlocksPerMultiProcessor = kBlocksPerMultiprocessor;
  const int block[] = {1024, 1024, 64}, grid[] = {0x7FFFFFFF, 65535, 65535};
  std::copy(std::begin(block), std::end(block), to.maxThreadsDim);
  std::copy(std::begin(grid), std::end(grid), to.maxGridSize);
  to.l2CacheSize = kL2Bytes;
  to.memoryBusWidth = 5120;
  to.unifiedAddressing = to.concurrentKernels = to.canMapHostMemory = 1;
  to.asyncEngineCount = 3;
  to.clusterLaunch = from.major >= 9 ? 1 : 0;
  to.pciBusID = number + 1;
}

int attribute(const Device& device, cudaDeviceAttr which) {
  switch (which) {
    case cudaDevAttrComputeCapabilityMajor:
      return device.major;
    case cudaDevAttrComputeCapabilityMinor:
      return device.minor;
    case cudaDevAttrMultiProcessorCount:
      return device.multiprocessors;
    case cudaDevAttrMaxThreadsPerBlock:
      return kThreadsPerBlock;
    case cudaDevAttrMaxThreadsPerMultiProcessor:
      return kThreadsPerMultiprocessor;
    case cudaDevAttrMaxBlocksPerMultiprocessor:
      return kBlocksPerMultiprocessor;
    case cudaDevAttrMaxBlockDimX:
    case cudaDevAttrMaxBlockDimY:
      return 1024;
    case cudaDevAttrMaxBlockDimZ:
      return 64;
    case cudaDevAttrMaxGridDimX:
      return 0x7FFFFFFF;
    case cudaDevAttrMaxGridDimY:
    case cudaDevAttrMaxGridDimZ:
      return 65535;
    case cudaDevAttrMaxSharedMemoryPerBlock:
      return kSharedBytes;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin:
      return kSharedBytesOptIn;
    case cudaDevAttrMaxSharedMemoryPerMultiprocessor:
      return kSharedBytesPerMultiprocessor;
    case cudaDevAttrMaxRegistersPerBlock:
    case cudaDevAttrMaxRegistersPerMultiprocessor:
      return kRegisters;
    case cudaDevAttrL2CacheSize:
      return kL2Bytes;
    case cudaDevAttrClockRate:
      return 1'000'000;
    case cudaDevAttrWarpSize:
      return 32;
    case cudaDevAttrClusterLaunch:
      return device.major >= 9 ? 1 : 0;
    case cudaDevAttrMemoryPoolsSupported:
      return 0;
    case cudaDevAttrConcurrentKernels:
    case cudaDevAttrUnifiedAddressing:
      return 1;
    default:
      return 0;
  }
}

struct ErrorText {
  cudaError_t error;
  const char* name;
  const char* text;
};

constexpr ErrorText kErrors[] = {
    {cudaSuccess, "cudaSuccess", "no error"},
    {cudaErrorInvalidValue, "cudaErrorInvalidValue", "invalid argument"},
    {cudaErrorMemoryAllocation, "cudaErrorMemoryAllocation", "out of memory"},
    {cudaErrorInitializationError, "cudaErrorInitializationError", "initialization error"},
    {cudaErrorInsufficientDriver, "cudaErrorInsufficientDriver",
     "CUDA driver version is insufficient for CUDA runtime version"},
    {cudaErrorNoDevice, "cudaErrorNoDevice", "no CUDA-capable device is detected"},
    {cudaErrorInvalidDevice, "cudaErrorInvalidDevice", "invalid device ordinal"},
    {cudaErrorIllegalState, "cudaErrorIllegalState",
     "the operation cannot be performed in the present state"},
    {cudaErrorInvalidResourceHandle, "cudaErrorInvalidResourceHandle", "invalid resource handle"},
    {cudaErrorNotReady, "cudaErrorNotReady", "device not ready"},
    {cudaErrorIllegalAddress, "cudaErrorIllegalAddress", "an illegal memory access was encountered"},
    {cudaErrorLaunchOutOfResources, "cudaErrorLaunchOutOfResources",
     "too many resources requested for launch"},
    {cudaErrorInvalidConfiguration, "cudaErrorInvalidConfiguration", "invalid configuration argument"},
    {cudaErrorLaunchFailure, "cudaErrorLaunchFailure", "unspecified launch failure"},
    {cudaErrorNotSupported, "cudaErrorNotSupported", "operation not supported"},
    {cudaErrorStreamCaptureUnsupported, "cudaErrorStreamCaptureUnsupported",
     "operation not permitted when stream is capturing"},
    {cudaErrorStreamCaptureInvalidated, "cudaErrorStreamCaptureInvalidated",
     "operation failed due to a previous error during capture"},
    {cudaErrorStreamCaptureMerge, "cudaErrorStreamCaptureMerge",
     "operation would result in a merge of separate capture sequences"},
    {cudaErrorStreamCaptureUnmatched, "cudaErrorStreamCaptureUnmatched",
     "capture was not ended in the same stream"},
    {cudaErrorStreamCaptureUnjoined, "cudaErrorStreamCaptureUnjoined", "capturing stream has unjoined work"},
    {cudaErrorStreamCaptureIsolation, "cudaErrorStreamCaptureIsolation",
     "dependency created on uncaptured work in another stream"},
    {cudaErrorStreamCaptureImplicit, "cudaErrorStreamCaptureImplicit",
     "operation would make the legacy stream depend on a capturing blocking stream"},
    {cudaErrorCapturedEvent, "cudaErrorCapturedEvent",
     "operation not permitted on an event last recorded in a capture"},
    {cudaErrorUnknown, "cudaErrorUnknown", "unknown error"},
};

const ErrorText& text_of(cudaError_t error) {
  static constexpr ErrorText kUnrecognised{cudaErrorUnknown, "unrecognized error code",
                                           "unrecognized error code"};
  const auto* found = std::find_if(std::begin(kErrors), std::end(kErrors),
                                   [&](const ErrorText& known) { return known.error == error; });
  return found != std::end(kErrors) ? *found : kUnrecognised;
}

}  // namespace
}  // namespace simt

extern "C" {

/// Without a device, or with too old a driver, `count` is left as it was.
cudaError_t cudaGetDeviceCount(int* count) {
  return call([&](Runtime&) {
    *count = static_cast<int>(simt::settings().devices.size());
    return cudaSuccess;
  });
}

cudaError_t cudaSetDevice(int device) {
  return call([&](Runtime&) {
    if (!simt::exists(device)) return cudaErrorInvalidDevice;
    simt::current_device() = device;
    return cudaSuccess;
  });
}

cudaError_t cudaGetDevice(int* device) {
  return call([&](Runtime&) {
    *device = simt::current_device();
    return cudaSuccess;
  });
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
  return call([&](Runtime&) {
    if (!simt::exists(device)) return cudaErrorInvalidDevice;
    simt::fill(*properties, simt::settings().devices[static_cast<std::size_t>(device)], device);
    return cudaSuccess;
  });
}

cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr which, int device) {
  return call([&](Runtime&) {
    if (!simt::exists(device)) return cudaErrorInvalidDevice;
    *value = simt::attribute(simt::settings().devices[static_cast<std::size_t>(device)], which);
    return cudaSuccess;
  });
}

cudaError_t cudaDriverGetVersion(int* version) {
  *version = simt::settings().old_driver ? 11000 : simt::kVersion;
  return cudaSuccess;
}

cudaError_t cudaRuntimeGetVersion(int* version) {
  *version = simt::kVersion;
  return cudaSuccess;
}

cudaError_t cudaGetLastError() {
  Runtime& all = simt::runtime();
  const std::lock_guard lock(all.mutex);
  return std::exchange(all.last_error, all.sticky_error);
}

cudaError_t cudaPeekAtLastError() {
  Runtime& all = simt::runtime();
  const std::lock_guard lock(all.mutex);
  return all.last_error;
}

const char* cudaGetErrorName(cudaError_t error) {
  return simt::text_of(error).name;
}

const char* cudaGetErrorString(cudaError_t error) {
  return simt::text_of(error).text;
}

cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* attributes, const void*) {
  return call([&](Runtime&) {
    *attributes = {};
    attributes->maxThreadsPerBlock = simt::kThreadsPerBlock;
    attributes->maxDynamicSharedSizeBytes = simt::kSharedBytes;
    attributes->numRegs = 32;
    attributes->ptxVersion = attributes->binaryVersion = 90;
    return cudaSuccess;
  });
}

/// Accepted and without effect: launches are held to the most that may be asked for.
cudaError_t cudaFuncSetAttribute(const void*, cudaFuncAttribute, int) {
  return call([](Runtime&) { return cudaSuccess; });
}

cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, const void*, int block_threads,
                                                          std::size_t shared_bytes) {
  return call([&](Runtime&) {
    if (block_threads <= 0 || block_threads > simt::kThreadsPerBlock) return cudaErrorInvalidValue;
    const int by_threads = simt::kThreadsPerMultiprocessor / block_threads;
    const int by_shared = static_cast<int>(simt::kSharedBytesPerMultiprocessor / (shared_bytes + 1024));
    *blocks = std::min({by_threads, by_shared, simt::kBlocksPerMultiprocessor});
    return cudaSuccess;
  });
}

}  // extern "C"
