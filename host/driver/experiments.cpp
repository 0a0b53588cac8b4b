/// \file
/// `ensyn experiments`: the measurements behind the paper's figure 6 and what is computed from them. Files
/// are the user's: tables as Costa et al. (2017) and Schug et al. (2021) made of Sjostrom et al. (2001), and
/// of Ko et al. (2013).
#include <cmath>
#include <filesystem>
#include <functional>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ensyn/ensyn.h"
#include "host/driver/commands.h"
#include "host/driver/files/csv.h"
#include "host/driver/files/folder_lock.h"
#include "host/driver/files/run_folder.h"
#include "host/driver/files/text.h"
#include "host/driver/settings/shared_settings.h"

namespace ensyn::driver {
namespace {

using Numbers = std::vector<double>;

/// One line of experiments.csv. Panel a is the change of a synapse against its release probability, panel b
/// the variability of PSPs against the presynaptic rate.
struct Fit {
  std::string panel, x_name, y_name, subset;
  Regression regression;
  std::optional<double> rank;  ///< Spearman; none for a partial regression
};

struct Points {
  std::string panel, subset;
  Numbers x, y;
};

struct Results {
  std::vector<Fit> fits;
  std::vector<Points> points;
  Numbers normalized_x, normalized_y;
};

const OptionTable& experiments_options() {
  static const OptionTable table =
      joined({{{"ltp", Kind::text, "FILE", "",
                "CSV of potentiation: 'Pr (before)', 'Pr (after)', 'q (mV, before)', 'q (mV, after)'"},
               {"ltd", Kind::text, "FILE", "", "CSV of depression, with the same columns"},
               {"variability", Kind::text, "FILE", "",
                "CSV of PSP variability: 'mean' (mV), 'var' (mV^2), 'foopsi_mean', 'foopsi_threshold'"},
               {"seed", Kind::seed, "SEED", "", "accepted, as by every command; changes nothing here"},
               {"out", Kind::text, "DIR", "ensyn-experiments", "folder for the files"}},
              execution_options()});
  return table;
}

/// \throws DataError on a value that is not above 0, of which there is no logarithm or ratio
Numbers positive(const Table& table, const std::string& column) {
  Numbers values = table.numbers(column);
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (values[i] > 0) continue;
    table.reject(i, column, "is " + exact(values[i]) + ", but must be above 0");
  }
  return values;
}

Table read_table(const std::filesystem::path& file) {
  try {
    return read_csv(file, Author::user);
  } catch (const IoError& error) {
    throw DataError(error.what());
  }
}

/// Relative change of the weight p q against the release probability before it.
Points changes(const std::filesystem::path& file, const std::string& subset) {
  const Table table = read_table(file);
  const Numbers p_before = positive(table, "Pr (before)"), p_after = positive(table, "Pr (after)");
  const Numbers q_before = positive(table, "q (mV, before)"), q_after = positive(table, "q (mV, after)");
  Points points{"a", subset, p_before, {}};
  for (std::size_t i = 0; i < p_before.size(); ++i) {
    const double before = p_before[i] * q_before[i], after = p_after[i] * q_after[i];
    points.y.push_back(std::fabs(after - before) / before);
  }
  return points;
}

Fit fit_of(const Points& points, const std::string& x_name, const std::string& y_name) {
  return {
      points.panel, x_name, y_name, points.subset, regress(points.x, points.y), spearman(points.x, points.y)};
}

/// Statistics do not know which file their numbers are from.
template <class Analysis>
void naming(const std::filesystem::path& file, const Analysis& analysis) {
  try {
    analysis();
  } catch (const DataError& error) {
    const std::string what = error.what();
    if (what.find(file.filename().string()) != std::string::npos) throw;
    throw DataError(file.string() + ": " + what);
  }
}

void analyse_changes(const Values& values, Results& results) {
  const char *const x = "release probability before", *const y = "relative change of the weight";
  Points pooled{"a", "pooled", {}, {}};
  for (const char* subset : {"ltp", "ltd"}) {
    const auto file = optional_path(values, subset);
    if (!file) continue;
    naming(*file, [&] {
      const Points points = changes(*file, subset);
      pooled.x.insert(pooled.x.end(), points.x.begin(), points.x.end());
      pooled.y.insert(pooled.y.end(), points.y.begin(), points.y.end());
      results.fits.push_back(fit_of(points, x, y));
      results.points.push_back(points);
    });
  }
  if (values.has("ltp") && values.has("ltd")) results.fits.insert(results.fits.begin(), fit_of(pooled, x, y));
}

Numbers logarithms(const Numbers& values) {
  Numbers result;
  for (const double value : values) result.push_back(std::log(value));
  return result;
}

Numbers combined(const Numbers& a, const Numbers& b, double factor) {
  Numbers result(a.size());
  for (std::size_t i = 0; i < a.size(); ++i) result[i] = a[i] + factor * b[i];
  return result;
}

/// How PSPs vary with the presynaptic rate, by each normalisation that the paper's slope of -0.62 may mean
/// (paper.md, section 5): all in natural logarithms.
void analyse_variability(const std::filesystem::path& file, Results& results) {
  const Table table = read_table(file);
  const Numbers mean = logarithms(positive(table, "mean")), variance = logarithms(positive(table, "var"));
  const Numbers rate = logarithms(positive(table, "foopsi_mean"));
  const Numbers threshold = logarithms(positive(table, "foopsi_threshold"));
  const auto add = [&](const char* x_name, const char* y_name, const Numbers& x, const Numbers& y) {
    results.fits.push_back(fit_of({"b", "all", x, y}, x_name, y_name));
  };
  const Numbers sd = combined(Numbers(mean.size()), variance, 0.5);
  const Numbers fano = combined(variance, mean, -1);
  add("ln foopsi_threshold", "ln sigma / sqrt(mu)", threshold, combined(sd, mean, -0.5));
  results.fits.push_back({"b", "ln foopsi_mean given ln mu", "ln sigma^2", "all",
                          partial_regression(rate, variance, mean), std::nullopt});
  const Regression by_mean = regress(mean, variance);
  Numbers rest(mean.size());
  for (std::size_t i = 0; i < rest.size(); ++i) {
    rest[i] = variance[i] - by_mean.intercept - by_mean.slope * mean[i];
  }
  add("ln foopsi_mean", "ln sigma^2 without what ln mu explains", rate, rest);
  add("ln foopsi_mean", "ln sigma^2 / mu", rate, fano);
  add("ln foopsi_threshold", "ln sigma^2 / mu", threshold, fano);
  add("ln foopsi_mean", "ln sigma / mu", rate, combined(sd, mean, -1));
  add("ln foopsi_mean", "ln sigma^2", rate, variance);
  add("ln mu", "ln sigma^2", mean, variance);
  results.points.push_back({"b", "all", threshold, combined(sd, mean, -0.5)});
}

void write_results(const RunFolder& folder, const Results& results) {
  Table fits{"",
             {"panel", "x_name", "y_name", "subset", "n", "slope", "slope_low", "slope_high", "intercept",
              "r", "p", "spearman"},
             {}};
  for (const Fit& fit : results.fits) {
    const Regression& r = fit.regression;
    fits.rows.push_back({fit.panel, fit.x_name, fit.y_name, fit.subset, std::to_string(r.n), exact(r.slope),
                         exact(r.slope_low), exact(r.slope_high), exact(r.intercept), exact(r.r), exact(r.p),
                         fit.rank ? exact(*fit.rank) : ""});
  }
  Table points{"", {"panel", "subset", "x", "y"}, {}};
  for (const Points& set : results.points) {
    for (std::size_t i = 0; i < set.x.size(); ++i) {
      points.rows.push_back({set.panel, set.subset, exact(set.x[i]), exact(set.y[i])});
    }
  }
  write_csv(folder.path / "experiments.csv", fits);
  write_csv(folder.path / "experiments_points.csv", points);
}

nlohmann::ordered_json summary_of(const Results& results) {
  nlohmann::ordered_json fits = nlohmann::ordered_json::array();
  for (const Fit& fit : results.fits) {
    const Regression& r = fit.regression;
    fits.push_back({{"panel", fit.panel},
                    {"x", fit.x_name},
                    {"y", fit.y_name},
                    {"subset", fit.subset},
                    {"n", r.n},
                    {"slope", r.slope},
                    {"slope_low", r.slope_low},
                    {"slope_high", r.slope_high},
                    {"r", r.r},
                    {"p", r.p}});
  }
  return {{"command", "experiments"}, {"fits", fits}};
}

void print(const Results& results, const RunFolder& folder) {
  for (const Fit& fit : results.fits) {
    const Regression& r = fit.regression;
    std::cout << formatted("6%s  %-38s on %-28s %-7s n %3zu  slope %7.3f [%6.2f, %6.2f]  r %6.3f  p %.2g\n",
                           fit.panel.c_str(), fit.y_name.c_str(), fit.x_name.c_str(), fit.subset.c_str(), r.n,
                           r.slope, r.slope_low, r.slope_high, r.r, r.p);
  }
  std::cout << "files  " << folder.path.string()
            << "/ config.json, experiments.csv, experiments_points.csv, summary.json\n";
}

void experiments(const OverwriteFlags& flags) {
  Values values;
  flags.overlay(values, experiments_options());
  (void)execution_config(values);
  if (!values.has("ltp") && !values.has("ltd") && !values.has("variability")) {
    throw ConfigError("no measurements are given: give --ltp FILE, --ltd FILE or --variability FILE");
  }
  const RunFolder folder{values.get<std::string>("out", "ensyn-experiments")};
  const FolderLock lock(folder.path);
  check_vacant(folder.path, flags.overwrite);
  Results results;
  analyse_changes(values, results);
  if (const auto file = optional_path(values, "variability")) {
    naming(*file, [&] { analyse_variability(*file, results); });
  }

  nlohmann::ordered_json config = {{"command", "experiments"}};
  for (const char* key : {"ltp", "ltd", "variability"}) {
    if (const auto file = optional_path(values, key)) config[key] = absolute_path(*file);
  }
  folder.remove_run();
  write_json(folder.config(), config);
  write_results(folder, results);
  const nlohmann::ordered_json summary = summary_of(results);
  write_json(folder.summary(), summary);
  if (flags.json) std::cout << summary.dump(2) << '\n';
  if (flags.prints_text()) print(results, folder);
}

}  // namespace

Command experiments_command() {
  const auto flags = std::make_shared<OverwriteFlags>();
  return {"experiments",
          "regressions of the paper's figure 6 on measured synapses",
          experiments_options(),
          *flags,
          {{"--overwrite", &flags->overwrite, "replace the run in --out"}},
          std::nullopt,
          [flags] { experiments(*flags); }};
}

}  // namespace ensyn::driver
