// The matrix product in place of cuBLAS's: plain loops, one fused multiply-add each.

#include <cmath>

#include "simt/host.h"

namespace simt {
namespace {

template <class T>
struct Product {
  bool transa, transb;
  int m, n, k;
  T alpha;
  const T* a;
  int lda;
  std::int64_t stride_a;
  const T* b;
  int ldb;
  std::int64_t stride_b;
  T beta;
  T* c;
  int ldc;
  std::int64_t stride_c;
  int batch;
};

std::int64_t at(int row, int column, int leading, bool transposed) {
  return transposed ? column + std::int64_t{row} * leading : row + std::int64_t{column} * leading;
}

template <class T>
void multiply(const Product<T>& of) {
  for (int p = 0; p < of.batch; ++p) {
    const T* a = of.a + p * of.stride_a;
    const T* b = of.b + p * of.stride_b;
    T* c = of.c + p * of.stride_c;
    for (int column = 0; column < of.n; ++column) {
      for (int row = 0; row < of.m; ++row) {
        T sum = 0;
        for (int i = 0; i < of.k; ++i) {
          sum = std::fma(a[at(row, i, of.lda, of.transa)], b[at(i, column, of.ldb, of.transb)], sum);
        }
        T& to = c[at(row, column, of.ldc, false)];
        to = of.beta == T(0) ? of.alpha * sum : std::fma(of.beta, to, of.alpha * sum);
      }
    }
  }
}

}  // namespace

template <class T>
cudaError_t gemm_strided_batched(cudaStream_t stream, bool transa, bool transb, int m, int n, int k, T alpha,
                                 const T* a, int lda, std::int64_t stride_a, const T* b, int ldb,
                                 std::int64_t stride_b, T beta, T* c, int ldc, std::int64_t stride_c,
                                 int batch) {
  const bool valid = m >= 0 && n >= 0 && k >= 0 && batch >= 0 && lda >= (transa ? k : m) &&
                     ldb >= (transb ? n : k) && ldc >= m && lda > 0 && ldb > 0 && ldc > 0;
  if (!valid) return cudaErrorInvalidValue;
  const Product<T> product{transa, transb, m,        n,    k, alpha, a,        lda,  stride_a,
                           b,      ldb,    stride_b, beta, c, ldc,   stride_c, batch};
  return enqueue(stream, [product] { multiply(product); });
}

template cudaError_t gemm_strided_batched(cudaStream_t, bool, bool, int, int, int, float, const float*, int,
                                          std::int64_t, const float*, int, std::int64_t, float, float*, int,
                                          std::int64_t, int);
template cudaError_t gemm_strided_batched(cudaStream_t, bool, bool, int, int, int, double, const double*, int,
                                          std::int64_t, const double*, int, std::int64_t, double, double*,
                                          int, std::int64_t, int);

}  // namespace simt
