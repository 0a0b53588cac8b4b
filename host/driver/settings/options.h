/// \file
/// The settings of a command: one table per command says which exist; they are read from the command line
/// and from a JSON file, whose keys are the flags' names with `_` for `-`, and are checked in one place.
#pragma once

#include <filesystem>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ensyn/error.h"

namespace ensyn::driver {

enum class Kind {
  text,        ///< a non-empty string
  whole,       ///< an int
  seed,        ///< a 64-bit unsigned number
  real,        ///< a finite double; in JSON also its text, such as "4/3"
  whole_list,  ///< `100,100` or `none`; in JSON an array of ints
  boolean,     ///< a flag without a value; in JSON true or false
  cost_list,   ///< repeated `RHO:C`; in JSON an array of {"rho": RHO, "c": C} or "RHO:C"
  // Swept settings. In JSON a value, an array of values, or the text of the command line; their values are
  // arrays of at least one value, none of them twice.
  real_axis,    ///< finite doubles, see parse_reals
  seed_axis,    ///< 64-bit unsigned numbers, see parse_seeds
  text_axis,    ///< texts
  whole_lists,  ///< repeated `100,100` or `none`; in JSON also one array of ints, or an array of such
};

/// Whether the flag may be given several times, each adding to the value, instead of the last one counting.
[[nodiscard]] bool is_repeated(Kind kind);

struct Option {
  std::string key;         ///< in JSON, for example `eval_batch`; the flag is `--eval-batch`
  Kind kind = Kind::text;  ///< what the value is
  std::string value_name;  ///< stands for the value in the help
  std::string fallback;    ///< the default as the help shows it; empty shows none
  std::string help;
  double minimum = -std::numeric_limits<double>::infinity();
  bool above = false;                          ///< the value must lie above `minimum`, not at it
  int most = std::numeric_limits<int>::max();  ///< of a whole number
};

using OptionTable = std::vector<Option>;

/// `--eval-batch` for `eval_batch`.
[[nodiscard]] std::string flag_name(std::string_view key);

/// Checked values by key, each with where it came from, for messages.
class Values {
 public:
  void set(const std::string& key, nlohmann::json value, std::string origin);
  void drop(const std::string& key) { entries_.erase(key); }
  [[nodiscard]] bool has(const std::string& key) const { return entries_.contains(key); }
  /// `--lr`, or `"lr" in FILE`; the flag's name where the value is a default.
  [[nodiscard]] std::string origin(const std::string& key) const;

  template <class T>
  [[nodiscard]] T get(const std::string& key, T fallback) const {
    const auto entry = entries_.find(key);
    return entry == entries_.end() ? fallback : entry->second.first.get<T>();
  }

  /// The value that `parse` makes of a name; its ConfigError is given the name of the flag.
  template <class T>
  [[nodiscard]] T named(const std::string& key, T fallback, T (*parse)(std::string_view)) const {
    if (!has(key)) return fallback;
    try {
      return parse(get<std::string>(key, {}));
    } catch (const ConfigError& error) {
      throw ConfigError(origin(key) + ": " + error.what());
    }
  }

  /// Replaces values by those of `over`, and removes what those make meaningless: a cost given in one form
  /// replaces a cost in the other, `data` replaces `dataset`, another objective its costs, `law` the
  /// number of vesicles.
  void overlay(const Values& over);

  /// Replaces a `preset` by the values that it stands for, where they are not given otherwise.
  /// \param table of the command, which says what kind each is \throws ConfigError on an unknown name
  void apply_preset(const OptionTable& table);

 private:
  /// The value, and its origin.
  using Entry = std::pair<nlohmann::json, std::string>;
  std::map<std::string, Entry> entries_;
};

/// Set, to true, among the values of a config.json of a data folder from before `classes` were noted there;
/// see DataChoice::early_classes. It is no option.
inline constexpr const char* kEarlyClasses = "early_classes";
/// Sets it where values that are known to be of such a file, with or without digests, lack `classes`.
void mark_early_classes(Values& values);

/// The value that the words after a flag stand for; one word, unless the option is a list of costs.
/// \throws ConfigError when it is not what the option asks for.
[[nodiscard]] nlohmann::json from_command_line(const Option& option, const std::vector<std::string>& words);

/// The settings in a JSON file; what a config.json says of its command and version is passed over.
/// \throws ConfigError when the file cannot be read, is not a JSON object, has a key that is not in `table`
/// or a value that is not what the table asks for.
[[nodiscard]] Values read_config_file(const std::filesystem::path& file, const OptionTable& table);

}  // namespace ensyn::driver
