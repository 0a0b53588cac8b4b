#include "ensyn/config.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "ensyn/error.h"
#include "host/base/message.h"

namespace ensyn {
namespace {

/// Limits of the noise contract's counter (design, section 4).
constexpr std::size_t kMaxLayers = std::size_t{1} << 12;
constexpr std::uint64_t kMaxQuads = std::uint64_t{1} << 40;
constexpr std::uint64_t kMaxStreams = std::uint64_t{1} << 24;
/// A layer has one column more than inputs, and that is an int too.
constexpr int kMostBins = 1'000'000;
constexpr int kMaxSize = std::numeric_limits<int>::max() - 1;

template <typename T>
struct Named {
  T value;
  std::string_view name;
};

constexpr Named<NoiseKind> kNoiseKinds[] = {{NoiseKind::heterogeneous, "heterogeneous"},
                                            {NoiseKind::per_neuron, "per_neuron"},
                                            {NoiseKind::per_layer, "per_layer"},
                                            {NoiseKind::homogeneous, "homogeneous"}};
constexpr Named<NoiseLaw> kNoiseLaws[] = {
    {NoiseLaw::gaussian, "gaussian"}, {NoiseLaw::binomial, "binomial"}, {NoiseLaw::log_normal, "log_normal"}};
constexpr Named<Mechanism> kMechanisms[] = {{Mechanism::calcium, "calcium"},
                                            {Mechanism::membrane, "membrane"},
                                            {Mechanism::actin, "actin"},
                                            {Mechanism::trafficking, "trafficking"}};
constexpr Named<Objective> kObjectives[] = {{Objective::energy, "energy"},
                                            {Objective::variational, "variational"}};
constexpr Named<Prior> kPriors[] = {
    {Prior::flat, "flat"}, {Prior::gaussian, "gaussian"}, {Prior::laplace, "laplace"}};
constexpr Named<Precision> kPrecisions[] = {{Precision::single_precision, "single"},
                                            {Precision::double_precision, "double"}};
constexpr Named<Activation> kActivations[] = {{Activation::relu, "relu"}};
constexpr Named<Likelihood> kLikelihoods[] = {{Likelihood::categorical, "categorical"},
                                              {Likelihood::gaussian, "gaussian"}};
constexpr Named<DeviceKind> kDeviceKinds[] = {
    {DeviceKind::automatic, "auto"}, {DeviceKind::cpu, "cpu"}, {DeviceKind::cuda, "cuda"}};
constexpr Named<TrainingMethod> kTrainingMethods[] = {{TrainingMethod::automatic, "auto"},
                                                      {TrainingMethod::graph, "graph"},
                                                      {TrainingMethod::streamed, "streamed"},
                                                      {TrainingMethod::resident, "resident"}};
constexpr Named<Averaging> kAveragings[] = {{Averaging::probabilities, "probabilities"},
                                            {Averaging::log_probabilities, "log_probabilities"}};
constexpr std::string_view kInstructionSets[] = {"auto", "avx512", "avx2", "neon", "portable"};

template <typename T, std::size_t N>
std::string_view name_in(const Named<T> (&table)[N], T value) noexcept {
  for (const auto& entry : table) {
    if (entry.value == value) {
      return entry.name;
    }
  }
  return "unknown";
}

template <typename T, std::size_t N>
T value_in(const Named<T> (&table)[N], std::string_view what, std::string_view text) {
  std::string accepted;
  for (const auto& entry : table) {
    if (entry.name == text) {
      return entry.value;
    }
    accepted += (accepted.empty() ? "" : ", ") + std::string(entry.name);
  }
  throw ConfigError(std::string(what) + " " + quote(text) + " is unknown: use one of " + accepted);
}

[[noreturn]] void reject(const std::string& key, const std::string& value, const std::string& rule) {
  throw ConfigError(key + " = " + value + ": it must be " + rule);
}

void require_positive(const std::string& key, double value) {
  if (!(value > 0) || !std::isfinite(value)) {
    reject(key, shown(value), "a finite number greater than 0");
  }
}

void require_not_negative(const std::string& key, double value) {
  if (!(value >= 0) || !std::isfinite(value)) {
    reject(key, shown(value), "a finite number, 0 or greater");
  }
}

void require_decay(const std::string& key, double value) {
  if (!(value >= 0 && value < 1)) {
    reject(key, shown(value), "at least 0 and below 1");
  }
}

void require_at_least(const std::string& key, int value, int least) {
  if (value < least) {
    reject(key, std::to_string(value), "at least " + std::to_string(least));
  }
}

void require_within(const std::string& key, int value, int least, int most) {
  if (value < least || value > most) {
    reject(key, std::to_string(value), "from " + std::to_string(least) + " to " + std::to_string(most));
  }
}

std::string indexed(const std::string& key, std::size_t index) {
  return key + "[" + std::to_string(index) + "]";
}

void validate_architecture(const Architecture& value, const std::string& prefix) {
  const auto& sizes = value.sizes;
  const auto key = prefix + "sizes";
  if (sizes.size() < 2) {
    throw ConfigError(key + " has " + std::to_string(sizes.size()) +
                      " entries: give at least the number of inputs and of outputs");
  }
  if (sizes.size() - 1 > kMaxLayers) {
    throw ConfigError(key + " has " + std::to_string(sizes.size()) + " entries: give at most " +
                      std::to_string(kMaxLayers + 1));
  }
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    const bool classes = i + 1 == sizes.size() && value.likelihood == Likelihood::categorical;
    const int least = classes ? 2 : 1;
    if (sizes[i] < least || sizes[i] > kMaxSize) {
      reject(indexed(key, i), std::to_string(sizes[i]),
             "from " + std::to_string(least) + " to " + std::to_string(kMaxSize) +
                 (classes ? " (the number of classes)" : ""));
    }
  }
  require_positive(prefix + "observation_sd", value.observation_sd);
  for (std::size_t i = 0; i + 1 < sizes.size(); ++i) {
    const auto columns = static_cast<std::uint64_t>(sizes[i]) + 1;
    const auto rows = static_cast<std::uint64_t>(sizes[i + 1]);
    if ((rows + 1) / 2 * ((columns + 1) / 2) > kMaxQuads) {
      throw ConfigError(indexed(key, i) + " and " + indexed(key, i + 1) + " make a layer of " +
                        std::to_string(rows) + " x " + std::to_string(columns) +
                        " weights: use smaller layers, of at most 2^42 weights");
    }
  }
}

void validate_adam(const AdamConfig& value, const std::string& prefix) {
  require_positive(prefix + "learning_rate", value.learning_rate);
  require_decay(prefix + "beta1", value.beta1);
  require_decay(prefix + "beta2", value.beta2);
  require_positive(prefix + "epsilon", value.epsilon);
}

void validate_law(const NetworkConfig& value, const std::string& prefix) {
  require_within(prefix + "vesicles", value.vesicles, 1, kMostVesicles);
  if (value.law == NoiseLaw::gaussian) return;
  const std::string law = prefix + "law = " + std::string(name(value.law));
  if (value.noise != NoiseKind::heterogeneous) {
    throw ConfigError(law + " with noise = " + std::string(name(value.noise)) +
                      ": give this law heterogeneous noise, or use the gaussian law");
  }
  if (value.objective == Objective::variational) {
    throw ConfigError(law +
                      " with the variational objective, whose entropy is that of the gaussian law: use "
                      "the energy objective, or the gaussian law");
  }
}

void validate_network(const NetworkConfig& value, const std::string& prefix) {
  validate_law(value, prefix);
  if (value.stream && *value.stream >= kMaxStreams) {
    reject(prefix + "stream", std::to_string(*value.stream), "below 2^24 = " + std::to_string(kMaxStreams));
  }
  for (std::size_t i = 0; i < value.costs.size(); ++i) {
    const auto key = indexed(prefix + "costs", i);
    require_positive(key + ".rho", value.costs[i].rho);
    require_not_negative(key + ".c", value.costs[i].c);
  }
  if (!(value.prior_sigma > 0)) {
    reject(prefix + "prior_sigma", shown(value.prior_sigma), "greater than 0 (infinity is a flat prior)");
  }
  if (value.prior != Prior::gaussian && std::isfinite(value.prior_sigma)) {
    reject(prefix + "prior_sigma", shown(value.prior_sigma),
           "left out, or infinity, where the prior is " + std::string(name(value.prior)));
  }
  require_positive(prefix + "prior_scale", value.prior_scale);
  require_not_negative(prefix + "lambda", value.lambda);
  validate_adam(value.adam, prefix + "adam.");
  require_not_negative(prefix + "mu_range", value.mu_range);
  require_positive(prefix + "sigma_init", value.sigma_init);
}

template <typename T>
void line(std::string& out, const std::string& key, const T& value) {
  out += key + " = ";
  if constexpr (std::is_same_v<T, bool>) {
    out += value ? "true" : "false";
  } else if constexpr (std::is_floating_point_v<T>) {
    out += shown(value);
  } else if constexpr (std::is_arithmetic_v<T>) {
    out += std::to_string(value);
  } else {
    out += value;
  }
  out += '\n';
}

void add(std::string& out, const std::string& prefix, const Architecture& value) {
  std::string sizes;
  for (const int size : value.sizes) {
    sizes += (sizes.empty() ? "" : ", ") + std::to_string(size);
  }
  line(out, prefix + "sizes", sizes);
  line(out, prefix + "hidden", name(value.hidden));
  line(out, prefix + "likelihood", name(value.likelihood));
  line(out, prefix + "observation_sd", value.observation_sd);
}

void add(std::string& out, const std::string& prefix, const NetworkConfig& value) {
  line(out, prefix + "seed", value.seed);
  line(out, prefix + "stream", value.stream ? std::to_string(*value.stream) : "index in the population");
  line(out, prefix + "noise", name(value.noise));
  line(out, prefix + "law", name(value.law));
  if (value.law == NoiseLaw::binomial) line(out, prefix + "vesicles", value.vesicles);
  line(out, prefix + "objective", name(value.objective));
  for (std::size_t i = 0; i < value.costs.size(); ++i) {
    const auto key = indexed(prefix + "costs", i);
    line(out, key + ".rho", value.costs[i].rho);
    line(out, key + ".c", value.costs[i].c);
  }
  if (value.costs.empty()) {
    line(out, prefix + "costs", std::string("none"));
  }
  line(out, prefix + "prior", name(value.prior));
  line(out, prefix + "prior_sigma", value.prior_sigma);
  line(out, prefix + "prior_scale", value.prior_scale);
  line(out, prefix + "lambda", value.lambda);
  line(out, prefix + "adam.learning_rate", value.adam.learning_rate);
  line(out, prefix + "adam.beta1", value.adam.beta1);
  line(out, prefix + "adam.beta2", value.adam.beta2);
  line(out, prefix + "adam.epsilon", value.adam.epsilon);
  line(out, prefix + "mu_range", value.mu_range);
  line(out, prefix + "sigma_init", value.sigma_init);
}

}  // namespace

