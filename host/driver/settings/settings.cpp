#include "host/driver/settings/settings.h"

#include <cmath>
#include <span>
#include <utility>

#include "ensyn/ops.h"
#include "host/driver/settings/shared_settings.h"

namespace ensyn::driver {
namespace {

using nlohmann::json;

std::string text(double value) {
  return json(value).dump();
}

}  // namespace

OptionTable joined(std::initializer_list<OptionTable> parts) {
  OptionTable table;
  for (const OptionTable& part : parts) table.insert(table.end(), part.begin(), part.end());
  return table;
}

OptionTable data_options(const std::string& fallback) {
  return {
      {"data", Kind::text, "DIR", "", "folder of IDX files with MNIST's names, plain or .gz"},
      {"dataset", Kind::text, "NAME", fallback, "mnist, fashion-mnist or digits (built in)"},
      {"classes", Kind::whole, "N", "as the training labels ask",
       "of --data: outputs of the network, the largest label + 1 or more", 2, false, ops::kMaxClasses},
  };
}

OptionTable evaluation_options() {
  const EvaluationConfig defaults;
  return {
      {"samples", Kind::whole, "K", std::to_string(defaults.samples),
       "weight draws averaged by the final evaluation", 1, false, kMostSamples},
      {"eval_batch", Kind::whole, "N", std::to_string(defaults.batch),
       "test examples that share one weight draw", 1},
      {"averaging", Kind::text, "NAME", std::string(name(defaults.averaging)),
       "how the draws' predictions are combined: probabilities or log_probabilities"},
  };
}

OptionTable execution_options() {
  return {
      {"device", Kind::text, "NAME", "auto", "auto (a CUDA device where there is one), cpu or cuda"},
      {"device_index", Kind::whole, "N", "0", "which CUDA device, see ensyn info", 0},
      {"threads", Kind::whole, "N", "0",
       "CPU threads, no more than there are processors; 0 takes every processor", 0},
      {"instruction_set", Kind::text, "NAME", "auto", "CPU instruction set, see ensyn info"},
      {"training_method", Kind::text, "NAME", "auto",
       "on a CUDA device: resident or streamed (whole networks in one kernel), graph (kernels for each step) "
       "or auto"},
  };
}

OptionTable network_options() {
  const NetworkConfig network;
  return {
      {"hidden", Kind::whole_list, "N,...", "100,100", "widths of the hidden layers, or none", 1},
      {"rho", Kind::real, "RHO", text(network.costs[0].rho), "exponent of the reliability cost", 0, true},
      {"mechanism", Kind::text, "NAME", "",
       "instead of --rho: calcium (1/2), membrane (2/3), actin (4/3) or trafficking (2)"},
      {"c", Kind::real, "C", text(network.costs[0].c), "weight of the reliability cost", 0},
      {"cost", Kind::cost_list, "RHO:C", "",
       "one term C * sum sigma^-RHO; repeat for a sum of several, instead of --rho and --c"},
      {"lambda", Kind::real, "L", text(network.lambda), "weight of the magnitude cost sum |mu|", 0},
      {"noise", Kind::text, "KIND", std::string(name(network.noise)),
       "heterogeneous (a sigma per weight), per-neuron, per-layer or homogeneous (one for all)"},
      {"law", Kind::text, "NAME", std::string(name(network.law)),
       "of a weight's noise: gaussian, binomial (release of vesicles) or log-normal"},
      {"vesicles", Kind::whole, "N", std::to_string(network.vesicles),
       "of the binomial law, N of which each may be released; at most " + std::to_string(kMostVesicles), 1,
       false, kMostVesicles},
      {"objective", Kind::text, "NAME", std::string(name(network.objective)), "energy or variational"},
      {"prior", Kind::text, "NAME", "flat",
       "of each weight: flat, gaussian or laplace; variational objective only"},
      {"prior_scale", Kind::real, "S", "", "SD of the gaussian prior, or scale of the laplace one (mean |w|)",
       0, true},
      {"prior_sigma", Kind::real, "S", "", "short for --prior gaussian --prior-scale S", 0, true},
      {"mu_range", Kind::real, "R", text(network.mu_range), "mu starts uniformly in (-R, R)", 0},
      {"sigma_init", Kind::real, "S", text(network.sigma_init), "sigma starts here", 0, true},
  };
}

OptionTable schedule_options() {
  const PopulationConfig population;
  return {
      {"preset", Kind::text, "NAME", "paper",
       "what other flags are by default: paper, or digits (--lr 1e-2 --sigma-init 0.05 --epochs 60)"},
      {"epochs", Kind::whole, "N", "50", "passes over the training set", 1},
      {"batch", Kind::whole, "N", std::to_string(population.batch), "examples per minibatch", 1},
      {"lr", Kind::real, "RATE", text(AdamConfig{}.learning_rate), "Adam's learning rate", 0, true},
      {"precision", Kind::text, "NAME", std::string(name(population.precision)), "single or double"},
      {"seed", Kind::seed, "SEED", "0", "decides the noise and the initial weights"},
      {"data_seed", Kind::seed, "SEED", "0", "decides the order of the minibatches"},
      {"limit_train", Kind::whole, "N", "", "train on the first N examples only", 1},
      {"limit_test", Kind::whole, "N", "", "test on the first N examples only", 1},
      {"evaluate_every", Kind::whole, "EPOCHS", "1",
       "how often metrics.csv gets test accuracies; 0: at the end only", 0},
      {"checkpoint_every", Kind::whole, "EPOCHS", "1", "how often the model is saved; 0: at the end only", 0},
      {"out", Kind::text, "DIR", kTrainFolder, "folder for the files"},
  };
}

std::optional<int> optional_whole(const Values& values, const std::string& key) {
  return values.has(key) ? std::optional(values.get<int>(key, 0)) : std::nullopt;
}

std::optional<std::filesystem::path> optional_path(const Values& values, const std::string& key) {
  if (!values.has(key)) return std::nullopt;
  return std::filesystem::path(values.get<std::string>(key, {}));
}

void exclude(const Values& values, const std::string& one, const std::string& other) {
  if (values.has(one) && values.has(other)) {
    throw ConfigError(values.origin(one) + " and " + values.origin(other) + " exclude each other: give one");
  }
}

DataChoice data_choice(const Values& values) {
  exclude(values, "data", "dataset");
  DataChoice choice;
  choice.folder = optional_path(values, "data");
  choice.name = values.get("dataset", choice.name);
  choice.classes = optional_whole(values, "classes");
  if (choice.classes && !choice.folder) {
    throw ConfigError(values.origin("classes") + " has a meaning with --data alone: " + choice.name +
                      " has its own classes; leave it out");
  }
  choice.early_classes = values.get(kEarlyClasses, false) && !choice.classes;
  choice.limit_train = optional_whole(values, "limit_train");
  choice.limit_test = optional_whole(values, "limit_test");
  choice.name_flag = values.origin("dataset");
  choice.train_flag = values.origin("limit_train");
  choice.test_flag = values.origin("limit_test");
  return choice;
}

EvaluationConfig evaluation_config(const Values& values) {
  EvaluationConfig config;
  config.samples = values.get("samples", config.samples);
  config.batch = values.get("eval_batch", config.batch);
  config.averaging = values.named("averaging", config.averaging, averaging_from);
  return config;
}

ExecutionConfig execution_config(const Values& values) {
  ExecutionConfig config;
  config.device = values.named("device", config.device, device_kind_from);
  config.device_index = values.get("device_index", config.device_index);
  config.threads = values.get("threads", config.threads);
  config.instruction_set = values.get("instruction_set", config.instruction_set);
  config.training_method = values.named("training_method", config.training_method, training_method_from);
  try {
    config.validate();
  } catch (const ConfigError& error) {
    const char* key = values.has("instruction_set") ? "instruction_set" : "threads";
    throw ConfigError(values.origin(key) + ": " + error.what());
  }
  return config;
}

namespace {

/// The cost's flags, of which only some combinations mean something.
std::vector<CostTerm> cost_terms(const Values& values) {
  exclude(values, "rho", "mechanism");
  for (const char* single : {"rho", "mechanism", "c"}) exclude(values, "cost", single);
  std::vector<CostTerm> terms;
  for (const json& term : values.get("cost", json::array())) {
    terms.push_back({term["rho"].get<double>(), term["c"].get<double>()});
  }
  if (!terms.empty()) return terms;
  CostTerm term;
  term.rho = values.get("rho", term.rho);
  if (values.has("mechanism")) term.rho = exponent(values.named("mechanism", Mechanism{}, mechanism_from));
  term.c = values.get("c", term.c);
  return {term};
}

}  // namespace

namespace {

void take_prior(const Values& values, NetworkConfig& network) {
  if (values.has("prior_sigma")) {
    for (const char* key : {"prior", "prior_scale"}) {
      if (values.has(key)) {
        throw ConfigError(values.origin(key) + " beside " + values.origin("prior_sigma") +
                          ": give one of them");
      }
    }
    network.prior_sigma = values.get("prior_sigma", network.prior_sigma);
    return;
  }
  network.prior = values.named("prior", Prior::flat, prior_from);
  if (network.prior == Prior::flat && values.has("prior_scale")) {
    throw ConfigError(values.origin("prior_scale") +
                      " has no meaning for a flat prior: give --prior gaussian or laplace with it");
  }
  if (network.prior != Prior::flat && !values.has("prior_scale")) {
    throw ConfigError("--prior " + std::string(name(network.prior)) + " needs its scale: give --prior-scale");
  }
  double& scale = network.prior == Prior::gaussian ? network.prior_sigma : network.prior_scale;
  scale = values.get("prior_scale", scale);
}

}  // namespace

NetworkConfig network_config(const Values& values) {
  NetworkConfig network;
  network.seed = values.get("seed", network.seed);
  network.noise = values.named("noise", network.noise, noise_kind_from);
  network.objective = values.named("objective", network.objective, objective_from);
  const bool variational = network.objective == Objective::variational;
  const std::vector<const char*> moot = variational ? std::vector{"rho", "mechanism", "c", "cost"}
                                                    : std::vector{"prior", "prior_scale", "prior_sigma"};
  for (const char* key : moot) {
    if (values.has(key)) {
      throw ConfigError(values.origin(key) + " has no meaning for the " +
                        std::string(name(network.objective)) +
                        " objective: leave it out, or choose the other --objective");
    }
  }
  network.law = values.named("law", network.law, noise_law_from);
  if (values.has("vesicles") && network.law != NoiseLaw::binomial) {
    throw ConfigError(values.origin("vesicles") + " has no meaning for the " +
                      std::string(name(network.law)) + " law: leave it out, or choose --law binomial");
  }
  network.vesicles = values.get("vesicles", network.vesicles);
  network.costs = variational ? std::vector<CostTerm>{} : cost_terms(values);
  if (variational) take_prior(values, network);
  network.lambda = values.get("lambda", network.lambda);
  network.adam.learning_rate = values.get("lr", network.adam.learning_rate);
  network.mu_range = values.get("mu_range", network.mu_range);
  network.sigma_init = values.get("sigma_init", network.sigma_init);
  network.validate();
  return network;
}

std::string absolute_path(const std::filesystem::path& folder) {
  const auto path = std::filesystem::absolute(folder).lexically_normal();
  return (path.has_filename() ? path : path.parent_path()).string();
}

namespace {

Dataset limited(const Dataset& data, const std::optional<int>& limit, const std::string& flag) {
  if (!limit) return data;
  const auto count = static_cast<std::size_t>(*limit);
  if (count > data.size()) {
    throw ConfigError(flag + " is " + std::to_string(count) + ", but " + data.name() + " has " +
                      std::to_string(data.size()) + " examples: give at most that");
  }
  return data.subset(0, count);
}

}  // namespace

const OptionTable& train_options() {
  static const OptionTable table = joined({data_options("mnist"), network_options(), schedule_options(),
                                           evaluation_options(), execution_options()});
  return table;
}

const OptionTable& evaluate_options() {
  static const OptionTable table =
      joined({data_options("the model's"),
              evaluation_options(),
              {{"limit_test", Kind::whole, "N", "", "evaluate on the first N examples only", 1},
               {"seed", Kind::seed, "SEED", "the model's", "decides the weight draws"},
               {"out", Kind::text, "DIR", "the model's", "folder for evaluation.json"}},
              execution_options()});
  return table;
}

const OptionTable& info_options() {
  static const OptionTable table =
      joined({execution_options(),
              {{"seed", Kind::seed, "SEED", "", "accepted, as by every command; changes nothing here"},
               {"out", Kind::text, "DIR", "", "also write info.json there"}}});
  return table;
}

namespace {

/// The folder of a choice. \throws as load_idx_folder
TrainTest load_folder(const DataChoice& choice) {
  constexpr int kEarlyClassCount = 10;
  TrainTest data = load_idx_folder(*choice.folder, {}, choice.classes.value_or(0));
  if (!choice.early_classes || data.train.classes() >= kEarlyClassCount) return data;
  return load_idx_folder(*choice.folder, {}, kEarlyClassCount);
}

}  // namespace

TrainTest load_data(DataChoice& choice) {
  const auto read = [&] {
    try {
      return choice.folder ? load_folder(choice) : load_named_dataset(choice.name);
    } catch (const IoError& error) {
      throw DataError(error.what());
    } catch (const ConfigError& error) {
      throw ConfigError(choice.name_flag + ": " + error.what());
    }
  };
  const TrainTest all = read();
  if (choice.folder) choice.classes = all.train.classes();
  return {limited(all.train, choice.limit_train, choice.train_flag),
          limited(all.test, choice.limit_test, choice.test_flag)};
}

TrainSettings train_settings(const Values& values) {
  TrainSettings settings;
  settings.data = data_choice(values);
  const std::vector<int> paper = Architecture{}.sizes;
  settings.hidden = values.get("hidden", std::vector<int>(paper.begin() + 1, paper.end() - 1));
  settings.population.members = {network_config(values)};
  settings.population.batch = values.get("batch", settings.population.batch);
  settings.population.data_seed = values.get("data_seed", settings.population.data_seed);
  settings.population.precision = values.named("precision", settings.population.precision, precision_from);
  settings.epochs = values.get("epochs", settings.epochs);
  settings.evaluation = evaluation_config(values);
  settings.execution = execution_config(values);
  settings.checkpoint_every = values.get("checkpoint_every", settings.checkpoint_every);
  settings.evaluate_every = values.get("evaluate_every", settings.evaluate_every);
  settings.out = values.get<std::string>("out", kTrainFolder);
  return settings;
}

void complete(TrainSettings& settings, const Values& values, const Dataset& train) {
  if (static_cast<std::size_t>(settings.population.batch) > train.size()) {
    throw ConfigError(values.origin("batch") + " is " + std::to_string(settings.population.batch) +
                      ", but the training set has " + std::to_string(train.size()) +
                      " examples: give at most that");
  }
  const std::uint64_t steps = train.size() / static_cast<std::size_t>(settings.population.batch) *
                              static_cast<std::uint64_t>(settings.epochs);
  if (steps > std::uint64_t{1} << 40) {
    throw ConfigError(values.origin("epochs") + " is " + std::to_string(settings.epochs) + ", which makes " +
                      std::to_string(steps) + " steps, but there is noise for 2^40: give fewer");
  }
  std::vector<int>& sizes = settings.population.architecture.sizes;
  sizes = {train.feature_count()};
  sizes.insert(sizes.end(), settings.hidden.begin(), settings.hidden.end());
  sizes.push_back(train.classes());
}

void put_data(nlohmann::ordered_json& config, const DataChoice& data) {
  if (data.folder) {
    config["data"] = absolute_path(*data.folder);
    if (data.classes) config["classes"] = *data.classes;
  } else {
    config["dataset"] = data.name;
  }
  if (data.limit_train) config["limit_train"] = *data.limit_train;
  if (data.limit_test) config["limit_test"] = *data.limit_test;
}

void put_execution(nlohmann::ordered_json& config, const ExecutionConfig& execution) {
  config["device"] = name(execution.device);
  config["device_index"] = execution.device_index;
  config["threads"] = execution.threads;
  config["instruction_set"] = execution.instruction_set;
  config["training_method"] = name(execution.training_method);
}

nlohmann::ordered_json to_json(const TrainSettings& settings) {
  const NetworkConfig& network = settings.population.members.front();
  nlohmann::ordered_json result;
  put_data(result, settings.data);
  result["hidden"] = settings.hidden;
  result["noise"] = name(network.noise);
  result["law"] = name(network.law);
  if (network.law == NoiseLaw::binomial) result["vesicles"] = network.vesicles;
  result["objective"] = name(network.objective);
  if (network.costs.size() == 1) {
    result["rho"] = network.costs[0].rho;
    result["c"] = network.costs[0].c;
  } else if (network.costs.size() > 1) {
    for (const CostTerm& term : network.costs) result["cost"].push_back({{"rho", term.rho}, {"c", term.c}});
  }
  if (network.prior == Prior::laplace) {
    result["prior"] = name(network.prior);
    result["prior_scale"] = network.prior_scale;
  } else if (std::isfinite(network.prior_sigma)) {
    result["prior_sigma"] = network.prior_sigma;
  }
  result["lambda"] = network.lambda;
  result["mu_range"] = network.mu_range;
  result["sigma_init"] = network.sigma_init;
  result["epochs"] = settings.epochs;
  result["batch"] = settings.population.batch;
  result["lr"] = network.adam.learning_rate;
  result["precision"] = name(settings.population.precision);
  result["seed"] = network.seed;
  result["data_seed"] = settings.population.data_seed;
  result["evaluate_every"] = settings.evaluate_every;
  result["checkpoint_every"] = settings.checkpoint_every;
  result["samples"] = settings.evaluation.samples;
  result["eval_batch"] = settings.evaluation.batch;
  result["averaging"] = name(settings.evaluation.averaging);
  put_execution(result, settings.execution);
  return result;
}

EvaluateSettings evaluate_settings(const Values& values) {
  EvaluateSettings settings;
  if (values.has("data") || values.has("dataset")) settings.data = data_choice(values);
  settings.evaluation = evaluation_config(values);
  settings.execution = execution_config(values);
  if (values.has("seed")) settings.seed = values.get<std::uint64_t>("seed", 0);
  settings.out = optional_path(values, "out");
  return settings;
}

InfoSettings info_settings(const Values& values) {
  return {execution_config(values), optional_path(values, "out")};
}

}  // namespace ensyn::driver
