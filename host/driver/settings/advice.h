/// \file
/// What several commands say to do about the same thing.
#pragma once

namespace ensyn::driver {

/// Where sigmas hardly differ, so that they tell nothing.
inline constexpr const char* kMoveSigma =
    "train for more steps (--epochs), with a larger --lr, or from another --sigma-init";

}  // namespace ensyn::driver
