#include "host/model/state.h"

#include <cmath>

#include "ensyn/noise.h"
#include "host/model/phi_groups.h"

namespace ensyn {
namespace {

/// The network's precision decides what the doubles of a state can hold.
double uniform_from(std::uint32_t word, double range) {
  return range * (static_cast<double>(static_cast<std::int32_t>(word)) * 0x1p-31 + 0x1p-32);
}

LayerState initial_layer(int rows, int columns, const NetworkConfig& config, NoiseKey key) {
  LayerState layer;
  layer.rows = rows;
  layer.columns = columns;
  const auto size = static_cast<std::size_t>(rows) * static_cast<std::size_t>(columns);
  layer.mu.resize(size);
  layer.mu_moment1.assign(size, 0.0);
  layer.mu_moment2.assign(size, 0.0);
  if (config.noise == NoiseKind::heterogeneous) {
    layer.phi.assign(size, inverse_softplus(config.sigma_init));
    layer.phi_moment1.assign(size, 0.0);
    layer.phi_moment2.assign(size, 0.0);
  }
  const int quads_per_row = (columns + 1) / 2;
  for (int a = 0; 2 * a < rows; ++a) {
    for (int b = 0; b < quads_per_row; ++b) {
      const auto quad = static_cast<std::uint64_t>(a) * static_cast<std::uint64_t>(quads_per_row) +
                        static_cast<std::uint64_t>(b);
      const auto words = noise_words(key, quad);
      for (int k = 0; k < 4; ++k) {
        const int row = 2 * a + k / 2, column = 2 * b + k % 2;
        if (row >= rows || column >= columns) continue;
        const auto at = static_cast<std::size_t>(row) * static_cast<std::size_t>(columns) +
                        static_cast<std::size_t>(column);
        layer.mu[at] = uniform_from(words[static_cast<std::size_t>(k)], config.mu_range);
      }
    }
  }
  return layer;
}

}  // namespace

double inverse_softplus(double sigma) {
  // log(e^s - 1) = s + log(1 - e^-s), which neither overflows for large nor cancels for small s.
  return sigma + std::log(-std::expm1(-sigma));
}

double softplus(double phi) {
  return std::fmax(phi, 0.0) + std::log1p(std::exp(-std::fabs(phi)));
}

std::uint32_t stream_of(const NetworkConfig& config, int index) {
  return config.stream.value_or(static_cast<std::uint32_t>(index));
}

NetworkState initial_state(const Architecture& architecture, const NetworkConfig& config,
                           std::uint32_t stream) {
  NetworkState state;
  for (int l = 0; l < architecture.layers(); ++l) {
    const auto at = static_cast<std::size_t>(l);
    const NoiseKey key{config.seed, stream, 0, static_cast<std::uint32_t>(l), Purpose::initial_mu};
    state.layers.push_back(
        initial_layer(architecture.sizes[at + 1], architecture.sizes[at] + 1, config, key));
  }
  const auto groups = static_cast<std::size_t>(phi_group_count(config.noise, architecture));
  state.shared_phi.value.assign(groups, inverse_softplus(config.sigma_init));
  state.shared_phi.moment1.assign(groups, 0.0);
  state.shared_phi.moment2.assign(groups, 0.0);
  return state;
}

}  // namespace ensyn
