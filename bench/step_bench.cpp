/// \file
/// Whole training steps and evaluations of the paper's network on random images: steps per second by noise
/// kind, rho, precision and threads, and the start-up. Before timing, a few steps must give bitwise what one
/// thread gives.

#include <benchmark/benchmark.h>

#include <cstdint>
#include <string>
#include <vector>

#include "ensyn/device.h"
#include "ensyn/population.h"
#include "images.h"

namespace {

using namespace ensyn;

const Dataset& images() {
  return bench::images(60000);
}

struct Case {
  std::string name;
  PopulationConfig config;
  int threads;
};

ExecutionConfig on_cpu(int threads) {
  ExecutionConfig execution;
  execution.device = DeviceKind::cpu;
  execution.threads = threads;
  return execution;
}

bool agrees_with_one_thread(const Case& c) {
  Population one(c.config, images(), on_cpu(1)), many(c.config, images(), on_cpu(c.threads));
  one.train_steps(5);
  many.train_steps(5);
  const LayerParameters a = one.parameters(0, 1), b = many.parameters(0, 1);
  return a.mu == b.mu && a.phi == b.phi;
}

void step(benchmark::State& state, const Case& c) {
  if (!agrees_with_one_thread(c)) return state.SkipWithError("the result depends on the number of threads");
  Population population(c.config, images(), on_cpu(c.threads));
  constexpr std::uint64_t kSteps = 100;
  population.train_steps(kSteps);
  const double before = population.metrics().front().nll;
  for (auto _ : state) population.train_steps(kSteps);
  if (population.step() > 2000 && !(population.metrics().front().nll < before)) {
    return state.SkipWithError("training does not lower the loss");
  }
  state.counters["steps_per_second"] =
      benchmark::Counter(static_cast<double>(state.iterations() * kSteps * c.config.members.size()),
                         benchmark::Counter::kIsRate);
}

void evaluation(benchmark::State& state, const Case& c) {
  const Population population(c.config, images(), on_cpu(c.threads));
  const Dataset test = images().subset(0, 10000);
  EvaluationConfig config;
  config.samples = 1;
  for (auto _ : state) {
    const auto result = population.evaluate(test, config);
    if (!(result.front().sample.nll > 0)) return state.SkipWithError("the evaluation gave no loss");
  }
}

void start_up(benchmark::State& state, const Case& c) {
  for (auto _ : state) {
    Population population(c.config, images(), on_cpu(c.threads));
    population.train_steps(1);
    if (population.step() != 1) return state.SkipWithError("the first step did not run");
  }
}

void add(const std::string& name, void (*body)(benchmark::State&, const Case&),
         const PopulationConfig& config, int threads) {
  const Case c{name, config, threads};
  const std::string full = name + "/threads:" + std::to_string(threads);
  benchmark::RegisterBenchmark(full.c_str(), [body, c](benchmark::State& state) { body(state, c); })
      ->Unit(benchmark::kMillisecond)
      ->UseRealTime()
      ->MeasureProcessCPUTime();
}

void register_all(int threads) {
  add("step/rho:2", step, paper_preset(2.0, 1.0), threads);
  add("step/rho:4_3", step, paper_preset(exponent(Mechanism::actin), 1.0), threads);
  add("step/rho:1_2", step, paper_preset(0.5, 1.0), threads);
  add("step/homogeneous", step, paper_preset(2.0, 1.0, NoiseKind::homogeneous), threads);
  PopulationConfig precise = paper_preset(2.0, 1.0);
  precise.precision = Precision::double_precision;
  add("step/double", step, precise, threads);
  PopulationConfig many = paper_preset(2.0, 1.0);
  many.members.resize(8, many.members.front());
  add("step/population:8", step, many, threads);
  add("evaluate_10000", evaluation, paper_preset(2.0, 1.0), threads);
  add("start_up", start_up, paper_preset(2.0, 1.0), threads);
}

}  // namespace

int main(int argc, char** argv) {
  register_all(1);
  if (available_processors() > 1) register_all(available_processors());
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
}
