// Prints what the oracle computes for a few small networks as JSON, for torch_check.py to compute again.

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <type_traits>
#include <vector>

#include "oracle/oracle.h"

namespace {

std::string json(double value) {
  if (std::isinf(value)) {
    return "Infinity";
  }
  char text[32];
  std::snprintf(text, sizeof text, "%.17g", value);
  return text;
}

std::string json(std::uint64_t value) {
  return std::to_string(value);
}
std::string json(std::uint32_t value) {
  return std::to_string(value);
}
std::string json(int value) {
  return std::to_string(value);
}
std::string json(bool value) {
  return value ? "true" : "false";
}
std::string json(oracle::Scope scope) {
  switch (scope) {
    case oracle::Scope::weight:
      return R"("weight")";
    case oracle::Scope::neuron:
      return R"("neuron")";
    case oracle::Scope::layer:
      return R"("layer")";
    case oracle::Scope::network:
      break;
  }
  return R"("network")";
}
std::string json(const oracle::Matrix& matrix);
std::string json(const oracle::Term& term);

template <class T>
std::string json(const std::vector<T>& values) {
  std::string result;
  for (const T& value : values) {
    result += result.empty() ? "" : ",";
    result += json(value);
  }
  return "[" + result + "]";
}

std::string json(const oracle::Matrix& matrix) {
  std::vector<std::vector<double>> rows;
  for (int row = 0; row < matrix.rows; ++row) {
    const auto first = matrix.values.begin() + static_cast<std::ptrdiff_t>(row) * matrix.columns;
    rows.emplace_back(first, first + matrix.columns);
  }
  return json(rows);
}

std::string json(const oracle::Term& term) {
  return json(std::vector<double>{term.rho, term.c});
}

/// Collects `"name": value` pairs.
class Object {
 public:
  template <class T>
  Object& add(const std::string& name, const T& value) {
    text_ += (text_.empty() ? "\"" : ",\n\"") + name + "\": ";
    if constexpr (std::is_same_v<T, Object>) {
      text_ += value.text();
    } else {
      text_ += json(value);
    }
    return *this;
  }
  [[nodiscard]] std::string text() const { return "{" + text_ + "}"; }

