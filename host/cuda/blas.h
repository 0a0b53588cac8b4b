/// \file
/// The three products of a layer by cuBLAS, for all networks at once. Row-major, as everywhere in ensyn.
#pragma once

#include <cstdint>
#include <memory>

#include "host/cuda/blas_library.h"
#include "host/cuda/memory.h"

namespace ensyn::cuda {

/// A matrix of each network.
template <class T>
struct BatchedMatrix {
  T* data = nullptr;
  int stride = 0;                   ///< elements from one row to the next
  std::int64_t network_stride = 0;  ///< elements from one network to the next
};

/// A handle with a workspace of its own, so that no call allocates and all can be captured. Arithmetic is
/// that of the type (no TF32), and a given shape gives the same bits each time.
class Blas {
 public:
  /// \throws DeviceError when cuBLAS is not there or does not start
  Blas(int networks, cudaStream_t stream);

  /// c = a b^T: (m x k) (n x k)^T
  template <class T>
  void multiply_transposed(int m, int n, int k, BatchedMatrix<const T> a, BatchedMatrix<const T> b,
                           BatchedMatrix<T> c) const;
  /// c = a b: (m x k) (k x n)
  template <class T>
  void multiply(int m, int n, int k, BatchedMatrix<const T> a, BatchedMatrix<const T> b,
                BatchedMatrix<T> c) const;
  /// c = a^T b: (k x m)^T (k x n)
  template <class T>
  void transposed_multiply(int m, int n, int k, BatchedMatrix<const T> a, BatchedMatrix<const T> b,
                           BatchedMatrix<T> c) const;

 private:
  template <class T>
  void gemm(cublasOperation_t of_b, cublasOperation_t of_a, int m, int n, int k, BatchedMatrix<const T> a,
            BatchedMatrix<const T> b, BatchedMatrix<T> c) const;

  struct Destroy {
    void operator()(cublasHandle_t handle) const noexcept;
  };
  const BlasFunctions* functions_;
  int networks_;
  DeviceBuffer<std::uint8_t> workspace_;
  std::unique_ptr<cublasContext, Destroy> handle_;
};

}  // namespace ensyn::cuda
