/// \file
/// Evaluation of one network on a device: mean weights, one draw and K draws per minibatch.
#pragma once

#include "ensyn/evaluation.h"
#include "host/cpu/team.h"
#include "host/cuda/data.h"
#include "host/cuda/networks.h"
#include "host/model/prediction.h"

namespace ensyn::cuda {

/// Predictions come from the device; what is measured on them is computed on the host by `pool`, as for the
/// CPU backend. \throws OutOfMemoryError
template <class T>
[[nodiscard]] Evaluation evaluate(const DeviceNetworks<T>& networks, int member, const Task& task,
                                  const DeviceData& device_data, int multiprocessors, const Stream& stream,
                                  cpu::ThreadPool& pool);

/// Likewise, the outputs over the draws.
template <class T>
[[nodiscard]] Prediction predict(const DeviceNetworks<T>& networks, int member, const Task& task,
                                 const DeviceData& device_data, int multiprocessors, const Stream& stream,
                                 cpu::ThreadPool& pool);

}  // namespace ensyn::cuda