 private:
  std::string text_;
};

std::string json(const Object& object) {
  return object.text();
}

Object describe(const oracle::Settings& s) {
  return Object()
      .add("sizes", s.sizes)
      .add("seed", s.seed)
      .add("stream", s.stream)
      .add("scope", s.scope)
      .add("variational", s.variational)
      .add("terms", s.terms)
      .add("prior_sigma", s.prior_sigma)
      .add("laplace_scale", s.laplace_scale)
      .add("lambda", s.lambda)
      .add("learning_rate", s.learning_rate)
      .add("beta1", s.beta1)
      .add("beta2", s.beta2)
      .add("epsilon", s.epsilon)
      .add("mu_range", s.mu_range)
      .add("sigma_init", s.sigma_init)
      .add("batch", s.batch)
      .add("examples", s.examples)
      .add("data_seed", s.data_seed)
      .add("order_stream", s.order_stream);
}

Object describe(const oracle::Parameters& parameters) {
  Object result;
  result.add("mu", parameters.mu);
  return parameters.phi.empty() ? result.add("phi", parameters.shared_phi)
                                : result.add("phi", parameters.phi);
}

Object describe(const oracle::Quality& quality) {
  return Object()
      .add("accuracy", quality.accuracy)
      .add("nll", quality.nll)
      .add("brier", quality.brier)
      .add("ece", quality.ece)
      .add("entropy", quality.entropy);
}

Object describe(const oracle::EvaluationSettings& how, const oracle::Evaluation& evaluation) {
  return Object()
      .add("samples", how.samples)
      .add("batch", how.batch)
      .add("bins", how.bins)
      .add("average_log_probabilities", how.average_log_probabilities)
      .add("mean", describe(evaluation.mean))
      .add("sample", describe(evaluation.sample))
      .add("average", describe(evaluation.average))
      .add("mutual_information", evaluation.mutual_information);
}

Object describe(const oracle::Energy& energy) {
  return Object()
      .add("sigma_rms", energy.sigma_rms)
      .add("reliability_sum", energy.reliability_sum)
      .add("reliability_cost", energy.reliability_cost)
      .add("magnitude_cost", energy.magnitude_cost);
}

oracle::Data data_for(const oracle::Settings& settings) {
  oracle::Data data{oracle::Matrix(settings.examples, settings.sizes.front()), {}};
  for (std::size_t i = 0; i < data.features.values.size(); ++i) {
    data.features.values[i] = 1.5 * std::sin(1.0 + 0.9 * static_cast<double>(i));
  }
  for (int i = 0; i < settings.examples; ++i) {
    data.labels.push_back((i * i + i / 3) % settings.sizes.back());
  }
  return data;
}

Object run(const oracle::Settings& settings) {
  const oracle::Data data = data_for(settings);
  oracle::Training training = oracle::start(settings);
  Object result;
  result.add("settings", describe(settings))
      .add("features", data.features)
      .add("labels", data.labels)
      .add("initial", describe(training.parameters));
  std::vector<Object> steps;
  for (std::uint64_t step = 0; step < 5; ++step) {
    Object object;
    object.add("minibatch", oracle::minibatch_at(settings, step))
        .add("noise", oracle::draw_noise(settings, step, oracle::kTraining));
    const oracle::StepReport report = oracle::train_step(training, data);
    object.add("nll", report.nll)
        .add("correct", report.correct)
        .add("gradient", describe(training.last_gradient))
        .add("parameters", describe(training.parameters));
    steps.push_back(object);
  }
  std::vector<Object> evaluations;
  for (const bool logs : {false, true}) {
    const oracle::EvaluationSettings how{3, 3, 7, logs};
    evaluations.push_back(describe(how, oracle::evaluate(settings, training.parameters, data, how)));
  }
  return result.add("steps", steps)
      .add("evaluations", evaluations)
      .add("energy", describe(oracle::energy(settings, training.parameters)));
}

std::vector<oracle::Settings> networks() {
  oracle::Settings energy;
  energy.sizes = {3, 5, 4, 3};
  energy.seed = 0x9E3779B97F4A7C15;
  energy.stream = 6;
  energy.terms = {{0.5, 0.9}, {2.0, 0.1}};
  energy.lambda = 0.3;
  energy.mu_range = 0.6;
  energy.sigma_init = 0.3;
  energy.learning_rate = 0.05;
  energy.beta1 = 0.8;
  energy.beta2 = 0.95;
  energy.epsilon = 0.1;
  energy.batch = 5;
  energy.examples = 14;  // two steps an epoch, so that five steps see three orders
  energy.data_seed = 0xFEDCBA9876543210;
  oracle::Settings shared = energy;
  shared.scope = oracle::Scope::network;
  shared.order_stream = shared.stream;
  oracle::Settings variational = energy;
  variational.variational = true;
  variational.terms.clear();
  oracle::Settings prior = variational;
  prior.scope = oracle::Scope::network;
  prior.prior_sigma = 0.7;
  oracle::Settings shallow = energy;
  shallow.sizes = {4, 2};
  shallow.terms.clear();
  shallow.epsilon = 1e-8;
  oracle::Settings per_layer = energy, per_neuron = energy;
  per_layer.scope = oracle::Scope::layer;
  per_neuron.scope = oracle::Scope::neuron;
  oracle::Settings laplace = variational;
  laplace.laplace_scale = 0.4;
  return {laplace, energy, shared, variational, prior, shallow, per_layer, per_neuron};
}

}  // namespace

int main() {
  std::vector<Object> results;
  for (const oracle::Settings& settings : networks()) {
    results.push_back(run(settings));
  }
  std::puts(json(results).c_str());
  return 0;
}
