/// \file
/// `ensyn biophysics`: what reliability costs by each mechanism, and how PSPs spread at a fixed mean (the
/// paper's figure 1).
#include <cmath>
#include <iostream>
#include <memory>
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

struct Settings {
  double mean = 1, n = 5, p = 0.5, hill = 4;
  std::optional<double> geometry;  ///< of membrane, actin and trafficking alike, instead of 2, 1, 0
  double cv_low = 0.05, cv_high = 1;
  int points = 41, draws = 10000;
  std::uint64_t seed = 0;
  std::filesystem::path out = "ensyn-biophysics";
};

/// One mechanism over a range of sigma.
struct Curve {
  MechanismModel model;
  std::vector<double> sigmas, costs;
  double fitted_rho = 0;
};

/// More than any figure shows; they stand in memory, the points in tables too.
constexpr int kMostPoints = 100'000, kMostDraws = 100'000'000;

const OptionTable& biophysics_options() {
  static const OptionTable table = joined(
      {{{"mean", Kind::real, "MU", "1", "mean PSP, held fixed", 0, true},
        {"vesicles", Kind::real, "N", "5", "docked vesicles, held fixed by calcium", 0, true},
        {"release", Kind::real, "P", "0.5", "release probability, held fixed by the other mechanisms", 0,
         true},
        {"hill", Kind::real, "H", "4", "Hill coefficient of release on calcium: rho = 2 / H", 0, true},
        {"geometry", Kind::real, "K", "2, 1, 0",
         "cost of a vesicle ~ radius^K, for membrane, actin and trafficking alike: rho = 2 (1 - K/3)", 0},
        {"cv_low", Kind::real, "CV", "0.05", "smallest sigma / mu of the curves", 0, true},
        {"cv_high", Kind::real, "CV", "1", "largest sigma / mu of the curves", 0, true},
        {"points", Kind::whole, "N", "41", "points of each curve", 3, false, kMostPoints},
        {"draws", Kind::whole, "N", "10000", "PSPs drawn for each histogram", 1, false, kMostDraws},
        {"seed", Kind::seed, "SEED", "0", "decides the drawn PSPs"},
        {"out", Kind::text, "DIR", "ensyn-biophysics", "folder for the files"}},
       execution_options()});
  return table;
}

Settings settings_from(const Values& values) {
  (void)execution_config(values);
  Settings settings;
  settings.mean = values.get("mean", settings.mean);
  settings.n = values.get("vesicles", settings.n);
  settings.p = values.get("release", settings.p);
  settings.hill = values.get("hill", settings.hill);
  if (values.has("geometry")) settings.geometry = values.get("geometry", 0.0);
  settings.cv_low = values.get("cv_low", settings.cv_low);
  settings.cv_high = values.get("cv_high", settings.cv_high);
  settings.points = values.get("points", settings.points);
  settings.draws = values.get("draws", settings.draws);
  settings.seed = values.get("seed", settings.seed);
  settings.out = values.get<std::string>("out", settings.out.string());
  if (settings.cv_low >= settings.cv_high) {
    throw ConfigError(values.origin("cv_low") + " must be below " + values.origin("cv_high") +
                      ", but they are " + exact(settings.cv_low) + " and " + exact(settings.cv_high));
  }
  return settings;
}

Curve curve_of(Mechanism mechanism, const Settings& settings) {
  Curve curve{MechanismModel::of(mechanism), {}, {}, 0};
  curve.model.mean = settings.mean;
  curve.model.n = settings.n;
  curve.model.p = settings.p;
  curve.model.hill = settings.hill;
  if (settings.geometry) curve.model.geometry = *settings.geometry;
  std::vector<double> x, y;
  for (int i = 0; i < settings.points; ++i) {
    const double at = static_cast<double>(i) / (settings.points - 1);
    const double sigma = settings.mean * settings.cv_low * std::pow(settings.cv_high / settings.cv_low, at);
    curve.sigmas.push_back(sigma);
    curve.costs.push_back(curve.model.cost(sigma));
    x.push_back(std::log(sigma));
    y.push_back(std::log(curve.costs.back()));
  }
  curve.fitted_rho = -regress(x, y).slope;
  return curve;
}

Table curves_table(const std::vector<Curve>& curves) {
  Table table{"", {"mechanism", "rho", "rho_fitted", "sigma", "n", "p", "q", "cost"}, {}};
  for (const Curve& curve : curves) {
    for (std::size_t i = 0; i < curve.sigmas.size(); ++i) {
      const QuantalSynapse synapse = curve.model.synapse(curve.sigmas[i]);
      table.rows.push_back({std::string(name(curve.model.mechanism)), exact(curve.model.exponent()),
                            exact(curve.fitted_rho), exact(curve.sigmas[i]), exact(synapse.n),
                            exact(synapse.p), exact(synapse.q), exact(curve.costs[i])});
    }
  }
  return table;
}

