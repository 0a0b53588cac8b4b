// The library's configuration, data and parameters as the oracle's, and how far the two may differ.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include "oracle/parity.h"

namespace parity {

using ensyn::CostTerm;
using ensyn::NetworkConfig;
using ensyn::NoiseKind;
using ensyn::Objective;

oracle::Data to_oracle(const ensyn::Dataset& data) {
  const int count = static_cast<int>(data.size());
  oracle::Data result{
      oracle::Matrix(count, data.feature_count()), {}, oracle::Matrix(count, data.target_count())};
  result.targets.values.assign(data.targets().begin(), data.targets().end());
  for (std::size_t i = 0; i < result.features.values.size(); ++i) {
    if (data.holds_bytes()) {
      const ensyn::Normalization& how = data.normalization();
      result.features.values[i] = (data.bytes()[i] / how.maximum - how.mean) / how.sd;
    } else {
      result.features.values[i] = data.floats()[i];
    }
  }
  result.labels.assign(data.labels().begin(), data.labels().end());
  return result;
}

namespace {

oracle::Scope scope_of(NoiseKind noise) {
  switch (noise) {
    case NoiseKind::heterogeneous:
      return oracle::Scope::weight;
    case NoiseKind::per_neuron:
      return oracle::Scope::neuron;
    case NoiseKind::per_layer:
      return oracle::Scope::layer;
    case NoiseKind::homogeneous:
      break;
  }
  return oracle::Scope::network;
}

}  // namespace

oracle::Settings to_oracle(const ensyn::PopulationConfig& config, int member, std::size_t examples) {
  const NetworkConfig& network = config.members[static_cast<std::size_t>(member)];
  oracle::Settings result;
  result.sizes = config.architecture.sizes;
  result.seed = network.seed;
  result.stream = network.stream.value_or(static_cast<std::uint32_t>(member));
  result.scope = scope_of(network.noise);
  result.variational = network.objective == Objective::variational;
  result.gaussian = config.architecture.likelihood == ensyn::Likelihood::gaussian;
  result.observation_sd = config.architecture.observation_sd;
  result.law = network.law == ensyn::NoiseLaw::binomial     ? oracle::Law::binomial
               : network.law == ensyn::NoiseLaw::log_normal ? oracle::Law::log_normal
                                                            : oracle::Law::gaussian;
  result.vesicles = network.vesicles;
  for (const CostTerm& term : network.costs) {
    result.terms.push_back({term.rho, term.c});
  }
  result.prior_sigma = network.prior_sigma;
  if (network.objective == Objective::variational && network.prior == ensyn::Prior::laplace) {
    result.laplace_scale = network.prior_scale;
  }
  result.lambda = network.lambda;
  result.learning_rate = network.adam.learning_rate;
  result.beta1 = network.adam.beta1;
  result.beta2 = network.adam.beta2;
  result.epsilon = network.adam.epsilon;
  result.mu_range = network.mu_range;
  result.sigma_init = network.sigma_init;
  result.batch = config.batch;
  result.examples = static_cast<int>(examples);
  result.data_seed = config.data_seed;
  result.order_stream = config.own_order ? result.stream : 0;
  result.uniform = config.precision == ensyn::Precision::single_precision ? oracle::Uniform::single
                                                                          : oracle::Uniform::exact;
  return result;
}

oracle::Parameters to_oracle(const ensyn::Population& population, int member) {
  const ensyn::PopulationConfig& config = population.config();
  const NoiseKind noise = config.members[static_cast<std::size_t>(member)].noise;
  oracle::Parameters result;
  for (int layer = 0; layer < config.architecture.layers(); ++layer) {
    const ensyn::LayerParameters from = population.parameters(member, layer);
    oracle::Matrix matrix(from.rows, from.columns);
    matrix.values = from.mu;
    result.mu.push_back(matrix);
    matrix.values = from.phi;
    result.phi.push_back(matrix);
  }
  if (noise == NoiseKind::heterogeneous) {
    return result;
  }
  for (const oracle::Matrix& phi : result.phi) {
    for (int row = 0; row < phi.rows; ++row) {
      const bool is_first_of_layer = row == 0,
                 is_first_of_all = is_first_of_layer && result.shared_phi.empty();
      if (noise == NoiseKind::per_neuron || (noise == NoiseKind::per_layer && is_first_of_layer) ||
          is_first_of_all) {
        result.shared_phi.push_back(phi.at(row, 0));
      }
    }
  }
  result.phi.clear();
  return result;
}

double rounding_unit(ensyn::Precision precision) {
  return precision == ensyn::Precision::single_precision ? std::exp2(-24.0) : std::exp2(-53.0);
}

int longest_sum(const ensyn::PopulationConfig& config) {
  const std::vector<int>& sizes = config.architecture.sizes;
  return std::max(*std::max_element(sizes.begin(), sizes.end()) + 1, config.batch);
}

std::vector<double> flat(const oracle::Layers& layers) {
  std::vector<double> result;
  for (const oracle::Matrix& matrix : layers) {
    result.insert(result.end(), matrix.values.begin(), matrix.values.end());
  }
  return result;
}

double largest(const std::vector<double>& values) {
  double result = 0;
  for (const double value : values) {
    result = std::max(result, std::abs(value));
  }
  return result;
}

}  // namespace parity
