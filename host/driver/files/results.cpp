#include "host/driver/files/results.h"

#include <array>
#include <utility>

#include "host/driver/files/text.h"

namespace ensyn::driver {
namespace {

using Reading = std::pair<const char*, const PredictionQuality*>;

std::array<Reading, 3> readings(const Evaluation& evaluation) {
  return {Reading{"sample", &evaluation.sample}, Reading{"mean", &evaluation.mean},
          Reading{"average", &evaluation.average}};
}

}  // namespace

nlohmann::ordered_json accuracy_json(const Evaluation& evaluation) {
  nlohmann::ordered_json result;
  for (const auto& [reading, quality] : readings(evaluation)) {
    result[std::string("accuracy_") + reading] = quality->accuracy;
  }
  for (const auto& [reading, quality] : readings(evaluation)) {
    result[std::string("nll_") + reading] = quality->nll;
  }
  return result;
}

nlohmann::ordered_json evaluation_json(const Evaluation& evaluation) {
  nlohmann::ordered_json result = accuracy_json(evaluation);
  for (const auto& [reading, quality] : readings(evaluation)) {
    result[std::string("brier_") + reading] = quality->brier;
    result[std::string("ece_") + reading] = quality->ece;
    result[std::string("predictive_entropy_") + reading] = quality->predictive_entropy;
  }
  result["mutual_information"] = evaluation.mutual_information;
  result["samples"] = evaluation.samples;
  return result;
}

nlohmann::ordered_json energy_json(const Energy& energy) {
  return {{"sigma_rms", energy.sigma_rms},
          {"reliability_sum", energy.reliability_sum},
          {"reliability_cost", energy.reliability_cost},
          {"magnitude_cost", energy.magnitude_cost},
          {"prior_cost", energy.prior_cost}};
}

std::string results_text(const Evaluation& evaluation, const Energy& energy) {
  const PredictionQuality &sample = evaluation.sample, &mean = evaluation.mean, &average = evaluation.average;
  std::string text = formatted("%-12s%10s  %10s  %10s\n", "test set", "one draw", "mean",
                               formatted("%d draws", evaluation.samples).c_str());
  text += formatted("%-12s%8.2f %%  %8.2f %%  %8.2f %%\n", "accuracy", 100 * sample.accuracy,
                    100 * mean.accuracy, 100 * average.accuracy);
  text +=
      formatted("%-12s%10.4f  %10.4f  %10.4f  nats per example\n", "loss", sample.nll, mean.nll, average.nll);
  text += formatted("%-12s%10.4g  root mean square over weights\n", "sigma", energy.sigma_rms);
  text += formatted("%-12s%10.4g  reliability cost\n", "energy", energy.reliability_cost);
  text += formatted("%-12s%10.4g  magnitude cost\n", "", energy.magnitude_cost);
  if (energy.prior_cost != 0) text += formatted("%-12s%10.4g  prior cost\n", "", energy.prior_cost);
  return text;
}

}  // namespace ensyn::driver
