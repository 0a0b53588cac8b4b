/// \file
/// Who multiplies matrices in a training step: our kernels or cuBLAS.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "host/cuda/cuda_engine.h"
#include "kernels/base/network.h"

namespace ensyn::cuda {

/// Whether the products of a layer with `parameters` weights and biases, for `batch` examples and `networks`
/// networks together, are better left to cuBLAS: true where what it saves in multiply-adds outweighs what it
/// costs to write the weights and the gradient to memory and to launch the kernels around it. A function of
/// the problem alone, so that the arithmetic of a run does not depend on the device.
[[nodiscard]] bool cublas_pays(std::int64_t parameters, int batch, int networks);

/// For each layer. \param wanted may decide it for all.
[[nodiscard]] std::vector<bool> layers_for_cublas(const std::vector<kernels::Layer>& layers, int batch,
                                                  int networks, EngineOptions::Products wanted);

}  // namespace ensyn::cuda
