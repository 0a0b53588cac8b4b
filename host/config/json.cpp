#include "host/config/json.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <type_traits>
#include <vector>

#include "ensyn/error.h"
#include "host/base/message.h"
#include "host/io/json_text.h"

namespace ensyn {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

[[noreturn]] void reject(const std::string& path, const std::string& expected, const json& got) {
  std::string text;
  if (got.is_structured()) {
    text = got.is_array() ? "an array" : "an object";
  } else {
    text = printable(got.dump(-1, ' ', false, json::error_handler_t::replace), 60);
  }
  throw ConfigError(path + " is " + text + ": it must be " + expected);
}

template <typename T>
void read_value(const json& value, const std::string& path, T& out) {
  if constexpr (std::is_same_v<T, bool>) {
    if (!value.is_boolean()) {
      reject(path, "true or false", value);
    }
    out = value.get<bool>();
  } else if constexpr (std::is_same_v<T, double>) {
    if (!value.is_number() || !std::isfinite(value.get<double>())) {
      reject(path, "a finite number", value);
    }
    out = value.get<double>();
  } else if constexpr (std::is_integral_v<T>) {
    using Limits = std::numeric_limits<T>;
    // What is beyond 64 bits was parsed as a float and is no integer any more.
    bool fits = false;
    if (value.is_number_integer() && !value.is_number_unsigned() && value.get<std::int64_t>() < 0) {
      fits = Limits::is_signed && value.get<std::int64_t>() >= static_cast<std::int64_t>(Limits::min());
    } else if (value.is_number_integer()) {
      fits = value.get<std::uint64_t>() <= static_cast<std::uint64_t>(Limits::max());
    }
    if (!fits) {
      reject(path,
             "a whole number from " + std::to_string(Limits::min()) + " to " + std::to_string(Limits::max()),
             value);
    }
    out = value.get<T>();
  } else {
    static_assert(std::is_same_v<T, std::string>);
    if (!value.is_string()) {
      reject(path, "a string", value);
    }
    out = value.get<std::string>();
  }
}

/// Reads an object's keys by name and then rejects those that were not asked for.
class ObjectReader {
 public:
  ObjectReader(const json& object, const std::string& path) : object_(object), path_(path) {
    if (!object.is_object()) {
      const auto end = path.find_last_not_of('.');
      reject(path.empty() ? "the configuration" : path.substr(0, end + 1), "an object", object);
    }
  }

  /// The value of `key`, or null when it is not there.
  const json* find(std::string_view key) {
    known_.emplace_back(key);
    const auto found = object_.find(std::string(key));
    return found == object_.end() ? nullptr : &*found;
  }

  [[nodiscard]] std::string path_of(std::string_view key) const { return path_ + std::string(key); }

  template <typename T>
  void read(std::string_view key, T& out) {
    if (const json* value = find(key)) {
      read_value(*value, path_of(key), out);
    }
  }

  /// An enumeration by name.
  template <typename T>
  void read(std::string_view key, T& out, T (*from)(std::string_view)) {
    if (const json* value = find(key)) {
      std::string text;
      read_value(*value, path_of(key), text);
      try {
        out = from(text);
      } catch (const ConfigError& error) {
        throw ConfigError(path_of(key) + ": " + error.what());
      }
    }
  }

  /// Calls item(value, path) for each element of an array. \returns whether the key is there
  template <typename Start, typename Item>
  void read_array(std::string_view key, Start&& start, Item&& item) {
    const json* value = find(key);
    if (value == nullptr) {
      return;
    }
    if (!value->is_array()) {
      reject(path_of(key), "an array", *value);
    }
    start();
    for (std::size_t i = 0; i < value->size(); ++i) {
      item((*value)[i], path_of(key) + "[" + std::to_string(i) + "]");
    }
  }

  void finish() const {
    for (const auto& [key, value] : object_.items()) {
      if (std::find(known_.begin(), known_.end(), key) == known_.end()) {
        reject_key(key);
      }
    }
  }

 private:
  [[noreturn]] void reject_key(const std::string& key) const {
    std::string accepted;
    for (const auto& known : known_) {
      accepted += accepted.empty() ? "" : ", ";
      accepted += known;
    }
    throw ConfigError("key " + quote(path_ + key, 200) + " is unknown: use " + accepted);
  }

  const json& object_;
  const std::string& path_;
  std::vector<std::string> known_;
};

void apply_cost(const json& object, const std::string& path, CostTerm& value) {
  ObjectReader reader(object, path);
  reader.read("rho", value.rho);
  reader.read("c", value.c);
  reader.finish();
}

void apply_adam(const json& object, const std::string& path, AdamConfig& value) {
  ObjectReader reader(object, path);
  reader.read("learning_rate", value.learning_rate);
  reader.read("beta1", value.beta1);
  reader.read("beta2", value.beta2);
  reader.read("epsilon", value.epsilon);
  reader.finish();
}

}  // namespace

ordered_json json_of(const Architecture& value) {
  return {{"sizes", value.sizes},
          {"hidden", name(value.hidden)},
          {"likelihood", name(value.likelihood)},
          {"observation_sd", value.observation_sd}};
}

