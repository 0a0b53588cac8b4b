#include "host/driver/report/runs.h"

#include <algorithm>
#include <array>
#include <system_error>
#include <utility>

#include "ensyn/error.h"
#include "host/io/json_text.h"

namespace ensyn::driver::report {
namespace {

using nlohmann::ordered_json;

/// What makes a folder one that the report can use.
constexpr std::array kTables = {"sweep.csv",      "signatures.csv",  "bayes.csv",
                                "regression.csv", "experiments.csv", "biophysics.csv"};
constexpr int kDeepest = 3;  ///< levels of subfolders that are looked into

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

/// Whether both names, such as `grid` and `grid/`, are of one folder.
bool is_same(const std::filesystem::path& one, const std::filesystem::path& other) {
  std::error_code ignored;
  return std::filesystem::equivalent(one, other, ignored);
}

/// Adds the runs in a folder and in its subfolders, each once, whatever way leads to it. \returns whether any
/// lies there
bool collect(const std::filesystem::path& folder, const std::string& name, int depth,
             std::vector<Run>& runs) {
  Run run{folder, name, {}};
  bool found = std::ranges::any_of(kTables, [&](const char* table) { return run.holds(table); });
  if (found && std::ranges::none_of(runs, [&](const Run& one) { return is_same(one.folder, folder); })) {
    run.config = read_config(folder / "config.json");
    runs.push_back(std::move(run));
  }
  if (depth == kDeepest) return found;
  std::vector<std::filesystem::path> inner;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    if (entry.is_directory(error)) inner.push_back(entry.path());
  }
  std::ranges::sort(inner);
  for (const auto& path : inner) {
    found = collect(path, name + "/" + path.filename().string(), depth + 1, runs) || found;
  }
  return found;
}

std::optional<Table> optional_reference(const std::filesystem::path& file,
                                        const std::vector<std::string>& columns) {
  std::error_code ignored;
  if (!std::filesystem::exists(file, ignored)) return std::nullopt;
  return read_table(file, columns, Author::user);
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

std::vector<Run> find_runs(const std::vector<std::filesystem::path>& folders) {
  std::vector<Run> runs;
  for (auto given = folders.begin(); given != folders.end(); ++given) {
    const std::filesystem::path& folder = *given;
    std::error_code ignored;
    if (!std::filesystem::is_directory(folder, ignored)) {
      throw DataError(folder.string() + " is not a folder: give the --out folders of runs");
    }
    if (std::any_of(folders.begin(), given, [&](const auto& other) { return is_same(other, folder); })) {
      throw ConfigError(folder.string() + " is given twice, in this or another spelling: leave one");
    }
    const auto path = folder.lexically_normal();
    const auto last = path.has_filename() ? path.filename() : path.parent_path().filename();
    if (!collect(folder, last.string(), 0, runs)) {
      std::string names;
      for (const char* table : kTables) names += (names.empty() ? "" : ", ") + std::string(table);
      throw DataError(folder.string() + " holds nothing to report: none of " + names +
                      " is in it or its subfolders; give the --out folder of a finished run");
    }
  }
  return runs;
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

Reference read_reference(const std::optional<std::filesystem::path>& folder) {
  if (!folder) return {};
  std::error_code ignored;
  if (!std::filesystem::is_directory(*folder, ignored)) {
    throw DataError("--reference " + folder->string() +
                    " is not a folder: give the one with paper_tradeoff.csv");
  }
  Reference reference{
      optional_reference(*folder / "paper_tradeoff.csv",
                         {"rho", "c", "noise", "accuracy_single_sample_percent", "sigma_rms"}),
      optional_reference(
          *folder / "paper_signatures.csv",
          {"rho", "layer", "sigma_median", "curvature_median", "spearman_curvature", "slope_curvature",
           "spearman_learning_rate", "slope_learning_rate", "spearman_input_rate", "slope_input_rate"})};
  if (!reference.tradeoff && !reference.signatures) {
    throw DataError("--reference " + folder->string() +
                    " holds neither paper_tradeoff.csv nor paper_signatures.csv");
  }
  return reference;
}

}  // namespace ensyn::driver::report
