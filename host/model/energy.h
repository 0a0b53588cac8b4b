/// \file
/// Energy of a network from its state.
#pragma once

#include "ensyn/config.h"
#include "ensyn/evaluation.h"
#include "host/model/state.h"

namespace ensyn {

[[nodiscard]] Energy energy_of(const Architecture& architecture, const NetworkConfig& config,
                               const NetworkState& state);

}  // namespace ensyn
