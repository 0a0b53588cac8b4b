#include <system_error>

#include "host/driver/files/run_folder.h"
#include "host/driver/settings/shared_settings.h"
#include "host/driver/signatures/signatures.h"

namespace ensyn::driver {
namespace {

using nlohmann::json;

constexpr const char* kOut = "ensyn-signatures";

/// What a model brings along, so that flags for it have no meaning.
bool is_of_model(const std::string& key) {
  for (const Option& option : network_options()) {
    if (option.key == key) return true;
  }
  for (const char* other :
       {"epochs", "batch", "lr", "precision", "seed", "data_seed", "evaluate_every", "checkpoint_every"}) {
    if (key == other) return true;
  }
  return false;
}

OptionTable measuring_options() {
  const SignatureSettings defaults;
  const EquilibriumConfig& rounds = defaults.rounds;
  return {
      {"model", Kind::text, "RUN", "", "measure this run's network as it is, instead of training one"},
      {"measure_epochs", Kind::whole, "N", std::to_string(defaults.measurement.epochs),
       "passes over the training set, with mu and sigma frozen, that measure; at the equilibrium at "
       "least ten",
       1, false, kMostPasses},
      {"at_mean", Kind::boolean, "", "", "measure at the mean weights instead of under the noise"},
      {"equilibrium", Kind::boolean, "", "",
       "then bring sigma to its fixed point and measure again, beside the published protocol"},
      {"equilibrium_rounds", Kind::whole, "N", std::to_string(rounds.rounds),
       "most rounds of training and setting sigma", 1},
      {"equilibrium_tolerance", Kind::real, "X", json(rounds.tolerance).dump(),
       "done when the median ratio of the fixed point's two sides is within 1 + X", 0, true},
      {"sigma_ceiling", Kind::real, "S", json(rounds.sigma_ceiling).dump(),
       "where the equilibrium holds sigma of weights without curvature", 0, true},
  };
}

/// The flags of `train` that mean something here; metrics.csv and checkpoints are not written.
OptionTable training_options() {
  OptionTable table;
  for (const Option& option : train_options()) {
    if (option.key == "evaluate_every" || option.key == "checkpoint_every") continue;
    table.push_back(option);
    if (option.key == "out") table.back().fallback = kOut;
  }
  return table;
}

/// Everything that may stand in the config.json of a run whose model is measured.
const OptionTable& run_options() {
  static const OptionTable table = joined({train_options(), measuring_options()});
  return table;
}

}  // namespace

std::filesystem::path model_file(const std::filesystem::path& given) {
  std::error_code ignored;
  const RunFolder folder{given};
  const bool is_folder = std::filesystem::is_directory(given, ignored);
  std::filesystem::path model = is_folder ? folder.model() : given;
  if (std::filesystem::exists(model, ignored)) return model;
  if (is_folder && std::filesystem::exists(folder.config(), ignored)) {
    const nlohmann::ordered_json config = read_json(folder.config());
    const auto command = config.find("command");
    if (command != config.end() && command->is_string() && *command != "signatures") {
      throw DataError(given.string() + " is the folder of a run of ensyn " + command->get<std::string>() +
                      ", which keeps no model: give one of ensyn train or signatures");
    }
  }
  throw DataError("model " + model.string() + " does not exist: give a model.safetensors or a run's folder");
}

Values data_of_run(const std::filesystem::path& model) {
  Values result;
  const RunFolder folder{model.parent_path()};
  if (!std::filesystem::exists(folder.config())) return result;
  Values run = read_config_file(folder.config(), run_options());
  mark_early_classes(run);
  for (const char* key : {"data", "dataset", "classes", kEarlyClasses, "limit_train", "limit_test"}) {
    if (run.has(key)) result.set(key, run.get(key, json()), run.origin(key));
  }
  return result;
}

const OptionTable& signature_options() {
  static const OptionTable table = joined({measuring_options(), training_options()});
  return table;
}

SignatureSettings signature_settings(const Values& values) {
  SignatureSettings settings;
  Values all = values;
  if (values.has("model")) {
    for (const Option& option : signature_options()) {
      if (!values.has(option.key) || !is_of_model(option.key)) continue;
      throw ConfigError(values.origin(option.key) + " is the model's own: leave it out, or train a network " +
                        "with it instead of giving --model");
    }
    settings.model = model_file(values.get<std::string>("model", ""));
    all = data_of_run(*settings.model);
    all.overlay(values);
    if (!all.has("data") && !all.has("dataset")) {
      throw ConfigError("the training set of " + settings.model->string() +
                        " is not known: give --data DIR or --dataset NAME");
    }
  }
  settings.train = train_settings(all);
  settings.train.out = values.get<std::string>("out", kOut);
  settings.measurement.epochs = values.get("measure_epochs", settings.measurement.epochs);
  settings.measurement.at_mean = values.get("at_mean", false);
  settings.equilibrium = values.get("equilibrium", false);
  settings.rounds.rounds = values.get("equilibrium_rounds", settings.rounds.rounds);
  settings.rounds.tolerance = values.get("equilibrium_tolerance", settings.rounds.tolerance);
  settings.rounds.sigma_ceiling = values.get("sigma_ceiling", settings.rounds.sigma_ceiling);
  if (!settings.equilibrium) {
    for (const char* key : {"equilibrium_rounds", "equilibrium_tolerance", "sigma_ceiling"}) {
      if (values.has(key) && values.origin(key) == flag_name(key)) {
        throw ConfigError(values.origin(key) + " has no meaning without --equilibrium: add that");
      }
    }
  }
  return settings;
}

nlohmann::ordered_json to_json(const SignatureSettings& settings) {
  nlohmann::ordered_json result;
  result["command"] = "signatures";
  if (settings.model) result["model"] = absolute_path(*settings.model);
  result["measure_epochs"] = settings.measurement.epochs;
  result["at_mean"] = settings.measurement.at_mean;
  result["equilibrium"] = settings.equilibrium;
  result["equilibrium_rounds"] = settings.rounds.rounds;
  result["equilibrium_tolerance"] = settings.rounds.tolerance;
  result["sigma_ceiling"] = settings.rounds.sigma_ceiling;
  const nlohmann::ordered_json training = to_json(settings.train);
  for (const auto& [key, value] : training.items()) {
    const bool moot = key == "evaluate_every" || key == "checkpoint_every";
    if (!moot && !(settings.model && is_of_model(key))) result[key] = value;
  }
  return result;
}

}  // namespace ensyn::driver
