/// \file
/// From the arguments of ensyn/ops.h to those of the kernels.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>
#include <optional>

#include "ensyn/noise.h"
#include "ensyn/ops.h"
#include "host/cuda/ops_check.h"
#include "kernels/base/network.h"

namespace ensyn::cuda {

[[nodiscard]] inline cudaStream_t stream_of(void* stream) {
  return static_cast<cudaStream_t>(stream);
}

/// One network that draws by `key`.
template <class T>
[[nodiscard]] kernels::Networks<T> network_of(const std::optional<NoiseKey>& key) {
  kernels::Networks<T> networks;
  if (key) {
    networks.one_constants.seed = key->seed;
    networks.one_constants.stream = static_cast<std::uint64_t>(key->stream) << 40;
    networks.one_progress.step = key->step;
  }
  return networks;
}

[[nodiscard]] inline kernels::Draw draw_of(const std::optional<NoiseKey>& key) {
  kernels::Draw draw;
  draw.noisy = key.has_value();
  draw.from_progress = false;
  if (key) {
    draw.purpose = static_cast<std::uint32_t>(key->purpose);
    draw.step = key->step;
  }
  return draw;
}

template <class T>
[[nodiscard]] kernels::Inputs<T> inputs_of(const T* x, int stride) {
  kernels::Inputs<T> inputs;
  inputs.values = x;
  inputs.stride = stride;
  return inputs;
}

/// The parameters of one layer, which are to be written, `columns` of each row. \param with_phi whether noise
/// is heterogeneous
template <class T>
[[nodiscard]] kernels::Parameters<T> take_parameters(OperationCheck& check, const ops::Parameters<T>& args,
                                                     int columns, int stride, bool with_phi) {
  const auto writes = [&](const char* name, T* data) {
    check.writes(name, data, args.outputs, columns, stride);
  };
  kernels::Parameters<T> parameters;
  writes("mu", parameters.mu = args.mu);
  writes("mu_moment1", parameters.mu_moment1 = args.mu_moment1);
  writes("mu_moment2", parameters.mu_moment2 = args.mu_moment2);
  if (!with_phi) return parameters;
  writes("phi", parameters.phi = args.phi);
  writes("phi_moment1", parameters.phi_moment1 = args.phi_moment1);
  writes("phi_moment2", parameters.phi_moment2 = args.phi_moment2);
  return parameters;
}

}  // namespace ensyn::cuda
