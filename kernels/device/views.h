/// \file
/// Device helpers that read the structs of network.h for one network.
#pragma once

#include "ensyn/detail/arithmetic.h"
#include "kernels/base/network.h"

namespace ensyn::kernels {

template <class T>
__device__ inline const NetworkConstants<T>& constants_of(const Networks<T>& networks, int network) {
  return networks.constants != nullptr ? networks.constants[network] : networks.one_constants;
}

template <class T>
__device__ inline const NetworkProgress<T>& progress_of(const Networks<T>& networks, int network) {
  return networks.progress != nullptr ? networks.progress[network] : networks.one_progress;
}

/// Readers of one example's inputs; `row` names the example.
template <class T>
struct ValueReader {
  const T* at;
  __device__ T operator()(int column) const { return at[column]; }
};
template <class T>
struct ByteReader {
  const std::uint8_t* at;
  T scale, shift;
  __device__ T operator()(int column) const {
    return detail::fused(static_cast<T>(at[column]), scale, shift);
  }
};
template <class T>
struct FloatReader {
  const float* at;
  __device__ T operator()(int column) const { return static_cast<T>(at[column]); }
};

/// Index in the data set of example `b` of the minibatch of `step`.
template <class T>
__device__ inline std::int64_t example_of(const Inputs<T>& inputs, int network, std::uint64_t step, int batch,
                                          int b) {
  if (inputs.order == nullptr) return inputs.first_example + b;
  const std::uint64_t position =
      step % inputs.steps_per_epoch * static_cast<std::uint64_t>(batch) + static_cast<std::uint64_t>(b);
  return inputs.order[network * inputs.order_network_stride + static_cast<std::int64_t>(position)];
}

/// Calls use(reader_of), where reader_of(b) reads the inputs of example b; once, for the kind of input that
/// there is, so that loops over examples do not ask again.
template <class T, class Use>
__device__ inline void with_inputs(const Inputs<T>& inputs, int features, int network, std::uint64_t step,
                                   int batch, const Use& use) {
  if (inputs.values != nullptr) {
    const T* values = inputs.values + network * inputs.network_stride;
    use([=](int b) { return ValueReader<T>{values + static_cast<std::int64_t>(b) * inputs.stride}; });
  } else if (inputs.bytes != nullptr) {
    use([&, features, network, step, batch](int b) {
      return ByteReader<T>{inputs.bytes + example_of(inputs, network, step, batch, b) * features,
                           inputs.scale, inputs.shift};
    });
  } else {
    use([&, features, network, step, batch](int b) {
      return FloatReader<T>{inputs.floats + example_of(inputs, network, step, batch, b) * features};
    });
  }
}

}  // namespace ensyn::kernels
