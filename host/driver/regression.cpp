#include "host/driver/regression.h"

#include <chrono>
#include <cmath>
#include <iostream>
#include <memory>
#include <optional>
#include <string>

#include "host/driver/commands.h"
#include "host/driver/files/csv.h"
#include "host/driver/files/folder_lock.h"
#include "host/driver/files/run_folder.h"
#include "host/driver/files/text.h"
#include "host/driver/settings/shared_settings.h"
#include "host/driver/terminal/verbose.h"

namespace ensyn::driver {
namespace {

using nlohmann::ordered_json;

/// What one network of the population is.
struct Model {
  std::string objective;
  double rho, c;  ///< NaN for the variational network, which is "no value" in a table
};

/// Noise of the points: streams of the purpose that training does not use.
enum Stream : std::uint32_t { kTrainingPoints = 0, kTestPoints = 1 };

constexpr int kTestCount = 200;

/// More than any figure shows; they stand in memory, and in tables.
constexpr int kMostPoints = 1'000'000, kMostCurvePoints = 100'000;

double f(double x) {
  return x * x * x + 2 * x * x;
}

/// Position i of `count` on [low, high], both included.
double on_grid(double low, double high, int i, int count) {
  return low + (high - low) * i / (count - 1);
}

/// x as the networks get it: of mean 0 and SD 1 over [low, high].
float input_of(const RegressionSettings& settings, double x) {
  const double middle = 0.5 * (settings.low + settings.high), half = 0.5 * (settings.high - settings.low);
  return static_cast<float>((x - middle) / half * std::sqrt(3.0));
}

struct Points {
  std::vector<double> x, y;

