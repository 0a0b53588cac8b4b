#include "host/driver/sweep/sweep_settings.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <string>

namespace ensyn::driver {
namespace {

using nlohmann::json;

/// What a setting of `train` becomes when it may take several values.
struct SweepAxis {
  const char* key;
  Kind kind;
  const char* value_name;
  const char* help;
};

constexpr SweepAxis kSweepAxes[] = {
    {"hidden", Kind::whole_lists, "N,...",
     "widths of the hidden layers, or none; repeat for several architectures"},
    {"rho", Kind::real_axis, "LIST", "exponents of the reliability cost, such as 0.5,2/3,4/3,2"},
    {"mechanism", Kind::text_axis, "NAME,...",
     "instead of --rho: calcium (1/2), membrane (2/3), actin (4/3), trafficking (2)"},
    {"c", Kind::real_axis, "LIST", "weights of the reliability cost, such as 1e-4:1e3.25:30log"},
    {"lambda", Kind::real_axis, "LIST", "weights of the magnitude cost sum |mu|"},
    {"noise", Kind::text_axis, "KIND,...", "kinds of noise, such as heterogeneous,homogeneous"},
    {"lr", Kind::real_axis, "LIST", "Adam's learning rates"},
    {"seed", Kind::seed_axis, "LIST", "seeds of the noise and the initial weights, such as 0:9"},
};

/// What may differ between a sweep and its continuation: none of it changes a row.
const std::set<std::string> kMayChangeInSweep = {"checkpoint_every", "networks_at_once", "threads",
                                                 "device",           "device_index",     "instruction_set",
                                                 "training_method"};

/// A value for a message, of which the beginning is enough.
std::string short_text(const nlohmann::ordered_json& value) {
  const std::string text = value.dump();
  return text.size() <= 60 ? text : text.substr(0, 57) + "...";
}

const SweepAxis* axis_of(const std::string& key) {
  const auto* const axis =
      std::ranges::find(kSweepAxes, key, [](const SweepAxis& a) { return std::string(a.key); });
  return axis == std::end(kSweepAxes) ? nullptr : axis;
}

/// The values with the first of each axis, which are settings of `train`.
Values first_of_each(const Values& values) {
  Values first = values;
  for (const SweepAxis& axis : kSweepAxes) {
    if (values.has(axis.key)) {
      first.set(axis.key, values.get<json>(axis.key, {}).front(), values.origin(axis.key));
    }
  }
  first.drop("networks_at_once");
  return first;
}

/// The values that `parse` makes of an axis of names. \throws ConfigError, also when two names, such as
/// per-layer and per_layer, are of one value: its networks would be trained twice
template <class T>
std::vector<T> named_axis(const Values& values, const std::string& key, T fallback,
                          T (*parse)(std::string_view)) {
  std::vector<T> result;
  Values one;
  for (const auto& text : values.get(key, std::vector<std::string>{})) {
    one.set(key, text, values.origin(key));
    const T value = one.named(key, fallback, parse);
    if (std::ranges::find(result, value) != result.end()) {
      throw ConfigError(values.origin(key) + ": '" + text + "' stands there twice, in this or another " +
                        "spelling: leave one");
    }
    result.push_back(value);
  }
  return result.empty() ? std::vector{fallback} : result;
}

std::vector<double> exponents(const Values& values) {
  if (!values.has("mechanism")) return values.get("rho", std::vector{CostTerm{}.rho});
  std::vector<double> result;
  for (const Mechanism mechanism : named_axis(values, "mechanism", Mechanism{}, mechanism_from)) {
    result.push_back(exponent(mechanism));
  }
  return result;
}

}  // namespace

const OptionTable& sweep_options() {
  static const OptionTable table = [] {
    OptionTable options;
    for (Option option : train_options()) {
      // One sum of costs is no axis, and a sweep keeps no history of each network.
      if (option.key == "cost" || option.key == "evaluate_every") continue;
      if (const SweepAxis* axis = axis_of(option.key)) {
        option.kind = axis->kind;
        option.value_name = axis->value_name;
        option.help = axis->help;
      }
      if (option.key == "out") option.fallback = kSweepFolder;
      options.push_back(option);
      if (option.key == "checkpoint_every") {
        options.push_back({"networks_at_once", Kind::whole, "N", "one per thread",
                           "networks trained together; on CUDA as many as fit", 1});
      }
    }
    return options;
  }();
  return table;
}

SweepSettings sweep_settings(const Values& values) {
  SweepSettings settings;
  settings.values = values;
  settings.base = train_settings(first_of_each(values));
  settings.base.out = values.get<std::string>("out", kSweepFolder);
  settings.hidden = values.get("hidden", std::vector<std::vector<int>>{settings.base.hidden});
  const NetworkConfig& network = settings.base.population.members.front();
  if (network.objective == Objective::energy) {
    settings.rho = exponents(values);
    settings.c = values.get("c", std::vector{CostTerm{}.c});
  }
  settings.lambda = values.get("lambda", std::vector{network.lambda});
  settings.lr = values.get("lr", std::vector{network.adam.learning_rate});
  settings.noise = named_axis(values, "noise", network.noise, noise_kind_from);
  settings.seeds = values.get("seed", std::vector{network.seed});
  if (values.has("networks_at_once")) settings.networks_at_once = values.get("networks_at_once", 1);
  return settings;
}

nlohmann::ordered_json to_json(const SweepSettings& settings) {
  nlohmann::ordered_json result = {
      {"command", "sweep"}, {"version", build_info().version}, {"noise_contract", kNoiseContract}};
  result.update(to_json(settings.base));
  result.erase("evaluate_every");
  result["hidden"] = settings.hidden;
  if (!settings.rho.empty()) {
    result["rho"] = settings.rho;
    result["c"] = settings.c;
  }
  result["lambda"] = settings.lambda;
  result["lr"] = settings.lr;
  result["noise"] = nlohmann::ordered_json::array();
  for (const NoiseKind kind : settings.noise) result["noise"].push_back(name(kind));
  result["seed"] = settings.seeds;
  if (settings.networks_at_once) result["networks_at_once"] = *settings.networks_at_once;
  return result;
}

std::optional<SweepDifference> sweep_difference(const nlohmann::ordered_json& before,
                                                const nlohmann::ordered_json& after) {
  nlohmann::ordered_json keys = before;
  keys.update(after);
  for (const auto& [key, value] : keys.items()) {
    const auto was = before.value(key, nlohmann::ordered_json()),
               is = after.value(key, nlohmann::ordered_json());
    if (was != is && !kMayChangeInSweep.contains(key))
      return SweepDifference{key, short_text(was), short_text(is)};
  }
  return std::nullopt;
}

}  // namespace ensyn::driver
