#include "ensyn/equilibrium.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "ensyn/error.h"
#include "ensyn/signatures.h"
#include "ensyn/theory.h"
#include "host/base/require.h"
#include "host/model/state.h"

namespace ensyn {
namespace {

/// sigma* of a weight of mean mu whose summed NLL has the curvature H.
double fixed_point(const NetworkConfig& network, double mu, double curvature) {
  if (network.objective == Objective::energy) return theory::stationary_sigma(network.costs, curvature);
  if (network.prior == Prior::laplace) {
    return theory::laplace_posterior_sigma(curvature, mu, network.prior_scale);
  }
  const double infinity = std::numeric_limits<double>::infinity();
  return theory::posterior_sigma(curvature,
                                 network.prior == Prior::gaussian ? network.prior_sigma : infinity);
}

class Rounds {
 public:
  Rounds(Population& population, int member, const EquilibriumConfig& config)
      : population_(population),
        member_(member),
        config_(config),
        network_(population.config().members.at(static_cast<std::size_t>(member))) {}

  /// Trains, measures, and unless the median is at the fixed point moves sigma. \returns what was found
  EquilibriumRound run(bool settling) {
    if (!settling) {
      population_.train_steps(static_cast<std::uint64_t>(config_.train_epochs) *
                              population_.steps_per_epoch());
    }
    SignatureConfig measurement;
    measurement.epochs = config_.measure_epochs;
    measurement.first_epoch = std::max(end_epoch_, next_epoch());
    const Signatures found = population_.signatures(member_, measurement);
    end_epoch_ = found.end_epoch;
    EquilibriumRound round{0, settling, {}};
    for (const LayerSignatures& layer : found.layers) {
      round.median_ratios.push_back(
          quantile(fixed_point_ratios(layer, found.training_examples, network_), 0.5));
    }
    move_sigma(found);
    return round;
  }

  [[nodiscard]] bool near_fixed_point(const EquilibriumRound& round) const {
    return std::ranges::all_of(round.median_ratios, [&](double ratio) {
      return std::fabs(std::log(ratio)) < std::log1p(config_.tolerance);
    });
  }
  [[nodiscard]] std::uint64_t at_ceiling() const { return at_ceiling_; }
  [[nodiscard]] std::uint64_t end_epoch() const { return std::max(end_epoch_, next_epoch()); }

 private:
  [[nodiscard]] std::uint64_t next_epoch() const {
    return (population_.step() + population_.steps_per_epoch() - 1) / population_.steps_per_epoch();
  }

  [[nodiscard]] double moved(double sigma, double mu, double curvature) {
    const double target = fixed_point(network_, mu, curvature);
    const double limit = std::log(config_.largest_step);
    const double step = std::clamp(config_.damping * std::log(target / sigma), -limit, limit);
    const double result = sigma * std::exp(step);
    if (result >= config_.sigma_ceiling) ++at_ceiling_;
    return std::min(result, config_.sigma_ceiling);
  }

  void move_sigma(const Signatures& found) {
    at_ceiling_ = 0;
    const auto examples = static_cast<double>(found.training_examples);
    for (std::size_t l = 0; l < found.layers.size(); ++l) {
      const LayerSignatures& layer = found.layers[l];
      LayerParameters parameters = population_.parameters(member_, static_cast<int>(l));
      for (int row = 0; row < parameters.rows; ++row) {
        for (int column = 0; column < parameters.columns; ++column) {
          const auto at = static_cast<std::size_t>(row) * static_cast<std::size_t>(parameters.columns) +
                          static_cast<std::size_t>(column);
          const double mean_curvature =
              column < layer.inputs
                  ? layer.hessian[static_cast<std::size_t>(row) * static_cast<std::size_t>(layer.inputs) +
                                  static_cast<std::size_t>(column)]
                  : layer.bias_hessian[static_cast<std::size_t>(row)];
          parameters.phi[at] =
              inverse_softplus(moved(parameters.sigma[at], parameters.mu[at], examples * mean_curvature));
        }
      }
      population_.set_parameters(member_, static_cast<int>(l), parameters);
    }
  }

  Population& population_;
  int member_;
  const EquilibriumConfig& config_;
  const NetworkConfig& network_;
  std::uint64_t end_epoch_ = 0;
  std::uint64_t at_ceiling_ = 0;
};

}  // namespace

void check_has_equilibrium(const NetworkConfig& network) {
  if (network.noise != NoiseKind::heterogeneous) {
    throw ConfigError("noise is " + std::string(name(network.noise)) +
                      ": an equilibrium of each synapse needs heterogeneous noise");
  }
  if (network.law != NoiseLaw::gaussian) {
    throw ConfigError("law is " + std::string(name(network.law)) +
                      ": the fixed point is known for the gaussian law only");
  }
  const bool costs = std::ranges::any_of(network.costs, [](const CostTerm& term) { return term.c > 0; });
  if (network.objective == Objective::energy && !costs) {
    throw ConfigError("c is 0: without a reliability cost sigma has no equilibrium; give a c above 0");
  }
}

void EquilibriumConfig::validate() const {
  require(rounds >= 1, "rounds of the equilibrium", rounds, "at least 1");
  require(train_epochs >= 0, "train_epochs of the equilibrium", train_epochs, "at least 0");
  require(measure_epochs >= 1, "measure_epochs of the equilibrium", measure_epochs, "at least 1");
  require(settling_rounds >= 0, "settling_rounds of the equilibrium", settling_rounds, "at least 0");
  require(damping > 0 && damping <= 1, "damping of the equilibrium", damping, "above 0 and at most 1");
  require(largest_step > 1 && std::isfinite(largest_step), "largest_step of the equilibrium", largest_step,
          "a finite number above 1");
  require(sigma_ceiling > 0 && std::isfinite(sigma_ceiling), "sigma_ceiling of the equilibrium",
          sigma_ceiling, "a finite number above 0");
  require(tolerance > 0, "tolerance of the equilibrium", tolerance, "above 0");
}

Equilibrium equilibrate(Population& population, int member, const EquilibriumConfig& config,
                        const std::function<bool(const EquilibriumRound&)>& on_round) {
  config.validate();
  if (member < 0 || member >= population.size()) {
    throw ConfigError("network " + std::to_string(member) + " is not in this population of " +
                      std::to_string(population.size()));
  }
  check_has_equilibrium(population.config().members[static_cast<std::size_t>(member)]);
  Rounds rounds(population, member, config);
  Equilibrium result;
  const auto run = [&](bool settling) {
    result.rounds.push_back(rounds.run(settling));
    result.rounds.back().round = static_cast<int>(result.rounds.size());
    result.at_ceiling = rounds.at_ceiling();
    result.end_epoch = rounds.end_epoch();
    return !on_round || on_round(result.rounds.back());
  };
  while (!result.converged && static_cast<int>(result.rounds.size()) < config.rounds) {
    if (!run(false)) return result;
    result.converged = rounds.near_fixed_point(result.rounds.back());
  }
  for (int i = 0; i < config.settling_rounds; ++i) {
    if (!run(true)) break;
  }
  return result;
}

}  // namespace ensyn
