/// \file
/// The order in which the training set's examples are visited, in device memory.
#pragma once

#include <cstdint>
#include <span>

#include "host/cuda/data.h"
#include "host/cuda/memory.h"
#include "kernels/base/network.h"

namespace ensyn::cuda {

/// What a step reads of the training set.
struct Minibatches {
  int batch = 0;
  std::uint64_t steps_per_epoch = 1;
  std::size_t examples = 0;  ///< N
  bool own_order = false;    ///< each network has its own order of the examples
};

class MinibatchOrder {
 public:
  MinibatchOrder(const Minibatches& minibatches, int networks)
      : minibatches_(minibatches),
        order_(minibatches.examples * (minibatches.own_order ? static_cast<std::size_t>(networks) : 1),
               "the order of the examples") {}

  /// Queues the upload of the order of member `member`, or of all members' where they share it.
  void set(int member, std::span<const std::uint32_t> order, cudaStream_t stream) {
    const std::size_t offset = minibatches_.own_order ? static_cast<std::size_t>(member) * order.size() : 0;
    copy_to_device(order_.data() + offset, order, stream);
  }

  /// The inputs of a first layer, minibatch by minibatch.
  template <class T>
  [[nodiscard]] kernels::Inputs<T> inputs(const DeviceData& data) const {
    kernels::Inputs<T> inputs = data.inputs<T>();
    inputs.order = order_.data();
    inputs.order_network_stride =
        minibatches_.own_order ? static_cast<std::int64_t>(minibatches_.examples) : 0;
    inputs.steps_per_epoch = minibatches_.steps_per_epoch;
    return inputs;
  }

 private:
  Minibatches minibatches_;
  DeviceBuffer<std::uint32_t> order_;
};

}  // namespace ensyn::cuda
