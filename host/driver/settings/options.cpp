#include "host/driver/settings/options.h"
#include "host/base/message.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <set>

#include "host/driver/files/data_digests.h"
#include "host/driver/settings/axis.h"
#include "host/driver/settings/number.h"
#include "host/io/json_text.h"

namespace ensyn::driver {
namespace {

using nlohmann::json;

std::string shortest(double value) {
  return json(value).dump();
}

std::string bound(const Option& option) {
  if (!std::isfinite(option.minimum)) return "";
  const double whole = std::floor(option.minimum);
  const std::string limit =
      whole == option.minimum ? std::to_string(static_cast<long long>(whole)) : shortest(option.minimum);
  return (option.above ? " above " : " of at least ") + limit;
}

/// What the value has to be, for messages.
std::string expectation(const Option& option) {
  switch (option.kind) {
    case Kind::text:
      return "a text that is not empty";
    case Kind::whole:
      return "a whole number" + bound(option) + " (up to " + std::to_string(option.most) + ")";
    case Kind::seed:
      return "a whole number from 0 to 18446744073709551615";
    case Kind::real:
      return "a finite number" + bound(option);
    case Kind::whole_list:
      return "whole numbers" + bound(option) + ", such as 100,100, or 'none'";
    case Kind::boolean:
      return "true or false";
    case Kind::cost_list:
      return "RHO:C, two finite numbers, RHO above 0 and C at least 0, such as 2:0.5";
    case Kind::real_axis:
      return "finite numbers" + bound(option) + ", such as 0.5,2/3,2, 1e-4:1e3.25:30log or 0:1:5lin";
    case Kind::seed_axis:
      return "whole numbers from 0 to 18446744073709551615, such as 1,2,5 or 0:9";
    case Kind::text_axis:
      return "names, such as a,b";
    case Kind::whole_lists:
      return "widths" + bound(option) + ", such as 100,100, or 'none'";
  }
  return "";
}

bool is_whole(const json& value, double minimum) {
  if (!value.is_number_integer()) return false;
  if (value.is_number_unsigned() && value.get<std::uint64_t>() > std::numeric_limits<int>::max())
    return false;
  const auto number = value.get<std::int64_t>();
  return number >= std::numeric_limits<int>::min() && number <= std::numeric_limits<int>::max() &&
         static_cast<double>(number) >= minimum;
}

bool is_whole_list(const json& value, double minimum) {
  return value.is_array() &&
         std::ranges::all_of(value, [&](const json& item) { return is_whole(item, minimum); });
}

bool is_real(const json& value, double minimum, bool above) {
  if (!value.is_number()) return false;
  const auto number = value.get<double>();
  return std::isfinite(number) && (above ? number > minimum : number >= minimum);
}

bool is_cost(const json& value) {
  return value.is_object() && value.size() == 2 && value.contains("rho") && value.contains("c") &&
         is_real(value["rho"], 0, true) && is_real(value["c"], 0, false);
}

bool fits(const Option& option, const json& value) {
  switch (option.kind) {
    case Kind::text:
      return value.is_string() && !value.get_ref<const std::string&>().empty();
    case Kind::whole:
      return is_whole(value, option.minimum) && value.get<std::int64_t>() <= option.most;
    case Kind::seed:
      return value.is_number_unsigned();
    case Kind::real:
      return is_real(value, option.minimum, option.above);
    case Kind::whole_list:
      return is_whole_list(value, option.minimum);
    case Kind::boolean:
      return value.is_boolean();
    case Kind::cost_list:
      return value.is_array() && !value.empty() && std::ranges::all_of(value, is_cost);
    case Kind::real_axis:
      return value.is_array() && !value.empty() && std::ranges::all_of(value, [&](const json& item) {
               return is_real(item, option.minimum, option.above);
             });
    case Kind::seed_axis:
      return value.is_array() && !value.empty() &&
             std::ranges::all_of(value, [](const json& item) { return item.is_number_unsigned(); });
    case Kind::text_axis:
      return value.is_array() && !value.empty() && std::ranges::all_of(value, [](const json& item) {
               return item.is_string() && !item.get_ref<const std::string&>().empty();
             });
    case Kind::whole_lists:
      return value.is_array() && !value.empty() && std::ranges::all_of(value, [&](const json& item) {
               return is_whole_list(item, option.minimum);
             });
  }
  return false;
}

bool is_axis(Kind kind) {
  return kind == Kind::real_axis || kind == Kind::seed_axis || kind == Kind::text_axis ||
         kind == Kind::whole_lists;
}

/// The values that a text of the command line gives a swept setting. \throws ConfigError
json axis_from_text(Kind kind, std::string_view text) {
  if (kind == Kind::real_axis) return parse_reals(text);
  if (kind == Kind::seed_axis) return parse_seeds(text);
  return parse_words(text);
}

/// What a configuration file gives a swept setting, as an array of values. \throws ConfigError
json axis_from_json(Kind kind, const json& value) {
  if (kind == Kind::whole_lists) {
    const bool one = value.is_array() && (value.empty() || !value.front().is_array());
    return one ? json::array({value}) : value;
  }
  if (value.is_string()) return axis_from_text(kind, value.get_ref<const std::string&>());
  if (!value.is_array()) return json::array({value});
  json list = json::array();
  for (const json& item : value) {
    // Fractions and ranges have no other form in JSON.
    const json values =
        item.is_string() ? axis_from_text(kind, item.get_ref<const std::string&>()) : json::array({item});
    if (list.size() + values.size() > kMostValues) throw ConfigError(too_many_values());
    list.insert(list.end(), values.begin(), values.end());
  }
  return list;
}

json from_word(Kind kind, const std::string& word);

/// What a configuration file gives a setting. Texts of numbers are read as on the command line, since
/// fractions have no other form in JSON.
json number_from_json(Kind kind, const json& value) {
  const bool read_as_word = value.is_string() && (kind == Kind::real || kind == Kind::cost_list);
  if (read_as_word) return from_word(kind, value.get_ref<const std::string&>());
  if (kind != Kind::cost_list) return value;
  if (!value.is_array()) return value;
  json terms = json::array();
  for (const json& given : value) {
    json term = given.is_string() ? number_from_json(kind, given) : given;
    if (term.is_object()) {
      for (json& number : term) number = number_from_json(Kind::real, number);
    }
    terms.push_back(std::move(term));
  }
  return terms;
}

/// The values as they will be used, so that those that are used alike compare alike: 1 and 1.0, and whole
/// numbers beyond what a double tells apart.
json as_used(Kind kind, const json& axis) {
  return kind == Kind::real_axis ? json(axis.get<std::vector<double>>()) : axis;
}

/// \throws ConfigError when a value stands there twice: its networks would be trained twice
void check_differ(const json& axis) {
  std::set<json> seen;
  for (const json& value : axis) {
    if (!seen.insert(value).second) throw ConfigError(value.dump() + " stands there twice: leave one");
  }
}

/// The JSON form of one word of the command line; null when it is not of the option's kind.
json from_word(Kind kind, const std::string& word) {
  const auto or_null = [](const auto& value) { return value ? json(*value) : json(); };
  switch (kind) {
    case Kind::text:
      return word;
    case Kind::whole:
      return or_null(number<std::int64_t>(word));
    case Kind::whole_list: {
      json list = json::array();
      for (std::size_t begin = 0, end = 0; word != "none" && end != std::string::npos; begin = end + 1) {
        end = word.find(',', begin);
        list.push_back(from_word(Kind::whole, word.substr(begin, end - begin)));
      }
      return list;
    }
    case Kind::seed:
      return or_null(number<std::uint64_t>(word));
    case Kind::real:
      return or_null(parse_real(word));
    case Kind::boolean:  // the flag alone says it
      return nullptr;
    case Kind::cost_list: {
      const std::size_t colon = word.find(':');
      if (colon == std::string::npos) return nullptr;
      return {{"rho", or_null(parse_real(std::string_view(word).substr(0, colon)))},
              {"c", or_null(parse_real(std::string_view(word).substr(colon + 1)))}};
    }
    case Kind::real_axis:
    case Kind::seed_axis:
    case Kind::text_axis:
      return axis_from_text(kind, word);
    case Kind::whole_lists:
      return from_word(Kind::whole_list, word);
  }
  return nullptr;
}

json from_words(const Option& option, const std::vector<std::string>& words) {
  if (!is_repeated(option.kind)) return from_word(option.kind, words.back());
  json list = json::array();
  for (const std::string& word : words) list.push_back(from_word(option.kind, word));
  return list;
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ",") + word;
  return text;
}

/// What `read` returns. \throws ConfigError that begins with `subject` when it is not what the option asks
/// for
template <class Read>
json checked(const Option& option, const Read& read, const std::string& subject) {
  json value;
  try {
    value = read();
    if (is_axis(option.kind) && fits(option, value)) {
      value = as_used(option.kind, value);
      check_differ(value);
    }
  } catch (const ConfigError& error) {
    throw ConfigError(subject + error.what());
  }
  if (!fits(option, value)) throw ConfigError(subject + "it must be " + expectation(option));
  return value;
}

/// Which values of the layer below a value of the layer above makes meaningless.
const std::vector<std::pair<std::string, std::vector<std::string>>> kReplaces = {
    {"cost", {"rho", "mechanism", "c"}},
    {"rho", {"mechanism", "cost"}},
    {"mechanism", {"rho", "cost"}},
    {"c", {"cost"}},
    {"prior", {"prior_sigma", "prior_scale"}},
    {"prior_scale", {"prior_sigma"}},
    {"prior_sigma", {"prior", "prior_scale"}},
    {"data", {"dataset", "classes", kEarlyClasses}},
    {"dataset", {"data", "classes", kEarlyClasses}},
    {"classes", {kEarlyClasses}},
};

/// Settings that suit a data set. The paper's are the defaults. In the few steps that the digits make, sigma
/// would not get far from the paper's start at the paper's learning rate.
struct Preset {
  std::string name;
  std::vector<std::pair<std::string, std::string>> values;
};
const std::vector<Preset> kPresets = {
    {"paper", {}},
    {"digits", {{"lr", "1e-2"}, {"sigma_init", "0.05"}, {"epochs", "60"}}},
};

/// What a config.json says besides settings; read where it matters.
const std::set<std::string> kNotes = {"command", "version", "noise_contract", kTrainDigest, kTestDigest};

std::string in_file(const std::string& key, const std::filesystem::path& file) {
  return "\"" + printable(key) + "\" in " + printable(file.string());
}

/// \throws ConfigError when the file is not one JSON object without repeated keys
json parse_object(const std::filesystem::path& file) {
  try {
    return read_json_object<json>(file, "correct the file");
  } catch (const DataError& error) {
    throw ConfigError(std::string("configuration: ") + error.what());
  }
}

}  // namespace

