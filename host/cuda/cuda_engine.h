/// \file
/// The CUDA backend as the rest of the library sees it, without CUDA's headers. A build without CUDA has
/// absent.cpp in its place.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "host/model/engine.h"

namespace ensyn::cuda {

/// Whether this build has the backend.
[[nodiscard]] bool is_built() noexcept;

/// One line per usable device.
[[nodiscard]] std::vector<std::string> device_descriptions();

/// Why there is no usable device, for people; empty when there is one.
[[nodiscard]] std::string why_unusable();

/// How the engine runs steps; changes speed only. For tests and measurements.
struct EngineOptions {
  bool graph = true;        ///< replay a captured step; otherwise launch kernel by kernel
  int multiprocessors = 0;  ///< that launch shapes are chosen for; 0: the device's
  int clusters = 0;         ///< at a time, where networks are resident; 0: as many as the device runs
  /// Predictions that are computed together, where many networks are evaluated at a time; 0: as many as
  /// usual.
  std::size_t evaluation_bytes = 0;
  enum class Products {
    automatic,
    kernels,
    cublas
  } products = Products::automatic;  ///< who multiplies matrices
};

/// \throws DeviceError when the device is not there or not usable, OutOfMemoryError, ConfigError for what
/// this backend does not take
[[nodiscard]] std::unique_ptr<Engine> make_cuda_engine(const PopulationConfig& config,
                                                       const Dataset& train_data,
                                                       const ExecutionConfig& execution,
                                                       const EngineOptions& options = {});

}  // namespace ensyn::cuda
