/// \file
/// sweep_bands.csv: what the seeds of each cell of a grid have in common.
#pragma once

#include "host/driver/files/csv.h"
#include "host/driver/sweep/grid.h"
#include "host/driver/sweep/sweep_file.h"

namespace ensyn::driver {

/// A row per combination of all values but the seed: how many of its networks did not diverge, and mean and
/// 95 % interval (Student's t) over them of `accuracy_sample`, `sigma_rms` and `reliability_sum`. A mean of
/// none, and an interval of fewer than two, are empty.
[[nodiscard]] Table sweep_bands(const SweepSettings& settings, const Grid& grid, const SweepFile& rows);

}  // namespace ensyn::driver
