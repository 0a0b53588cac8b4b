#include "host/driver/bayes/bayes_networks.h"

#include <string>
#include <utility>

#include "host/driver/files/csv.h"
#include "host/driver/terminal/progress.h"
#include "host/driver/terminal/signals.h"
#include "host/driver/terminal/verbose.h"

namespace ensyn::driver {
namespace {

std::vector<BayesNetwork> networks_of(const BayesSettings& settings) {
  std::vector<BayesNetwork> networks(1);
  networks.front().variational = true;
  for (const double rho : settings.rho) {
    for (const double value : settings.c ? *settings.c : settings.scale) {
      BayesNetwork& network = networks.emplace_back();
      network.rho = rho;
      network.c = settings.c ? value : theory::cost_weight(rho, value);
    }
  }
  return networks;
}

NetworkConfig config_of(const BayesSettings& settings, const BayesNetwork& network) {
  NetworkConfig config;
  config.seed = settings.seed;
  // The same noise for all: what differs between the networks is the objective alone.
  config.stream = 0;
  config.lambda = settings.lambda;
  config.adam.learning_rate = settings.learning_rate;
  config.mu_range = settings.mu_range;
  config.sigma_init = settings.sigma_init;
  if (!network.variational) {
    config.costs = {{network.rho, network.c}};
    return config;
  }
  config.objective = Objective::variational;
  config.costs.clear();
  config.prior = settings.prior;
  if (settings.prior == Prior::gaussian) config.prior_sigma = settings.prior_sigma;
  if (settings.prior == Prior::laplace) config.prior_scale = 1 / settings.lambda;
  // The magnitude cost stands for a prior; a prior of its own replaces it.
  if (settings.prior != Prior::flat) config.lambda = 0;
  return config;
}

std::string describe(const BayesNetwork& network) {
  if (network.variational) return "the variational network";
  return "the network of rho " + exact(network.rho) + " and c " + exact(network.c);
}

class BayesTraining {
 public:
  BayesTraining(const BayesSettings& settings, const TrainTest& data, bool show_progress)
      : settings_(settings), data_(data), show_progress_(show_progress), networks_(networks_of(settings)) {
    if (static_cast<std::size_t>(settings.batch) > data.train.size()) {
      throw ConfigError("--batch is " + std::to_string(settings.batch) + ", but the training set has " +
                        std::to_string(data.train.size()) + " examples: give at most that");
    }
  }

  BayesRun run() {
    const InterruptGuard guard;
    if (settings_.equilibrium_rounds > 0) {
      // A round trains the whole population, so each network is one of its own.
      for (std::size_t n = 0; n < networks_.size(); ++n) train(n, 1);
    } else {
      train(0, networks_.size());
    }
    return {std::move(networks_), device_, training_method_, backend_};
  }

 private:
  /// Networks [first, first + count), together.
  void train(std::size_t first, std::size_t count) {
    Population population(population_config(first, count), data_.train, settings_.execution);
    announce(population);
    try {
      run_epochs(population);
      SignatureConfig measure;
      measure.epochs = settings_.measure_epochs;
      if (settings_.equilibrium_rounds > 0) measure.first_epoch = settle(population, networks_[first]);
      read(population, measure, first);
      device_ = population.device();
      training_method_ = population.training().method;
      backend_ = population.backend();
    } catch (const DivergenceError& error) {
      const std::size_t which = first + static_cast<std::size_t>(error.member());
      throw DivergenceError(describe(networks_[which]) + ": " + error.what(), error.member(), error.step());
    }
  }

  [[nodiscard]] PopulationConfig population_config(std::size_t first, std::size_t count) const {
    PopulationConfig config;
    std::vector<int>& sizes = config.architecture.sizes;
    sizes = {data_.train.feature_count()};
    sizes.insert(sizes.end(), settings_.hidden.begin(), settings_.hidden.end());
    sizes.push_back(data_.train.classes());
    config.batch = settings_.batch;
    config.data_seed = settings_.data_seed;
    config.precision = settings_.precision;
    config.members.clear();
    for (std::size_t n = first; n < first + count; ++n) {
      config.members.push_back(config_of(settings_, networks_[n]));
    }
    return config;
  }

  void run_epochs(Population& population) const {
    ProgressLine line(show_progress_, settings_.epochs, 0);
    population.train(settings_.epochs, [&](const Progress& progress) {
      line.show(progress);
      return !InterruptGuard::interrupted();
    });
    stop_if_interrupted();
  }

  static void stop_if_interrupted() {
    if (InterruptGuard::interrupted()) throw Error("interrupted: nothing was written; start again");
  }

  /// Brings the one network to its fixed point. \returns the pass that a measurement may begin with
  std::uint64_t settle(Population& population, BayesNetwork& network) const {
    EquilibriumConfig config;
    config.rounds = settings_.equilibrium_rounds;
    const Equilibrium equilibrium = equilibrate(
        population, 0, config, [](const EquilibriumRound&) { return !InterruptGuard::interrupted(); });
    stop_if_interrupted();
    network.converged = equilibrium.converged;
    return equilibrium.end_epoch;
  }

  void read(const Population& population, const SignatureConfig& measure, std::size_t first) {
    EvaluationConfig one_draw;
    one_draw.samples = 1;
    const std::vector<Evaluation> train = population.evaluate(data_.train, one_draw);
    const std::vector<Evaluation> test = population.evaluate(data_.test);
    for (int m = 0; m < population.size(); ++m) {
      stop_if_interrupted();
      const auto member = static_cast<std::size_t>(m);
      BayesNetwork& network = networks_[first + member];
      network.signatures = population.signatures(m, measure);
      for (int l = 0; l < population.config().architecture.layers(); ++l) {
        network.layers.push_back(population.parameters(m, l));
      }
      network.energy = population.energy(m);
      network.nll = train[member].sample.nll * static_cast<double>(data_.train.size());
      network.test = test[member];
    }
  }

  const BayesSettings& settings_;
  const TrainTest& data_;
  bool show_progress_;
  std::vector<BayesNetwork> networks_;
  std::string device_, training_method_, backend_;
};

}  // namespace

BayesRun train_bayes_networks(const BayesSettings& settings, const TrainTest& data, bool show_progress) {
  return BayesTraining(settings, data, show_progress).run();
}

}  // namespace ensyn::driver
