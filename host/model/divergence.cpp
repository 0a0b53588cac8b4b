#include "host/model/divergence.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "host/base/message.h"
#include "host/model/phi_groups.h"

namespace ensyn {
namespace {

/// A tensor as checkpoints name it, and where a state keeps it.
struct Tensor {
  const char* name;
  std::vector<double> LayerState::*layer;
  std::vector<double> SharedPhi::*shared;
};

constexpr Tensor kTensors[] = {{"mu", &LayerState::mu, nullptr},
                               {"mu.moment1", &LayerState::mu_moment1, nullptr},
                               {"mu.moment2", &LayerState::mu_moment2, nullptr},
                               {"phi", &LayerState::phi, &SharedPhi::value},
                               {"phi.moment1", &LayerState::phi_moment1, &SharedPhi::moment1},
                               {"phi.moment2", &LayerState::phi_moment2, &SharedPhi::moment2}};

std::optional<std::size_t> first_not_finite(const std::vector<double>& values) {
  const auto found = std::ranges::find_if_not(values, [](double x) { return std::isfinite(x); });
  if (found == values.end()) return std::nullopt;
  return static_cast<std::size_t>(found - values.begin());
}

/// NaN has a sign, which says nothing.
std::string value_text(double value) {
  return std::isnan(value) ? "nan" : shown(value);
}

/// Where the phi of group `group` belongs: to a row, a layer, or all of the network.
std::string place_of(std::size_t group, NoiseKind noise, const Architecture& architecture) {
  if (noise == NoiseKind::homogeneous) return "the network";
  const PhiGroups groups(noise, architecture);
  for (int layer = 0; layer < architecture.layers(); ++layer) {
    for (int row = 0; row < architecture.sizes[static_cast<std::size_t>(layer) + 1]; ++row) {
      if (groups.of(layer, row) != group) continue;
      return "layer " + std::to_string(layer) + (groups.by_row() ? ", row " + std::to_string(row) : "");
    }
  }
  return "group " + std::to_string(group);
}

/// `found` may be null: nothing but the loss is known to be at fault.
std::string advice(const PopulationConfig& config, const NotFinite* found) {
  std::string text = found != nullptr && found->of_phi ? "lower rho or the cost weights, or raise sigma_init"
                                                       : "lower the learning rate or the cost weights";
  if (found != nullptr && config.precision == Precision::single_precision) {
    text += ", or train in double precision";
  }
  return text;
}

}  // namespace

std::optional<NotFinite> find_not_finite(const PopulationConfig& config, int member,
                                         const NetworkState& state) {
  for (std::size_t l = 0; l < state.layers.size(); ++l) {
    const LayerState& layer = state.layers[l];
    for (const Tensor& tensor : kTensors) {
      const auto at = first_not_finite(layer.*tensor.layer);
      if (!at) continue;
      const auto columns = static_cast<std::size_t>(layer.columns);
      return NotFinite{std::string(tensor.name) + " of layer " + std::to_string(l) + ", row " +
                           std::to_string(*at / columns) + ", column " + std::to_string(*at % columns) +
                           ", is " + value_text((layer.*tensor.layer)[*at]),
                       tensor.shared != nullptr};
    }
  }
  for (const Tensor& tensor : kTensors) {
    if (tensor.shared == nullptr) continue;
    const auto at = first_not_finite(state.shared_phi.*tensor.shared);
    if (!at) continue;
    const NoiseKind noise = config.members[static_cast<std::size_t>(member)].noise;
    return NotFinite{std::string(tensor.name) + " of " + place_of(*at, noise, config.architecture) + ", is " +
                         value_text((state.shared_phi.*tensor.shared)[*at]),
                     true};
  }
  if (!std::isfinite(state.epoch.nll)) {
    return NotFinite{"the sum of the epoch's losses is " + value_text(state.epoch.nll), false};
  }
  return std::nullopt;
}

DivergenceError loss_divergence(const PopulationConfig& config, int member, std::uint64_t step,
                                const NetworkState& state) {
  std::string text =
      "the loss of network " + std::to_string(member) + " is not finite at step " + std::to_string(step);
  const auto cause = find_not_finite(config, member, state);
  if (cause) text += ", where " + cause->what;
  return {text + ": " + advice(config, cause ? &*cause : nullptr), member, step};
}

DivergenceError state_divergence(const PopulationConfig& config, int member, std::uint64_t steps,
                                 const NotFinite& found) {
  return {"network " + std::to_string(member) + " diverged by step " + std::to_string(steps) + ": " +
              found.what + ": " + advice(config, &found),
          member, steps};
}

}  // namespace ensyn