double exponent(Mechanism mechanism) noexcept {
  switch (mechanism) {
    case Mechanism::calcium:
      return 0.5;
    case Mechanism::membrane:
      return 2.0 / 3.0;
    case Mechanism::actin:
      return 4.0 / 3.0;
    case Mechanism::trafficking:
      break;
  }
  return 2.0;
}

std::string_view name(NoiseKind value) noexcept {
  return name_in(kNoiseKinds, value);
}
std::string_view name(NoiseLaw value) noexcept {
  return name_in(kNoiseLaws, value);
}
std::string_view name(Mechanism value) noexcept {
  return name_in(kMechanisms, value);
}
std::string_view name(Objective value) noexcept {
  return name_in(kObjectives, value);
}
std::string_view name(Prior value) noexcept {
  return name_in(kPriors, value);
}
std::string_view name(Precision value) noexcept {
  return name_in(kPrecisions, value);
}
std::string_view name(Activation value) noexcept {
  return name_in(kActivations, value);
}
std::string_view name(Likelihood value) noexcept {
  return name_in(kLikelihoods, value);
}
std::string_view name(DeviceKind value) noexcept {
  return name_in(kDeviceKinds, value);
}
std::string_view name(TrainingMethod value) noexcept {
  return name_in(kTrainingMethods, value);
}
std::string_view name(Averaging value) noexcept {
  return name_in(kAveragings, value);
}

