#include "host/cuda/products.h"

namespace ensyn::cuda {

bool cublas_pays(std::int64_t parameters, int batch, int networks) {
  // In picoseconds, for an H200 (67 TFLOP/s in single precision, 4.3 TB/s); a model from instruction counts,
  // not measured. A training step takes three multiply-adds for each parameter and example. Ours spend a load
  // or more on four to eight of them and reach about 25 TFLOP/s, cuBLAS about 50: 3 * 2 / 25 - 3 * 2 / 50 =
  // 0.12.
  constexpr double kSavedPerExample = 0.12;
  // Weights and gradient written and read once each, 16 bytes.
  constexpr double kMemory = 16 / 4.3;
  // Five more kernels of 2 us.
  constexpr double kLaunches = 10e6;
  return static_cast<double>(parameters) * networks * (kSavedPerExample * batch - kMemory) > kLaunches;
}

std::vector<bool> layers_for_cublas(const std::vector<kernels::Layer>& layers, int batch, int networks,
                                    EngineOptions::Products wanted) {
  std::vector<bool> result;
  for (const kernels::Layer& layer : layers) {
    const bool pays = cublas_pays(static_cast<std::int64_t>(layer.rows) * layer.columns, batch, networks);
    result.push_back(
        wanted == EngineOptions::Products::automatic ? pays : wanted == EngineOptions::Products::cublas);
  }
  return result;
}

}  // namespace ensyn::cuda
