#include "host/driver/bayes/bayes.h"
#include "host/driver/files/csv.h"
#include "host/driver/settings/shared_settings.h"

namespace ensyn::driver {
namespace {

/// Of settings that only some priors look at.
void check_prior(const BayesSettings& settings, const Values& values) {
  if (values.has("prior_sigma") && settings.prior != Prior::gaussian) {
    throw ConfigError(values.origin("prior_sigma") +
                      " has a meaning for the gaussian prior alone: leave it " +
                      "out, or choose --prior gaussian");
  }
  if (settings.prior == Prior::laplace && settings.lambda == 0) {
    throw ConfigError(values.origin("lambda") +
                      " is 0, but the laplace prior has the scale 1 / lambda: give more, or another --prior");
  }
}

OptionTable own_options() {
  const BayesSettings defaults;
  return {
      {"hidden", Kind::whole_list, "N,...", "100,100", "widths of the hidden layers, or none (appendix 5)",
       1},
      {"rho", Kind::real_axis, "RHO,...", "0.5,2/3,4/3,2", "exponents of the reliability cost", 0, true},
      {"scale", Kind::real_axis, "S,...", exact(defaults.scale.front()),
       "scales s of the reliability cost: c = s^rho / rho for every rho", 0, true},
      {"c", Kind::real_axis, "C,...", "", "weights of the reliability cost, instead of --scale", 0, true},
      {"prior", Kind::text, "NAME", "flat",
       "of the variational network: flat, gaussian or laplace (of scale 1 / lambda)"},
      {"prior_sigma", Kind::real, "S", exact(defaults.prior_sigma), "SD of the gaussian prior", 0, true},
      {"lambda", Kind::real, "L", exact(defaults.lambda), "weight of the magnitude cost sum |mu|", 0},
      {"mu_range", Kind::real, "R", exact(defaults.mu_range), "mu starts uniformly in (-R, R)", 0},
      {"sigma_init", Kind::real, "S", exact(defaults.sigma_init), "sigma starts here", 0, true},
      {"epochs", Kind::whole, "N", std::to_string(defaults.epochs), "passes over the training set", 1},
      {"batch", Kind::whole, "N", std::to_string(defaults.batch), "examples per minibatch", 1},
      {"lr", Kind::real, "RATE", exact(defaults.learning_rate), "Adam's learning rate", 0, true},
      {"equilibrium", Kind::whole, "ROUNDS", "0",
       "then bring sigma to its fixed point, in at most so many rounds; 0: leave it", 0},
      {"measure_epochs", Kind::whole, "N", std::to_string(defaults.measure_epochs),
       "passes over the training set that measure curvature", 1, false, kMostPasses},
      {"precision", Kind::text, "NAME", std::string(name(defaults.precision)), "single or double"},
      {"seed", Kind::seed, "SEED", "0", "decides the noise and the initial weights"},
      {"data_seed", Kind::seed, "SEED", "0", "decides the order of the minibatches"},
      {"limit_train", Kind::whole, "N", "", "train on the first N examples only", 1},
      {"limit_test", Kind::whole, "N", "", "test on the first N examples only", 1},
      {"out", Kind::text, "DIR", defaults.out.string(), "folder for the files"},
  };
}

}  // namespace

const OptionTable& bayes_options() {
  static const OptionTable table = joined({data_options("mnist"), own_options(), execution_options()});
  return table;
}

BayesSettings bayes_settings(const Values& values) {
  BayesSettings settings;
  settings.data = data_choice(values);
  settings.hidden = values.get("hidden", settings.hidden);
  settings.rho = values.get("rho", settings.rho);
  exclude(values, "scale", "c");
  settings.scale = values.get("scale", settings.scale);
  if (values.has("c")) settings.c = values.get("c", std::vector<double>());
  settings.prior = values.named("prior", settings.prior, prior_from);
  settings.prior_sigma = values.get("prior_sigma", settings.prior_sigma);
  settings.lambda = values.get("lambda", settings.lambda);
  settings.mu_range = values.get("mu_range", settings.mu_range);
  settings.sigma_init = values.get("sigma_init", settings.sigma_init);
  settings.epochs = values.get("epochs", settings.epochs);
  settings.batch = values.get("batch", settings.batch);
  settings.learning_rate = values.get("lr", settings.learning_rate);
  settings.equilibrium_rounds = values.get("equilibrium", settings.equilibrium_rounds);
  settings.measure_epochs = values.get("measure_epochs", settings.measure_epochs);
  settings.precision = values.named("precision", settings.precision, precision_from);
  settings.seed = values.get("seed", settings.seed);
  settings.data_seed = values.get("data_seed", settings.data_seed);
  settings.execution = execution_config(values);
  settings.out = values.get<std::string>("out", settings.out.string());
  check_prior(settings, values);
  return settings;
}

nlohmann::ordered_json to_json(const BayesSettings& settings) {
  nlohmann::ordered_json result = {{"command", "bayes"}};
  put_data(result, settings.data);
  result["hidden"] = settings.hidden;
  result["rho"] = settings.rho;
  if (settings.c) {
    result["c"] = *settings.c;
  } else {
    result["scale"] = settings.scale;
  }
  result["prior"] = name(settings.prior);
  if (settings.prior == Prior::gaussian) result["prior_sigma"] = settings.prior_sigma;
  result["lambda"] = settings.lambda;
  result["mu_range"] = settings.mu_range;
  result["sigma_init"] = settings.sigma_init;
  result["epochs"] = settings.epochs;
  result["batch"] = settings.batch;
  result["lr"] = settings.learning_rate;
  result["equilibrium"] = settings.equilibrium_rounds;
  result["measure_epochs"] = settings.measure_epochs;
  result["precision"] = name(settings.precision);
  result["seed"] = settings.seed;
  result["data_seed"] = settings.data_seed;
  put_execution(result, settings.execution);
  return result;
}

}  // namespace ensyn::driver
