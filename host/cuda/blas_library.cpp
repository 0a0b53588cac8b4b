#include "host/cuda/blas_library.h"

#include <dlfcn.h>

#include <optional>
#include <string>

namespace ensyn::cuda {
namespace {

std::optional<BlasFunctions> load() {
  const std::string name = "libcublas.so." + std::to_string(CUBLAS_VER_MAJOR);
  // Stays loaded: handles may outlive any point at which it could be closed.
  void* library = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return std::nullopt;
  BlasFunctions functions;
  bool complete = true;
  const auto find = [&](auto& function, const char* symbol) {
    function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(dlsym(library, symbol));
    complete = complete && function != nullptr;
  };
  find(functions.create, "cublasCreate_v2");
  find(functions.destroy, "cublasDestroy_v2");
  find(functions.set_stream, "cublasSetStream_v2");
  find(functions.set_workspace, "cublasSetWorkspace_v2");
  find(functions.set_math_mode, "cublasSetMathMode");
  find(functions.single_gemm, "cublasSgemmStridedBatched");
  find(functions.double_gemm, "cublasDgemmStridedBatched");
  if (!complete) return std::nullopt;
  return functions;
}

}  // namespace

const BlasFunctions* blas_functions() {
  static const std::optional<BlasFunctions> functions = load();
  return functions ? &*functions : nullptr;
}

}  // namespace ensyn::cuda