  [[nodiscard]] Dataset dataset(const RegressionSettings& settings, const std::string& name) const {
    std::vector<float> features, targets;
    for (const double value : x) features.push_back(input_of(settings, value));
    for (const double value : y) targets.push_back(static_cast<float>(value));
    return Dataset::from_targets(std::move(features), std::move(targets), 1, 1, name);
  }
};

Points noisy_points(const RegressionSettings& settings, Stream stream, int count) {
  std::vector<double> noise(static_cast<std::size_t>(count));
  noise_normals({settings.seed, stream, 0, 0, Purpose::user}, 1, count, std::span<double>(noise));
  Points points;
  for (int i = 0; i < count; ++i) {
    const double x = on_grid(settings.low, settings.high, i, count);
    points.x.push_back(x);
    points.y.push_back(f(x) + settings.noise_sd * noise[static_cast<std::size_t>(i)]);
  }
  return points;
}

/// Points without noise, beyond the training range on both sides.
Points curve_points(const RegressionSettings& settings) {
  Points points;
  for (int i = 0; i < settings.curve_points; ++i) {
    points.x.push_back(
        on_grid(settings.low - settings.margin, settings.high + settings.margin, i, settings.curve_points));
    points.y.push_back(f(points.x.back()));
  }
  return points;
}

std::vector<Model> models_of(const RegressionSettings& settings) {
  std::vector<Model> models = {{"variational", std::nan(""), std::nan("")}};
  for (const double rho : settings.rho) {
    for (const double c : settings.c) models.push_back({"energy", rho, c});
  }
  return models;
}

PopulationConfig population_config(const RegressionSettings& settings, const std::vector<Model>& models) {
  PopulationConfig config;
  config.architecture.sizes = {1};
  config.architecture.sizes.insert(config.architecture.sizes.end(), settings.hidden.begin(),
                                   settings.hidden.end());
  config.architecture.sizes.push_back(1);
  config.architecture.likelihood = Likelihood::gaussian;
  config.architecture.observation_sd = settings.noise_sd;
  config.batch = settings.batch;
  config.data_seed = settings.seed;
  config.precision = settings.precision;
  config.members.clear();
  for (const Model& model : models) {
    NetworkConfig& member = config.members.emplace_back();
    member.seed = settings.seed;
    member.adam.learning_rate = settings.learning_rate;
    member.mu_range = settings.mu_range;
    member.sigma_init = settings.sigma_init;
    // The same noise for all: what differs between the networks is the objective alone.
    member.stream = 0;
    if (model.objective == "variational") {
      member.objective = Objective::variational;
      member.costs.clear();
      member.lambda = 0;
      member.prior = settings.prior;
      if (settings.prior == Prior::gaussian) member.prior_sigma = settings.prior_sigma;
      if (settings.prior == Prior::laplace) member.prior_scale = settings.prior_scale;
    } else {
      member.costs = {{model.rho, model.c}};
      member.lambda = settings.lambda;
    }
  }
  return config;
}

/// \throws DivergenceError that says which network it was
void train(Population& population, const RegressionSettings& settings, const std::vector<Model>& models) {
  try {
    population.train_steps(static_cast<std::uint64_t>(settings.steps));
  } catch (const DivergenceError& error) {
    const Model& model = models[static_cast<std::size_t>(error.member())];
    const std::string which = std::isnan(model.rho)
                                  ? "the variational network"
                                  : "the network of rho " + exact(model.rho) + " and c " + exact(model.c);
    throw DivergenceError(which + ": " + error.what(), error.member(), error.step());
  }
}

/// All points share each draw of the weights, so that a draw is a function of x.
EvaluationConfig evaluation_of(const RegressionSettings& settings, std::size_t points) {
  EvaluationConfig evaluation;
  evaluation.samples = settings.samples;
  evaluation.batch = static_cast<int>(points);
  return evaluation;
}

double predictive_sd(const RegressionSettings& settings, double sd) {
  return std::hypot(sd, settings.noise_sd);
}

/// Fraction of the test points within two predictive SD of the predictive mean; 0.95 would be calibrated.
double coverage(const RegressionSettings& settings, const Prediction& prediction, const Points& test) {
  double inside = 0;
  for (std::size_t i = 0; i < test.y.size(); ++i) {
    const double error = std::fabs(test.y[i] - prediction.mean[i]);
    if (error <= 2 * predictive_sd(settings, prediction.sd[i])) inside += 1;
  }
  return inside / static_cast<double>(test.y.size());
}

void add_curve(const RegressionSettings& settings, const Model& model, const Prediction& prediction,
               const Points& curve, Table& table) {
  for (std::size_t i = 0; i < curve.x.size(); ++i) {
    table.rows.push_back({model.objective, exact(model.rho), exact(model.c), exact(curve.x[i]),
                          exact(prediction.mean[i]), exact(prediction.sd[i]), exact(curve.y[i]),
                          exact(predictive_sd(settings, prediction.sd[i]))});
  }
}

ordered_json number_or_null(double value) {
  return std::isnan(value) ? ordered_json() : ordered_json(value);
}

ordered_json model_json(const Model& model, const Evaluation& evaluation, const Energy& energy,
                        double mean_sd, double covered) {
  ordered_json result = {
      {"objective", model.objective}, {"rho", number_or_null(model.rho)}, {"c", number_or_null(model.c)}};
  result["nll_sample"] = evaluation.sample.nll;
  result["nll_mean"] = evaluation.mean.nll;
  result["nll_average"] = evaluation.average.nll;
  result["rmse_sample"] = evaluation.sample.rmse;
  result["rmse_mean"] = evaluation.mean.rmse;
  result["rmse_average"] = evaluation.average.rmse;
  result["sd"] = mean_sd;
  result["coverage"] = covered;
  result["sigma_rms"] = energy.sigma_rms;
  return result;
}

Table table_of(const Points& points) {
  Table table{"", {"x", "y"}, {}};
  for (std::size_t i = 0; i < points.x.size(); ++i) {
    table.rows.push_back({exact(points.x[i]), exact(points.y[i])});
  }
  return table;
}

ordered_json config_json(const RegressionSettings& settings) {
  ordered_json result = {{"command", "regression"},
                         {"rho", settings.rho},
                         {"c", settings.c},
                         {"hidden", settings.hidden},
                         {"low", settings.low},
                         {"high", settings.high},
                         {"margin", settings.margin},
                         {"points", settings.points},
                         {"curve_points", settings.curve_points},
                         {"noise_sd", settings.noise_sd},
                         {"lambda", settings.lambda},
                         {"lr", settings.learning_rate},
                         {"mu_range", settings.mu_range},
                         {"sigma_init", settings.sigma_init},
                         {"batch", settings.batch},
                         {"steps", settings.steps},
                         {"samples", settings.samples},
                         {"seed", settings.seed},
                         {"precision", name(settings.precision)},
                         {"device", name(settings.execution.device)},
                         {"device_index", settings.execution.device_index},
                         {"threads", settings.execution.threads},
                         {"instruction_set", settings.execution.instruction_set},
                         {"training_method", name(settings.execution.training_method)}};
  result["prior"] = name(settings.prior);
  if (settings.prior == Prior::gaussian) result["prior_sigma"] = settings.prior_sigma;
  if (settings.prior == Prior::laplace) result["prior_scale"] = settings.prior_scale;
  return result;
}

void print(const ordered_json& summary, const RegressionSettings& settings) {
  std::cout << formatted("%-14s%8s%10s%12s%12s%12s%12s\n", "objective", "rho", "c", "NLL", "RMSE", "mean SD",
                         "coverage");
  for (const ordered_json& model : summary["models"]) {
    const auto text = [&](const char* key) {
      return model[key].is_null() ? std::string() : formatted("%.4g", model[key].get<double>());
    };
    std::cout << formatted("%-14s%8s%10s%12s%12s%12s%12s\n", model["objective"].get<std::string>().c_str(),
                           text("rho").c_str(), text("c").c_str(), text("nll_average").c_str(),
                           text("rmse_average").c_str(), text("sd").c_str(), text("coverage").c_str());
  }
  std::cout << grouped(static_cast<std::uint64_t>(settings.steps)) << " steps on "
            << summary["device"].get<std::string>() << ", " << duration_text(summary["seconds"].get<double>())
            << "\n"
            << formatted("%-14s", "files") << settings.out.string()
            << "/ config.json, regression.csv, regression_data.csv, summary.json\n";
}

}  // namespace

const OptionTable& regression_options() {
  const RegressionSettings defaults;
  static const OptionTable table = joined(
      {{{"rho", Kind::real_axis, "RHO,...", "0.5,2/3,4/3,2", "exponents of the reliability cost", 0, true},
        {"c", Kind::real_axis, "C,...", "1e-4,1e-2,1", "weights of the reliability cost", 0},
        {"hidden", Kind::whole_list, "N,...", "20", "widths of the hidden layers, or none", 1},
        {"low", Kind::real, "X", exact(defaults.low), "smallest x of the training points"},
        {"high", Kind::real, "X", exact(defaults.high), "largest x of the training points"},
        {"margin", Kind::real, "X", exact(defaults.margin), "how far the curves go beyond them", 0},
        {"points", Kind::whole, "N", std::to_string(defaults.points), "training points, evenly spaced", 2,
         false, kMostPoints},
        {"curve_points", Kind::whole, "N", std::to_string(defaults.curve_points), "points of each curve", 2,
         false, kMostCurvePoints},
        {"noise_sd", Kind::real, "SD", exact(defaults.noise_sd), "SD of the points about f(x)", 0, true},
        {"lambda", Kind::real, "L", exact(defaults.lambda), "weight of the magnitude cost sum |mu|", 0},
        {"prior", Kind::text, "NAME", std::string(name(defaults.prior)),
         "of the variational network: flat, gaussian or laplace"},
        {"prior_sigma", Kind::real, "S", exact(defaults.prior_sigma), "SD of the gaussian prior", 0, true},
        {"prior_scale", Kind::real, "B", exact(defaults.prior_scale), "scale of the laplace prior", 0, true},
        {"lr", Kind::real, "RATE", exact(defaults.learning_rate), "Adam's learning rate", 0, true},
        {"mu_range", Kind::real, "R", exact(defaults.mu_range), "mu starts uniformly in (-R, R)", 0},
        {"sigma_init", Kind::real, "S", exact(defaults.sigma_init), "sigma starts here", 0, true},
        {"batch", Kind::whole, "N", std::to_string(defaults.batch), "examples per minibatch", 1},
        {"steps", Kind::whole, "N", std::to_string(defaults.steps), "training steps", 1},
        {"samples", Kind::whole, "K", std::to_string(defaults.samples),
         "weight draws behind each mean and SD", 2, false, kMostSamples},
        {"precision", Kind::text, "NAME", std::string(name(defaults.precision)), "single or double"},
        {"seed", Kind::seed, "SEED", "0", "decides noise, initial weights and the points"},
        {"out", Kind::text, "DIR", defaults.out.string(), "folder for the files"}},
       execution_options()});
  return table;
}

RegressionSettings regression_settings(const Values& values) {
  RegressionSettings settings;
  settings.rho = values.get("rho", settings.rho);
  settings.c = values.get("c", settings.c);
  settings.hidden = values.get("hidden", settings.hidden);
  settings.low = values.get("low", settings.low);
  settings.high = values.get("high", settings.high);
  settings.margin = values.get("margin", settings.margin);
  settings.points = values.get("points", settings.points);
  settings.curve_points = values.get("curve_points", settings.curve_points);
  settings.noise_sd = values.get("noise_sd", settings.noise_sd);
  settings.lambda = values.get("lambda", settings.lambda);
  settings.prior = values.named("prior", settings.prior, prior_from);
  settings.prior_sigma = values.get("prior_sigma", settings.prior_sigma);
  settings.prior_scale = values.get("prior_scale", settings.prior_scale);
  settings.learning_rate = values.get("lr", settings.learning_rate);
  settings.mu_range = values.get("mu_range", settings.mu_range);
  settings.sigma_init = values.get("sigma_init", settings.sigma_init);
  settings.batch = values.get("batch", settings.batch);
  settings.steps = values.get("steps", settings.steps);
  settings.samples = values.get("samples", settings.samples);
  settings.precision = values.named("precision", settings.precision, precision_from);
  settings.seed = values.get("seed", settings.seed);
  settings.execution = execution_config(values);
  settings.out = values.get<std::string>("out", settings.out.string());
  for (const auto& [key, prior] :
       {std::pair{"prior_sigma", Prior::gaussian}, std::pair{"prior_scale", Prior::laplace}}) {
    if (values.has(key) && settings.prior != prior) {
      throw ConfigError(values.origin(key) + " has a meaning for the " + std::string(name(prior)) +
                        " prior alone: leave it out, or choose that --prior");
    }
  }
  if (!(settings.low < settings.high)) {
    throw ConfigError(values.origin("low") + " is " + exact(settings.low) + ", but " + values.origin("high") +
                      " is " + exact(settings.high) + ": the first must be the smaller");
  }
  if (settings.batch > settings.points) {
    throw ConfigError(values.origin("batch") + " is " + std::to_string(settings.batch) +
                      ", but there are only " + std::to_string(settings.points) +
                      " training points: give at most that");
  }
  return settings;
}

ordered_json run_regression(const RegressionSettings& settings, bool overwrite) {
  const FolderLock lock(settings.out);
  check_vacant(settings.out, overwrite);
  const std::vector<Model> models = models_of(settings);
  const Points training = noisy_points(settings, kTrainingPoints, settings.points);
  const Points test = noisy_points(settings, kTestPoints, kTestCount);
  const Points curve = curve_points(settings);
  const auto start = std::chrono::steady_clock::now();
  Population population(population_config(settings, models), training.dataset(settings, "training points"),
                        settings.execution);
  announce(population);
  const Dataset curve_data = curve.dataset(settings, "curve");
  population.check_evaluation(curve_data, evaluation_of(settings, curve.x.size()));
  train(population, settings, models);

  const Dataset test_data = test.dataset(settings, "test points");
  const EvaluationConfig on_test = evaluation_of(settings, test.x.size());
  const std::vector<Evaluation> evaluations = population.evaluate(test_data, on_test);
  const std::vector<Prediction> predictions = population.predict(test_data, on_test);
  const std::vector<Prediction> curves =
      population.predict(curve_data, evaluation_of(settings, curve.x.size()));
  Table table{"", {"objective", "rho", "c", "x", "mean", "sd", "target", "predictive_sd"}, {}};
  ordered_json summary = {{"command", "regression"}, {"models", ordered_json::array()}};
  for (std::size_t m = 0; m < models.size(); ++m) {
    add_curve(settings, models[m], curves[m], curve, table);
    summary["models"].push_back(model_json(models[m], evaluations[m], population.energy(static_cast<int>(m)),
                                           mean_band(predictions[m].sd).mean,
                                           coverage(settings, predictions[m], test)));
  }
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
  summary["steps"] = population.step();
  summary["seconds"] = elapsed.count();
  summary["device"] = population.device();
  summary["training_method"] = population.training().method;
  summary["backend"] = population.backend();
  summary["seed"] = settings.seed;
  const RunFolder folder{settings.out};
  folder.remove_run();
  write_json(folder.config(), config_json(settings));
  write_csv(folder.path / "regression_data.csv", table_of(training));
  write_csv(folder.path / "regression.csv", table);
  write_json(folder.summary(), summary);
  return summary;
}

Command regression_command() {
  const auto flags = std::make_shared<OverwriteFlags>();
  return {"regression",
          "energy-efficient and Bayesian regression in one dimension (appendix 4)",
          regression_options(),
          *flags,
          {{"--overwrite", &flags->overwrite, "replace the run in --out"}},
          std::nullopt,
          [flags] {
            Values values;
            flags->overlay(values, regression_options());
            const RegressionSettings settings = regression_settings(values);
            const ordered_json summary = run_regression(settings, flags->overwrite);
            if (flags->json) std::cout << summary.dump(2) << '\n';
            if (flags->prints_text()) print(summary, settings);
          }};
}

}  // namespace ensyn::driver