NoiseKind noise_kind_from(std::string_view text) {
  std::string underscored(text);
  std::replace(underscored.begin(), underscored.end(), '-', '_');
  return value_in(kNoiseKinds, "noise kind", underscored);
}
NoiseLaw noise_law_from(std::string_view text) {
  return value_in(kNoiseLaws, "noise law", text == "log-normal" ? "log_normal" : text);
}
Mechanism mechanism_from(std::string_view text) {
  return value_in(kMechanisms, "mechanism", text);
}
Objective objective_from(std::string_view text) {
  return value_in(kObjectives, "objective", text);
}
Prior prior_from(std::string_view text) {
  return value_in(kPriors, "prior", text);
}
Precision precision_from(std::string_view text) {
  return value_in(kPrecisions, "precision", text);
}
Activation activation_from(std::string_view text) {
  return value_in(kActivations, "activation", text);
}
Likelihood likelihood_from(std::string_view text) {
  return value_in(kLikelihoods, "likelihood", text);
}
DeviceKind device_kind_from(std::string_view text) {
  return value_in(kDeviceKinds, "device", text);
}
TrainingMethod training_method_from(std::string_view text) {
  return value_in(kTrainingMethods, "training_method", text);
}
Averaging averaging_from(std::string_view text) {
  return value_in(kAveragings, "averaging", text);
}

