/// \file
/// What a network achieved, as JSON and as a table for people.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "ensyn/ensyn.h"

namespace ensyn::driver {

/// `accuracy_sample`, `accuracy_mean`, `accuracy_average` and `nll_...` of the same three.
[[nodiscard]] nlohmann::ordered_json accuracy_json(const Evaluation& evaluation);

/// As above, with Brier score, calibration error, entropy, mutual information and the number of draws.
[[nodiscard]] nlohmann::ordered_json evaluation_json(const Evaluation& evaluation);

/// `sigma_rms`, `reliability_sum`, `reliability_cost`, `magnitude_cost`, `prior_cost`.
[[nodiscard]] nlohmann::ordered_json energy_json(const Energy& energy);

/// Lines for accuracy, loss, sigma and energy.
[[nodiscard]] std::string results_text(const Evaluation& evaluation, const Energy& energy);

}  // namespace ensyn::driver
