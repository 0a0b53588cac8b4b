/// \file
/// Turns the CUDA runtime's status codes into ensyn's exceptions.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>

namespace ensyn::cuda {

/// Does nothing on success. `what` names the call or kernel, for example "launch of noisy_forward".
/// \throws OutOfMemoryError for cudaErrorMemoryAllocation, DeviceError for everything else. The runtime's
/// sticky error is cleared where that can be done, so that the next call is judged by itself.
void check(cudaError_t status, const char* what);

/// As `check`, for destructors: an error is cleared and dropped, since there is nobody to tell.
void ignore(cudaError_t status) noexcept;

}  // namespace ensyn::cuda