bool is_repeated(Kind kind) {
  return kind == Kind::cost_list || kind == Kind::whole_lists;
}

std::string flag_name(std::string_view key) {
  std::string name = "--" + std::string(key);
  std::ranges::replace(name, '_', '-');
  return name;
}

void Values::set(const std::string& key, json value, std::string origin) {
  entries_[key] = {std::move(value), std::move(origin)};
}

std::string Values::origin(const std::string& key) const {
  const auto entry = entries_.find(key);
  return entry == entries_.end() ? flag_name(key) : entry->second.second;
}

void Values::overlay(const Values& over) {
  for (const auto& [key, replaced] : kReplaces) {
    if (!over.has(key)) continue;
    for (const std::string& old : replaced) drop(old);
  }
  const auto kind = over.get<std::string>("objective", "");
  if (kind == "variational") {
    for (const char* old : {"rho", "mechanism", "c", "cost"}) drop(old);
  } else if (kind == "energy") {
    for (const char* old : {"prior", "prior_scale", "prior_sigma"}) drop(old);
  }
  if (over.has("law")) drop("vesicles");
  for (const auto& [key, entry] : over.entries_) entries_[key] = entry;
}

void Values::apply_preset(const OptionTable& table) {
  if (!has("preset")) return;
  const auto preset = get<std::string>("preset", {});
  const auto found = std::ranges::find(kPresets, preset, &Preset::name);
  if (found == kPresets.end()) {
    throw ConfigError(origin("preset") + " is '" + preset + "': use paper or digits");
  }
  for (const auto& [key, word] : found->values) {
    const auto option = std::ranges::find(table, key, &Option::key);
    if (option == table.end() || has(key)) continue;
    set(key, from_command_line(*option, {word}), origin("preset") + " " + preset);
  }
  drop("preset");
}