ordered_json json_of(const NetworkConfig& value) {
  auto costs = ordered_json::array();
  for (const auto& term : value.costs) {
    costs.push_back({{"rho", term.rho}, {"c", term.c}});
  }
  return {{"seed", value.seed},
          {"stream", value.stream ? ordered_json(*value.stream) : ordered_json()},
          {"noise", name(value.noise)},
          {"law", name(value.law)},
          {"vesicles", value.vesicles},
          {"objective", name(value.objective)},
          {"costs", std::move(costs)},
          {"prior", name(value.prior)},
          {"prior_sigma", std::isinf(value.prior_sigma) ? ordered_json() : ordered_json(value.prior_sigma)},
          {"prior_scale", value.prior_scale},
          {"lambda", value.lambda},
          {"adam",
           {{"learning_rate", value.adam.learning_rate},
            {"beta1", value.adam.beta1},
            {"beta2", value.adam.beta2},
            {"epsilon", value.adam.epsilon}}},
          {"mu_range", value.mu_range},
          {"sigma_init", value.sigma_init}};
}

ordered_json json_of(const PopulationConfig& value) {
  auto members = ordered_json::array();
  for (const auto& member : value.members) {
    members.push_back(json_of(member));
  }
  return {{"architecture", json_of(value.architecture)},
          {"members", std::move(members)},
          {"batch", value.batch},
          {"data_seed", value.data_seed},
          {"own_order", value.own_order},
          {"precision", name(value.precision)}};
}

ordered_json json_of(const EvaluationConfig& value) {
  return {{"samples", value.samples},
          {"batch", value.batch},
          {"calibration_bins", value.calibration_bins},
          {"averaging", name(value.averaging)}};
}

ordered_json json_of(const ExecutionConfig& value) {
  return {{"device", name(value.device)},
          {"device_index", value.device_index},
          {"threads", value.threads},
          {"instruction_set", value.instruction_set},
          {"training_method", name(value.training_method)}};
}

void apply_json(const json& object, const std::string& path, Architecture& value) {
  ObjectReader reader(object, path);
  reader.read_array(
      "sizes", [&] { value.sizes.clear(); },
      [&](const json& item, const std::string& where) {
        read_value(item, where, value.sizes.emplace_back());
      });
  reader.read("hidden", value.hidden, &activation_from);
  reader.read("likelihood", value.likelihood, &likelihood_from);
  reader.read("observation_sd", value.observation_sd);
  reader.finish();
}

void apply_json(const json& object, const std::string& path, NetworkConfig& value) {
  ObjectReader reader(object, path);
  reader.read("seed", value.seed);
  if (const json* stream = reader.find("stream")) {
    value.stream.reset();
    if (!stream->is_null()) {
      read_value(*stream, reader.path_of("stream"), value.stream.emplace());
    }
  }
  reader.read("noise", value.noise, &noise_kind_from);
  reader.read("law", value.law, &noise_law_from);
  reader.read("vesicles", value.vesicles);
  reader.read("objective", value.objective, &objective_from);
  reader.read_array(
      "costs", [&] { value.costs.clear(); },
      [&](const json& item, const std::string& where) {
        apply_cost(item, where + ".", value.costs.emplace_back());
      });
  reader.read("prior", value.prior, &prior_from);
  reader.read("prior_scale", value.prior_scale);
  if (const json* prior = reader.find("prior_sigma")) {
    value.prior_sigma = std::numeric_limits<double>::infinity();
    if (!prior->is_null()) {
      read_value(*prior, reader.path_of("prior_sigma"), value.prior_sigma);
    }
  }
  reader.read("lambda", value.lambda);
  if (const json* adam = reader.find("adam")) {
    apply_adam(*adam, reader.path_of("adam") + ".", value.adam);
  }
  reader.read("mu_range", value.mu_range);
  reader.read("sigma_init", value.sigma_init);
  reader.finish();
}

void apply_json(const json& object, const std::string& path, PopulationConfig& value) {
  ObjectReader reader(object, path);
  if (const json* architecture = reader.find("architecture")) {
    apply_json(*architecture, reader.path_of("architecture") + ".", value.architecture);
  }
  reader.read_array(
      "members", [&] { value.members.clear(); },
      [&](const json& item, const std::string& where) {
        apply_json(item, where + ".", value.members.emplace_back());
      });
  reader.read("batch", value.batch);
  reader.read("data_seed", value.data_seed);
  reader.read("own_order", value.own_order);
  reader.read("precision", value.precision, &precision_from);
  reader.finish();
}

void apply_json(const json& object, const std::string& path, EvaluationConfig& value) {
  ObjectReader reader(object, path);
  reader.read("samples", value.samples);
  reader.read("batch", value.batch);
  reader.read("calibration_bins", value.calibration_bins);
  reader.read("averaging", value.averaging, &averaging_from);
  reader.finish();
}

void apply_json(const json& object, const std::string& path, ExecutionConfig& value) {
  ObjectReader reader(object, path);
  reader.read("device", value.device, &device_kind_from);
  reader.read("device_index", value.device_index);
  reader.read("threads", value.threads);
  reader.read("instruction_set", value.instruction_set);
  reader.read("training_method", value.training_method, &training_method_from);
  reader.finish();
}

json parse_config(std::string_view text, const std::string& source) {
  try {
    return parse_json(text);
  } catch (const JsonTextError& error) {
    throw ConfigError(quote(source) + " is not valid JSON: " + error.what());
  }
}

}  // namespace ensyn
