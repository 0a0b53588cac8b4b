#include "host/driver/report/runs.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <map>
#include <system_error>
#include <utility>

#include "ensyn/error.h"
#include "host/driver/files/text.h"
#include "host/io/json_text.h"

namespace ensyn::driver::report {
namespace {

using nlohmann::ordered_json;

/// What makes a folder one that the report can use.
constexpr std::array kTables = {"sweep.csv",      "signatures.csv",  "bayes.csv",
                                "regression.csv", "experiments.csv", "biophysics.csv"};
constexpr std::size_t kDeepest = 3;  ///< levels of subfolders that are looked into

/// The paper's settings, under the names of config.json (see README.md).
const std::vector<std::pair<std::string, ordered_json>>& paper_settings() {
  static const std::vector<std::pair<std::string, ordered_json>> settings = {
      {"dataset", "mnist"},
      {"limit_train", ordered_json()},
      {"limit_test", ordered_json()},
      {"hidden", {100, 100}},
      {"epochs", 50},
      {"batch", 20},
      {"lr", 1e-4},
      {"lambda", 0.01},
      {"mu_range", 0.1},
      {"sigma_init", 1e-4},
  };
  return settings;
}

ordered_json read_config(const std::filesystem::path& file) {
  std::error_code ignored;
  if (!std::filesystem::exists(file, ignored)) return {};
  return read_json_object<ordered_json>(file, "restore it, or make the run again");
}

/// Finds the runs in folders and their subfolders, each once.
class Collector {
 public:
  /// \returns whether there is any run, be it one that was found before
  bool collect(const std::filesystem::path& given, std::size_t depth = 0) {
    std::error_code error;
    const std::filesystem::path folder = std::filesystem::canonical(given, error);
    if (error) return false;
    bool any = false;
    Run run{folder, "", {}};
    if (std::ranges::any_of(kTables, [&](const char* table) { return run.holds(table); })) {
      any = true;
      if (seen_.insert(folder).second) {
        run.config = read_config(folder / "config.json");
        runs_.push_back(std::move(run));
        shown_parts_.push_back(depth + 1);
      }
    }
    if (depth == kDeepest) return any;
    std::vector<std::filesystem::path> inner;
    for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
      if (entry.is_directory(error)) inner.push_back(entry.path());
    }
    std::ranges::sort(inner);
    for (const auto& path : inner) any = collect(path, depth + 1) || any;
    return any;
  }

  /// The runs, with names that tell them apart.
  std::vector<Run> named_runs() && {
    for (std::map<std::string, std::vector<std::size_t>> named;; named.clear()) {
      for (std::size_t i = 0; i < runs_.size(); ++i) {
        runs_[i].name = last_parts(runs_[i].folder, shown_parts_[i]);
        named[runs_[i].name].push_back(i);
      }
      // Whole paths differ, so that this comes to an end.
      if (named.size() == runs_.size()) return std::move(runs_);
      for (const auto& [name, runs] : named) {
        for (const std::size_t i : runs) shown_parts_[i] += runs.size() > 1 ? 1 : 0;
      }
    }
  }

 private:
  static std::string last_parts(const std::filesystem::path& path, std::size_t count) {
    const auto parts = static_cast<std::size_t>(std::distance(path.begin(), path.end()));
    if (count >= parts) return legible(path.string());
    std::filesystem::path last;
    for (auto part = std::next(path.begin(), static_cast<std::ptrdiff_t>(parts - count)); part != path.end();
         ++part)
      last /= *part;
    return legible(last.string());
  }

  std::vector<Run> runs_;
  std::vector<std::size_t> shown_parts_;  ///< of each run's path, counted from its end
  std::set<std::filesystem::path> seen_;
};

std::optional<Table> optional_reference(const std::filesystem::path& file,
                                        const std::vector<std::string>& columns, Notes& left_out) {
  std::error_code ignored;
  if (!std::filesystem::exists(file, ignored)) return std::nullopt;
  return read_table(file, columns, left_out, Author::user);
}

}  // namespace

bool Run::holds(const std::string& file) const {
  std::error_code ignored;
  return std::filesystem::is_regular_file(folder / file, ignored);
}

std::string Run::setting(const std::string& key) const {
  if (!config.is_object() || !config.contains(key)) return "";
  const ordered_json& value = config[key];
  return value.is_string() ? value.get<std::string>() : value.dump();
}

std::string Run::protocol(const std::set<std::string>& told_by_row) const {
  if (!config.is_object()) return folder.string();
  const std::set<std::string> apart = {"seed", "data_seed", "version"};
  std::map<std::string, std::string> settings;
  for (const auto& [key, value] : config.items()) {
    if (!is_about_machine(key) && !apart.contains(key) && !told_by_row.contains(key))
      settings.emplace(key, value.dump());
  }
  return nlohmann::json(settings).dump();
}

