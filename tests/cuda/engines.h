/// \file
/// Engines of both backends run side by side, for the tests of the CUDA backend.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "ensyn/dataset.h"
#include "ensyn/evaluation.h"
#include "host/cuda/cuda_engine.h"
#include "host/cuda/runtime.h"
#include "host/model/engine.h"
#include "oracle/parity.h"

namespace engines {

/// A device that takes everything that any takes, unless its compute capability is another.
[[nodiscard]] ensyn::cuda::DeviceInfo hopper(int major = 9, int minor = 0);

/// Everything that an engine shows.
struct Outcome {
  std::vector<ensyn::NetworkState> states;
  std::vector<ensyn::Evaluation> evaluations;
};

[[nodiscard]] std::unique_ptr<ensyn::Engine> on_cpu(const parity::Case& test, const ensyn::Dataset& data);
/// By the graph, which gives the CPU's bits, or by another method.
[[nodiscard]] std::unique_ptr<ensyn::Engine> on_cuda(const parity::Case& test, const ensyn::Dataset& data,
                                                     const ensyn::cuda::EngineOptions& options = {});
[[nodiscard]] std::unique_ptr<ensyn::Engine> on_cuda(const parity::Case& test, const ensyn::Dataset& data,
                                                     ensyn::TrainingMethod method,
                                                     const ensyn::cuda::EngineOptions& options = {});

/// Runs steps [first, first + count), epoch by epoch as Population does, at most `stretch` at a time.
void train(ensyn::Engine& engine, const parity::Case& test, std::uint64_t first, std::uint64_t count,
           std::uint64_t stretch = ~std::uint64_t{0});

[[nodiscard]] std::vector<ensyn::NetworkState> states(const ensyn::Engine& engine, const parity::Case& test);

/// Fails, naming member, layer and quantity, unless all numbers are equal; NaN is equal to nothing.
void expect_equal(const std::vector<ensyn::NetworkState>& got, const std::vector<ensyn::NetworkState>& want);
void expect_equal(const std::vector<ensyn::Evaluation>& got, const std::vector<ensyn::Evaluation>& want);
void expect_equal(const std::vector<ensyn::Prediction>& got, const std::vector<ensyn::Prediction>& want);

}  // namespace engines
