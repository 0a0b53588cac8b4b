/// \file
/// Whole training steps, evaluations and start-ups on a CUDA device: the paper's network (784-100-100-10,
/// batch 20) alone and in populations. Before it is timed, three steps or the evaluation must give the bits
/// of the CPU backend.

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "cuda_measure.h"
#include "host/cpu/cpu_engine.h"
#include "host/cuda/cuda_engine.h"
#include "images.h"

namespace {

using namespace ensyn;
using bench::is_emulation;

struct Case {
  NoiseKind noise = NoiseKind::heterogeneous;
  Precision precision = Precision::single_precision;
  int networks = 1;
  bool graph = true;
};

const Dataset& images() {
  return bench::images(is_emulation() ? 200 : 60000);
}

std::uint64_t steps_per_epoch() {
  return images().size() / 20;
}

PopulationConfig config_of(const Case& c) {
  PopulationConfig config = paper_preset(2.0, 1.0, c.noise);
  config.precision = c.precision;
  const NetworkConfig member = config.members.front();
  config.members.assign(static_cast<std::size_t>(c.networks), member);
  return config;
}

std::unique_ptr<Engine> on_cuda(const Case& c) {
  ExecutionConfig execution;
  execution.device = DeviceKind::cuda;
  return cuda::make_cuda_engine(config_of(c), images(), execution, {.graph = c.graph});
}

std::unique_ptr<Engine> on_cpu(const Case& c) {
  ExecutionConfig execution;
  execution.device = DeviceKind::cpu;
  return cpu::make_cpu_engine(config_of(c), images(), execution);
}

/// Empty where every number of every member is the same bits.
std::string difference(const Engine& got, const Engine& want, int networks) {
  for (int m = 0; m < networks; ++m) {
    if (!(got.read(m) == want.read(m)) || !(got.epoch_sums(m) == want.epoch_sums(m))) {
      return "network " + std::to_string(m) + " differs from the CPU backend's after three steps";
    }
  }
  return {};
}

/// Runs steps from one epoch to the next, as Population does.
class Training {
 public:
  Training(Engine& engine, std::uint64_t first) : engine_(engine), step_(first) {}

  /// The mean loss of the first network.
  double run(std::uint64_t count) {
    for (const std::uint64_t end = step_ + count; step_ < end;) {
      const std::uint64_t in_epoch = step_ % steps_per_epoch();
      if (in_epoch == 0) engine_.clear_epoch_sums();
      const std::uint64_t steps = std::min(end - step_, steps_per_epoch() - in_epoch);
      engine_.train(step_, steps);
      step_ += steps;
    }
    const EpochSums sums = engine_.epoch_sums(0);
    return sums.nll / static_cast<double>(sums.examples);
  }
  [[nodiscard]] std::uint64_t step() const { return step_; }