json from_command_line(const Option& option, const std::vector<std::string>& words) {
  return checked(
      option, [&] { return from_words(option, words); },
      flag_name(option.key) + " is '" + joined(words) + "': ");
}

void mark_early_classes(Values& values) {
  if (values.has("data") && !values.has("classes")) values.set(kEarlyClasses, true, "a run's config.json");
}

Values read_config_file(const std::filesystem::path& file, const OptionTable& table) {
  const json content = parse_object(file);
  Values values;
  for (const auto& [key, value] : content.items()) {
    if (kNotes.contains(key)) continue;
    const auto option = std::ranges::find(table, key, &Option::key);
    const std::string origin = in_file(key, file);
    if (option == table.end()) {
      throw ConfigError(origin +
                        " is not a setting of this command: its keys are the flags' names with _ for -");
    }
    const auto read = [&kind = option->kind, &value = value] {
      return is_axis(kind) ? axis_from_json(kind, value) : number_from_json(kind, value);
    };
    values.set(key,
               checked(*option, read,
                       origin + " is " + value.dump(-1, ' ', false, json::error_handler_t::replace) + ": "),
               origin);
  }
  // What has a digest was written by a command.
  if (content.contains(kTrainDigest)) mark_early_classes(values);
  return values;
}

}  // namespace ensyn::driver
