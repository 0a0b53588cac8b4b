/// \file
/// Work that tests put into emulated streams: any function, and a plain matrix product in place of cuBLAS's.
#pragma once

#include <driver_types.h>

#include <cstdint>
#include <functional>

namespace simt {

/// Queues `work`, or adds it to the graph that is being captured.
[[nodiscard]] cudaError_t enqueue(cudaStream_t stream, std::function<void()> work);

/// cublas<t>gemmStridedBatched with host alpha and beta: column-major, C = alpha op(A) op(B) + beta C, where
/// C is not read if beta is 0. Sums in ascending k with fused multiply-adds.
template <class T>
[[nodiscard]] cudaError_t gemm_strided_batched(cudaStream_t stream, bool transa, bool transb, int m, int n,
                                               int k, T alpha, const T* a, int lda, std::int64_t stride_a,
                                               const T* b, int ldb, std::int64_t stride_b, T beta, T* c,
                                               int ldc, std::int64_t stride_c, int batch);

}  // namespace simt