std::map<std::string, std::string> names_of_protocols(const std::vector<Run>& runs,
                                                      const std::set<std::string>& told_by_row) {
  std::map<std::string, std::string> names;
  for (const Run& run : runs) {
    std::string& name = names[run.protocol(told_by_row)];
    name += (name.empty() ? "" : " + ") + run.name;
  }
  return names;
}

std::vector<Run> without_copies(const std::vector<Run>& runs, Notes& left_out) {
  std::map<std::pair<std::string, std::string>, std::string> seen;
  std::vector<Run> result;
  for (const Run& run : runs) {
    const auto [first, is_new] = seen.emplace(std::pair(run.protocol({}), run.seeds()), run.name);
    if (is_new) {
      result.push_back(run);
    } else {
      left_out.push_back(run.name + ", which has all settings and the seeds of " + first->second);
    }
  }
  return result;
}

bool is_about_machine(const std::string& setting) {
  static const std::set<std::string> kSettings = {
      "device", "device_index", "threads", "out", "instruction_set", "training_method", "checkpoint_every"};
  return kSettings.contains(setting);
}

std::vector<Run> find_runs(const std::vector<std::filesystem::path>& folders) {
  Collector collector;
  for (const std::filesystem::path& folder : folders) {
    std::error_code ignored;
    if (!std::filesystem::is_directory(folder, ignored)) {
      throw DataError(folder.string() + " is not a folder: give the --out folders of runs");
    }
    if (collector.collect(folder)) continue;
    std::string names;
    for (const char* table : kTables) names += (names.empty() ? "" : ", ") + std::string(table);
    throw DataError(folder.string() + " holds nothing to report: none of " + names +
                    " is in it or its subfolders; give the --out folder of a finished run");
  }
  return std::move(collector).named_runs();
}

std::vector<Run> with_file(const std::vector<Run>& runs, const std::string& file) {
  std::vector<Run> result;
  std::ranges::copy_if(runs, std::back_inserter(result), [&](const Run& run) { return run.holds(file); });
  return result;
}

std::vector<std::string> departures(const Run& run) {
  std::vector<std::string> result;
  if (!run.config.is_object()) return result;
  if (run.config.contains("data")) result.push_back("data " + run.setting("data"));
  for (const auto& [key, paper] : paper_settings()) {
    const ordered_json value = run.config.value(key, ordered_json());
    if (value == paper || (value.is_null() && key == "dataset")) continue;
    if (value.is_array() && value.size() == 1 && value.front() == paper) continue;
    if (value.is_null()) continue;
    result.push_back(key + " " + run.setting(key) + " (paper: " + (paper.is_null() ? "all" : paper.dump()) +
                     ")");
  }
  return result;
}

std::string departure_note(const std::vector<Run>& runs) {
  std::string text;
  for (const Run& run : runs) {
    for (const std::string& departure : departures(run)) {
      text += (text.empty() ? "" : "; ") + (runs.size() > 1 ? run.name + ": " : "") + departure;
    }
  }
  if (text.empty()) return "";
  return "Networks of these runs were not trained by the paper's protocol, so that their numbers need not "
         "agree with "
         "the published ones: " +
         text + ".";
}

bool is_on_mnist(const Run& run) {
  // A folder of IDX files may well hold MNIST, and runs from before a setting was written say nothing of it.
  if (run.config.is_object() && run.config.contains("data")) return true;
  const std::string name = run.setting("dataset");
  return name.empty() || name == "mnist";
}

Reference read_reference(const std::optional<std::filesystem::path>& folder, Notes& left_out) {
  if (!folder) return {};
  std::error_code ignored;
  if (!std::filesystem::is_directory(*folder, ignored)) {
    throw DataError("--reference " + folder->string() +
                    " is not a folder: give the one with paper_tradeoff.csv");
  }
  Reference reference{
      optional_reference(*folder / "paper_tradeoff.csv",
                         {"rho", "c", "noise", "accuracy_single_sample_percent", "sigma_rms"}, left_out),
      optional_reference(
          *folder / "paper_signatures.csv",
          {"rho", "layer", "sigma_median", "curvature_median", "spearman_curvature", "slope_curvature",
           "spearman_learning_rate", "slope_learning_rate", "spearman_input_rate", "slope_input_rate"},
          left_out)};
  if (!reference.tradeoff && !reference.signatures) {
    throw DataError("--reference " + folder->string() +
                    " holds neither paper_tradeoff.csv nor paper_signatures.csv");
  }
  return reference;
}

}  // namespace ensyn::driver::report
