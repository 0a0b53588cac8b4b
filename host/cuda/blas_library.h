/// \file
/// cuBLAS, loaded when it is first needed: linked in, its 600 MB would cost every start of the program 0.15 s
/// and 200 MB of memory, whether it computes on a GPU or not. The tests' emulation has a source of its own in
/// place of blas_library.cpp.
#pragma once

#include <cublas_v2.h>

namespace ensyn::cuda {

/// The functions of cuBLAS that ensyn calls.
struct BlasFunctions {
  decltype(&cublasCreate_v2) create = nullptr;
  decltype(&cublasDestroy_v2) destroy = nullptr;
  decltype(&cublasSetStream_v2) set_stream = nullptr;
  decltype(&cublasSetWorkspace_v2) set_workspace = nullptr;
  decltype(&cublasSetMathMode) set_math_mode = nullptr;
  decltype(&cublasSgemmStridedBatched) single_gemm = nullptr;
  decltype(&cublasDgemmStridedBatched) double_gemm = nullptr;
};

/// Null when there is no cuBLAS of this version here.
[[nodiscard]] const BlasFunctions* blas_functions();

}  // namespace ensyn::cuda