/// Figure 1b: synapses of one mean; more vesicles, or a higher release probability, narrow their PSPs.
Table histograms_table(const Settings& settings) {
  const std::vector<std::pair<std::string, QuantalSynapse>> synapses = {
      {"release", {5, 0.2}},  {"release", {5, 0.5}},  {"release", {5, 0.8}},
      {"vesicles", {2, 0.5}}, {"vesicles", {5, 0.5}}, {"vesicles", {20, 0.5}}};
  Table table{"", {"panel", "n", "p", "q", "psp", "probability", "drawn"}, {}};
  for (auto [panel, synapse] : synapses) {
    synapse.q = settings.mean / (synapse.n * synapse.p);
    const int vesicles = static_cast<int>(synapse.n);
    std::vector<int> counts(static_cast<std::size_t>(vesicles) + 1);
    for (const double psp : synapse.draw(static_cast<std::size_t>(settings.draws), settings.seed)) {
      ++counts[static_cast<std::size_t>(std::lround(psp / synapse.q))];
    }
    for (int k = 0; k <= vesicles; ++k) {
      const double drawn = static_cast<double>(counts[static_cast<std::size_t>(k)]) / settings.draws;
      table.rows.push_back({panel, exact(synapse.n), exact(synapse.p), exact(synapse.q), exact(k * synapse.q),
                            exact(synapse.release_probability(k)), exact(drawn)});
    }
  }
  return table;
}

nlohmann::ordered_json config_json(const Settings& settings) {
  nlohmann::ordered_json config = {{"command", "biophysics"},
                                   {"mean", settings.mean},
                                   {"vesicles", settings.n},
                                   {"release", settings.p},
                                   {"hill", settings.hill}};
  if (settings.geometry) config["geometry"] = *settings.geometry;
  config["cv_low"] = settings.cv_low;
  config["cv_high"] = settings.cv_high;
  config["points"] = settings.points;
  config["draws"] = settings.draws;
  config["seed"] = settings.seed;
  return config;
}

void print(const std::vector<Curve>& curves, const Settings& settings) {
  std::cout << formatted("%-14s%10s%14s%16s\n", "mechanism", "rho", "rho, fitted", "held fixed");
  for (const Curve& curve : curves) {
    const bool calcium = curve.model.mechanism == Mechanism::calcium;
    std::cout << formatted("%-14s%10.4f%14.4f%10s = %g\n", std::string(name(curve.model.mechanism)).c_str(),
                           curve.model.exponent(), curve.fitted_rho, calcium ? "n" : "p",
                           calcium ? curve.model.n : curve.model.p);
  }
  std::cout << formatted("%-14s", "files") << settings.out.string()
            << "/ config.json, biophysics.csv, biophysics_histograms.csv, summary.json\n";
}

void biophysics(const OverwriteFlags& flags) {
  Values values;
  flags.overlay(values, biophysics_options());
  const Settings settings = settings_from(values);
  const FolderLock lock(settings.out);
  check_vacant(settings.out, flags.overwrite);
  std::vector<Curve> curves;
  for (const Mechanism mechanism :
       {Mechanism::calcium, Mechanism::membrane, Mechanism::actin, Mechanism::trafficking}) {
    curves.push_back(curve_of(mechanism, settings));
  }
  nlohmann::ordered_json summary = {{"command", "biophysics"}};
  for (const Curve& curve : curves) {
    summary["mechanisms"][std::string(name(curve.model.mechanism))] = {{"rho", curve.model.exponent()},
                                                                       {"rho_fitted", curve.fitted_rho}};
  }
  const RunFolder folder{settings.out};
  const Table histograms = histograms_table(settings);
  folder.remove_run();
  write_json(folder.config(), config_json(settings));
  write_csv(folder.path / "biophysics.csv", curves_table(curves));
  write_csv(folder.path / "biophysics_histograms.csv", histograms);
  write_json(folder.summary(), summary);
  if (flags.json) std::cout << summary.dump(2) << '\n';
  if (flags.prints_text()) print(curves, settings);
}

}  // namespace

Command biophysics_command() {
  const auto flags = std::make_shared<OverwriteFlags>();
  return {"biophysics",
          "what reliability costs by each mechanism, and PSPs at a fixed mean (figure 1)",
          biophysics_options(),
          *flags,
          {{"--overwrite", &flags->overwrite, "replace the run in --out"}},
          std::nullopt,
          [flags] { biophysics(*flags); }};
}

}  // namespace ensyn::driver
