/// \file
/// A data set in device memory, as it is stored: bytes stay bytes and are normalised where they are used.
#pragma once

#include <cstdint>

#include "ensyn/dataset.h"
#include "host/cuda/memory.h"
#include "kernels/base/network.h"

namespace ensyn::cuda {

class DeviceData {
 public:
  /// Queues the upload; `data` must stay alive until the stream has been waited for.
  DeviceData(const Dataset& data, cudaStream_t stream);

  /// The inputs of a first layer, without an order of the examples.
  template <class T>
  [[nodiscard]] kernels::Inputs<T> inputs() const {
    kernels::Inputs<T> inputs;
    inputs.bytes = bytes_.data();
    inputs.floats = floats_.data();
    inputs.scale = static_cast<T>(scale_);
    inputs.shift = static_cast<T>(shift_);
    return inputs;
  }
  /// Null where there are targets.
  [[nodiscard]] const std::uint8_t* labels() const noexcept { return labels_.data(); }
  /// Null where there are labels.
  [[nodiscard]] const float* targets() const noexcept { return targets_.data(); }

 private:
  DeviceBuffer<std::uint8_t> bytes_, labels_;
  DeviceBuffer<float> floats_, targets_;
  double scale_ = 0, shift_ = 0;
};

}  // namespace ensyn::cuda
