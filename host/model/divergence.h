/// \file
/// What is said of a network whose numbers have left the range of their type.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "ensyn/config.h"
#include "ensyn/error.h"
#include "host/model/state.h"

namespace ensyn {

/// A value of a network's state that is not a finite number.
struct NotFinite {
  std::string what;     ///< for example "phi.moment2 of layer 0, row 3, column 17, is inf"
  bool of_phi = false;  ///< whether it belongs to phi, which the reliability cost moves
};

/// The first such value, if there is one: by layer, tensor and position.
[[nodiscard]] std::optional<NotFinite> find_not_finite(const PopulationConfig& config, int member,
                                                       const NetworkState& state);

/// For a loss that is not finite at the zero-based step `step`; `state` is that after it, which may name the
/// cause.
[[nodiscard]] DivergenceError loss_divergence(const PopulationConfig& config, int member, std::uint64_t step,
                                              const NetworkState& state);

/// For a state that was found to hold `found` once `steps` steps were done.
[[nodiscard]] DivergenceError state_divergence(const PopulationConfig& config, int member,
                                               std::uint64_t steps, const NotFinite& found);

}  // namespace ensyn