 private:
  Engine& engine_;
  std::uint64_t step_;
};

void step(benchmark::State& state, const Case& c) {
  constexpr std::uint64_t kChecked = 3;
  const auto engine = on_cuda(c);
  {
    const auto reference = on_cpu(c);
    engine->train(0, kChecked);
    reference->train(0, kChecked);
    const std::string wrong = difference(*engine, *reference, c.networks);
    if (!wrong.empty()) return bench::fail(state, wrong);
  }
  // About as long a stretch for one network as for many, so that the wait at its end does not count.
  const std::uint64_t stretch = is_emulation() ? 1 : c.networks == 1 ? 2000 : 300;
  Training training(*engine, kChecked);
  const double before = training.run(is_emulation() ? 1 : 200);
  double after = before;
  for (auto _ : state) after = training.run(stretch);
  if (training.step() > 2 * steps_per_epoch() && !is_emulation() && !(after < before)) {
    return bench::fail(state, "training does not lower the loss");
  }
  const double steps = static_cast<double>(state.iterations()) * static_cast<double>(stretch);
  state.counters["steps_per_second"] = benchmark::Counter(steps, benchmark::Counter::kIsRate);
  state.counters["network_steps_per_second"] =
      benchmark::Counter(steps * c.networks, benchmark::Counter::kIsRate);
  state.SetLabel(is_emulation() ? "EMULATION" : engine->device());
}

std::vector<double> numbers(const std::vector<Evaluation>& evaluations) {
  std::vector<double> result;
  for (const Evaluation& e : evaluations) {
    for (const PredictionQuality* q : {&e.mean, &e.sample, &e.average}) {
      result.insert(result.end(), {q->accuracy, q->nll, q->brier, q->ece, q->predictive_entropy});
    }
    result.push_back(e.mutual_information);
  }
  return result;
}

/// Mean weights, one draw, and an average over `samples` draws of 10,000 examples.
void evaluation(benchmark::State& state, const Case& c, int samples) {
  const Dataset test = images().subset(0, is_emulation() ? 20 : 10000);
  EvaluationConfig config;
  config.samples = samples;
  const auto engine = on_cuda(c);
  if (numbers(engine->evaluate(test, config)) != numbers(on_cpu(c)->evaluate(test, config))) {
    return bench::fail(state, "the evaluation differs from the CPU backend's");
  }
  for (auto _ : state) benchmark::DoNotOptimize(engine->evaluate(test, config));
  state.counters["examples_per_second"] = benchmark::Counter(
      static_cast<double>(state.iterations()) * static_cast<double>(test.size()) * c.networks,
      benchmark::Counter::kIsRate);
  if (is_emulation()) state.SetLabel("EMULATION");
}

/// From nothing but a CUDA context to the end of the first step, the upload of the data included.
void start_up(benchmark::State& state, const Case& c) {
  for (auto _ : state) {
    const auto engine = on_cuda(c);
    engine->train(0, 1);
    if (engine->epoch_sums(0).examples != 20) return bench::fail(state, "the first step did not run");
  }
  if (is_emulation()) state.SetLabel("EMULATION");
}

template <class Body>
void add(const std::string& name, const Body& body) {
  bench::add_benchmark(name, body, benchmark::kMillisecond, false, is_emulation() ? 1 : 0);
}

void register_steps(NoiseKind noise, Precision precision, int networks, bool graph) {
  const std::string name = std::string("step/") +
                           (noise == NoiseKind::homogeneous ? "homogeneous" : "heterogeneous") +
                           (precision == Precision::single_precision ? "/single" : "/double") +
                           "/networks:" + std::to_string(networks) + (graph ? "/graph" : "/eager");
  add(name, [=](benchmark::State& state) { step(state, {noise, precision, networks, graph}); });
}

void register_all() {
  add("start_up", [](benchmark::State& state) { start_up(state, {}); });
  const std::vector<int> populations =
      is_emulation() ? std::vector<int>{1, 2} : std::vector<int>{1, 8, 60, 240};
  for (const NoiseKind noise : {NoiseKind::heterogeneous, NoiseKind::homogeneous}) {
    for (const Precision precision : {Precision::single_precision, Precision::double_precision}) {
      for (const int networks : populations) {
        register_steps(noise, precision, networks, true);
        if (!is_emulation() || networks == 1) register_steps(noise, precision, networks, false);
      }
    }
  }
  for (const int samples : {1, is_emulation() ? 2 : 20}) {
    add("evaluate_10000/samples:" + std::to_string(samples),
        [samples](benchmark::State& state) { evaluation(state, {}, samples); });
  }
}

/// From the start of `main` to the end of the first step: CUDA's own start is most of it.
void add_first_start() {
  const auto begin = std::chrono::steady_clock::now();
  on_cuda({})->train(0, 1);
  const std::chrono::duration<double, std::milli> passed = std::chrono::steady_clock::now() - begin;
  benchmark::AddCustomContext("first_start_up_ms",
                              std::to_string(passed.count()) + ", with CUDA's own start");
}

}  // namespace

int main(int argc, char** argv) {
  static_cast<void>(images());  // not part of any start-up
  return bench::run(argc, argv, register_all, add_first_start);
}
