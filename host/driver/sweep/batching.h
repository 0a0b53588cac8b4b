/// \file
/// How many networks a worker of a sweep trains together.
#pragma once

#include <cstddef>
#include <string>

#include "host/driver/sweep/grid.h"
#include "host/driver/sweep/sweep_settings.h"

namespace ensyn::driver {

struct Batching {
  std::size_t at_once = 1;
  std::string note;  ///< why it is not as many as it should be; empty when it is
};

/// One network per thread, on CUDA as many as keep a device busy, or what --networks-at-once says; but no
/// more than memory holds.
/// \param local_size processes that share this machine's memory
/// \throws OutOfMemoryError when not even one network fits
[[nodiscard]] Batching batching(const SweepSettings& settings, const ExecutionConfig& execution,
                                const Grid& grid, int local_size);

}  // namespace ensyn::driver
