#include "host/cuda/blas.h"

#include <string>
#include <type_traits>

#include "ensyn/error.h"

namespace ensyn::cuda {
namespace {

constexpr std::size_t kWorkspace = std::size_t{32} << 20;  // what cuBLAS asks for on sm_90

void check_blas(cublasStatus_t status, const char* what) {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  const std::string text = std::string(what) + ": cuBLAS status " + std::to_string(static_cast<int>(status));
  if (status == CUBLAS_STATUS_ALLOC_FAILED) throw OutOfMemoryError(text + ", no memory left for cuBLAS");
  throw DeviceError(text);
}

const BlasFunctions* functions_or_throw() {
  const BlasFunctions* functions = blas_functions();
  if (functions == nullptr) {
    throw DeviceError("libcublas.so." + std::to_string(CUBLAS_VER_MAJOR) +
                      " was not found: install CUDA's cuBLAS or put its folder into LD_LIBRARY_PATH");
  }
  return functions;
}

}  // namespace

void Blas::Destroy::operator()(cublasHandle_t handle) const noexcept {
  static_cast<void>(blas_functions()->destroy(handle));
}

Blas::Blas(int networks, cudaStream_t stream)
    : functions_(functions_or_throw()),
      networks_(networks),
      workspace_(kWorkspace, "the workspace of cuBLAS") {
  cublasHandle_t handle = nullptr;
  check_blas(functions_->create(&handle), "cublasCreate");
  handle_.reset(handle);
  check_blas(functions_->set_stream(handle, stream), "cublasSetStream");
  check_blas(functions_->set_workspace(handle, workspace_.data(), workspace_.bytes()), "cublasSetWorkspace");
  check_blas(functions_->set_math_mode(handle, CUBLAS_PEDANTIC_MATH), "cublasSetMathMode");
}

// cuBLAS stores columns one after another, so it sees each matrix transposed: c^T = op(b)^T op(a)^T.
template <class T>
void Blas::gemm(cublasOperation_t of_b, cublasOperation_t of_a, int m, int n, int k, BatchedMatrix<const T> a,
                BatchedMatrix<const T> b, BatchedMatrix<T> c) const {
  const T one = 1, zero = 0;
  const auto call = [&](auto function) {
    check_blas(function(handle_.get(), of_b, of_a, n, m, k, &one, b.data, b.stride, b.network_stride, a.data,
                        a.stride, a.network_stride, &zero, c.data, c.stride, c.network_stride, networks_),
               "cublasGemmStridedBatched");
  };
  if constexpr (std::is_same_v<T, float>) {
    call(functions_->single_gemm);
  } else {
    call(functions_->double_gemm);
  }
}

template <class T>
void Blas::multiply_transposed(int m, int n, int k, BatchedMatrix<const T> a, BatchedMatrix<const T> b,
                               BatchedMatrix<T> c) const {
  gemm(CUBLAS_OP_T, CUBLAS_OP_N, m, n, k, a, b, c);
}

template <class T>
void Blas::multiply(int m, int n, int k, BatchedMatrix<const T> a, BatchedMatrix<const T> b,
                    BatchedMatrix<T> c) const {
  gemm(CUBLAS_OP_N, CUBLAS_OP_N, m, n, k, a, b, c);
}

template <class T>
void Blas::transposed_multiply(int m, int n, int k, BatchedMatrix<const T> a, BatchedMatrix<const T> b,
                               BatchedMatrix<T> c) const {
  gemm(CUBLAS_OP_N, CUBLAS_OP_T, m, n, k, a, b, c);
}

#define ENSYN_INSTANTIATE(T)                                                                             \
  template void Blas::multiply_transposed(int, int, int, BatchedMatrix<const T>, BatchedMatrix<const T>, \
                                          BatchedMatrix<T>) const;                                       \
  template void Blas::multiply(int, int, int, BatchedMatrix<const T>, BatchedMatrix<const T>,            \
                               BatchedMatrix<T>) const;                                                  \
  template void Blas::transposed_multiply(int, int, int, BatchedMatrix<const T>, BatchedMatrix<const T>, \
                                          BatchedMatrix<T>) const
ENSYN_INSTANTIATE(float);
ENSYN_INSTANTIATE(double);
#undef ENSYN_INSTANTIATE

}  // namespace ensyn::cuda
