/// \file
/// The state of one network as it passes between engine, checkpoint and API. Values are doubles whatever the
/// network's precision: a float survives the way there and back unchanged.
#pragma once

#include <cstdint>
#include <vector>

#include "ensyn/config.h"

namespace ensyn {

/// Row-major rows x columns (columns = inputs + 1, the last is the bias). The vectors of phi are empty where
/// weights share one.
struct LayerState {
  int rows = 0;
  int columns = 0;
  std::vector<double> mu, mu_moment1, mu_moment2;
  std::vector<double> phi, phi_moment1, phi_moment2;

  friend bool operator==(const LayerState&, const LayerState&) = default;
};

/// The phi of each group of weights (see phi_groups.h), with Adam's moments; empty for heterogeneous noise.
struct SharedPhi {
  std::vector<double> value, moment1, moment2;

  friend bool operator==(const SharedPhi&, const SharedPhi&) = default;
};

/// Sums over the current epoch, so that a resumed run reports what an uninterrupted one does.
struct EpochSums {
  std::uint64_t examples = 0;
  std::uint64_t correct = 0;
  double nll = 0;  ///< sum over examples, nats, added step by step

  friend bool operator==(const EpochSums&, const EpochSums&) = default;
};

struct NetworkState {
  std::vector<LayerState> layers;
  SharedPhi shared_phi;
  EpochSums epoch;

  friend bool operator==(const NetworkState&, const NetworkState&) = default;
};

/// log(e^sigma - 1), the inverse of softplus, for sigma > 0.
[[nodiscard]] double inverse_softplus(double sigma);

/// log(1 + e^phi).
[[nodiscard]] double softplus(double phi);

/// mu by the noise contract (purpose initial_mu: range * (int32(word) 2^-31 + 2^-32)), phi from sigma_init,
/// moments 0. `stream` is the member's own.
[[nodiscard]] NetworkState initial_state(const Architecture& architecture, const NetworkConfig& config,
                                         std::uint32_t stream);

/// The stream of member `index`: its own setting, or the index.
[[nodiscard]] std::uint32_t stream_of(const NetworkConfig& config, int index);

}  // namespace ensyn
