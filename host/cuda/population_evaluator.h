/// \file
/// Evaluation of many networks at a time on a device (kernels/whole/population_evaluation.h): which
/// populations can be evaluated so, and how.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "ensyn/config.h"
#include "ensyn/evaluation.h"
#include "host/cpu/team.h"
#include "host/cuda/data.h"
#include "host/cuda/memory.h"
#include "host/cuda/networks.h"
#include "host/model/prediction.h"
#include "kernels/whole/population_evaluation.h"

namespace ensyn::cuda {

/// How a population is evaluated, and why so.
struct EvaluationChoice {
  bool fused = false;              ///< by one kernel; else member by member and layer by layer (evaluator.h)
  std::string reason;              ///< for people
  kernels::EvaluationShape shape;  ///< of the kernel
};

/// The one place that chooses: a pure function. `pixels` says that inputs are bytes, `training` how the
/// population is trained.
[[nodiscard]] EvaluationChoice choose_evaluation(const PopulationConfig& config, int batch, bool pixels,
                                                 const DeviceInfo& device, TrainingMethod training);

/// Networks and minibatches whose predictions are computed by one launch.
struct EvaluationParts {
  int networks = 1;
  std::int64_t minibatches = 1;  ///< all of them where `networks` is more than 1
};
/// As many as `most_bytes` hold, of networks of `network_bytes` beside what they predict, `minibatch_bytes`
/// for each minibatch.
[[nodiscard]] EvaluationParts evaluation_parts(std::size_t most_bytes, std::size_t network_bytes,
                                               std::size_t minibatch_bytes, int networks,
                                               std::int64_t minibatches);

/// What the device is to work on.
template <class T>
struct EvaluationTask {
  const DeviceNetworks<T>& networks;
  const Task& task;
  const DeviceData& data;
  const kernels::EvaluationShape& shape;
  std::size_t most_bytes = 0;  ///< that a part's predictions may take; 0: as many as usual
  const Stream& stream;
  cpu::ThreadPool& pool;
};

/// Of every network. Predictions come from the device, part by part; what is measured on them is computed on
/// the host by `pool`, while the device is busy with the next part. \throws OutOfMemoryError
template <class T>
[[nodiscard]] std::vector<Evaluation> evaluate_population(const EvaluationTask<T>& what);
/// Likewise, the outputs over the draws.
template <class T>
[[nodiscard]] std::vector<Prediction> predict_population(const EvaluationTask<T>& what);

}  // namespace ensyn::cuda