std::uint64_t Architecture::weights() const noexcept {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i + 1 < sizes.size(); ++i) {
    sum += static_cast<std::uint64_t>(sizes[i]) * static_cast<std::uint64_t>(sizes[i + 1]);
  }
  return sum;
}

std::uint64_t Architecture::parameters() const noexcept {
  std::uint64_t sum = weights();
  for (std::size_t i = 1; i < sizes.size(); ++i) {
    sum += static_cast<std::uint64_t>(sizes[i]);
  }
  return sum;
}

void Architecture::validate() const {
  validate_architecture(*this, "");
}

void NetworkConfig::validate() const {
  validate_network(*this, "");
}

void PopulationConfig::validate() const {
  validate_architecture(architecture, "architecture.");
  if (members.empty() || members.size() > kMaxStreams) {
    throw ConfigError("members has " + std::to_string(members.size()) +
                      " entries: a population has from 1 to 2^24 networks");
  }
  for (std::size_t i = 0; i < members.size(); ++i) {
    validate_network(members[i], indexed("members", i) + ".");
  }
  require_at_least("batch", batch, 1);
}

void EvaluationConfig::validate() const {
  require_within("samples", samples, 1, kMostSamples);
  require_at_least("batch", batch, 1);
  require_within("calibration_bins", calibration_bins, 1, kMostBins);
}

void ExecutionConfig::validate() const {
  require_at_least("device_index", device_index, 0);
  require_at_least("threads", threads, 0);
  std::string accepted;
  for (const auto known : kInstructionSets) {
    if (instruction_set == known) {
      return;
    }
    accepted += (accepted.empty() ? "" : ", ") + std::string(known);
  }
  throw ConfigError("instruction_set " + quote(instruction_set) + " is unknown: use one of " + accepted);
}

PopulationConfig paper_preset(double rho, double c, NoiseKind noise) {
  PopulationConfig config;
  config.members.front().costs = {CostTerm{rho, c}};
  config.members.front().noise = noise;
  return config;
}

std::string to_string(const Architecture& value) {
  std::string out;
  add(out, "", value);
  return out;
}

std::string to_string(const NetworkConfig& value) {
  std::string out;
  add(out, "", value);
  return out;
}

std::string to_string(const PopulationConfig& value) {
  std::string out;
  add(out, "architecture.", value.architecture);
  for (std::size_t i = 0; i < value.members.size(); ++i) {
    add(out, indexed("members", i) + ".", value.members[i]);
  }
  line(out, "batch", value.batch);
  line(out, "data_seed", value.data_seed);
  line(out, "own_order", value.own_order);
  line(out, "precision", name(value.precision));
  return out;
}

std::string to_string(const EvaluationConfig& value) {
  std::string out;
  line(out, "samples", value.samples);
  line(out, "batch", value.batch);
  line(out, "calibration_bins", value.calibration_bins);
  line(out, "averaging", name(value.averaging));
  return out;
}

std::string to_string(const ExecutionConfig& value) {
  std::string out;
  line(out, "device", name(value.device));
  line(out, "device_index", value.device_index);
  line(out, "threads", value.threads);
  line(out, "instruction_set", value.instruction_set);
  line(out, "training_method", name(value.training_method));
  return out;
}

}  // namespace ensyn
