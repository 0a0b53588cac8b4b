// cuBLAS under emulation: the functions that the CUDA backend calls, by plain loops queued like kernels.

#include <cstddef>
#include <type_traits>

#include <simt/host.h>
#include "host/cuda/blas_library.h"

namespace ensyn::cuda {
namespace {

/// What stands behind a handle.
struct Handle {
  cudaStream_t stream = nullptr;
};

Handle& handle_of(cublasHandle_t handle) {
  return *reinterpret_cast<Handle*>(handle);
}

cublasStatus_t create(cublasHandle_t* handle) {
  *handle = reinterpret_cast<cublasHandle_t>(new Handle);
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t destroy(cublasHandle_t handle) {
  delete reinterpret_cast<Handle*>(handle);
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t set_stream(cublasHandle_t handle, cudaStream_t stream) {
  handle_of(handle).stream = stream;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t set_workspace(cublasHandle_t /*handle*/, void* workspace, std::size_t size) {
  return workspace != nullptr && size > 0 ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_INVALID_VALUE;
}

cublasStatus_t set_math_mode(cublasHandle_t /*handle*/, cublasMath_t mode) {
  return mode == CUBLAS_PEDANTIC_MATH ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_INVALID_VALUE;
}

template <class T>
cublasStatus_t gemm(cublasHandle_t handle, cublasOperation_t of_a, cublasOperation_t of_b, int m, int n,
                    int k, const T* alpha, const T* a, int lda, long long stride_a, const T* b, int ldb,
                    long long stride_b, const T* beta, T* c, int ldc, long long stride_c, int count) {
  const cudaError_t status = simt::gemm_strided_batched<T>(
      handle_of(handle).stream, of_a == CUBLAS_OP_T, of_b == CUBLAS_OP_T, m, n, k, *alpha, a, lda, stride_a,
      b, ldb, stride_b, *beta, c, ldc, stride_c, count);
  return status == cudaSuccess ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_EXECUTION_FAILED;
}

}  // namespace

const BlasFunctions* blas_functions() {
  static const BlasFunctions functions{create,        destroy,     set_stream,  set_workspace,
                                       set_math_mode, gemm<float>, gemm<double>};
  return &functions;
}

}  // namespace ensyn::cuda
