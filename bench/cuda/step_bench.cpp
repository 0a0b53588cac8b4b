/// \file
/// Whole training steps, evaluations and start-ups on a CUDA device: the paper's network (784-100-100-10,
/// batch 20) alone and in populations, by each training method. Before it is timed, three steps or the
/// evaluation must give the bits of the CPU backend, or be within rounding of it where the method's
/// arithmetic is its own.

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "bench/images.h"
#include "ensyn/error.h"
#include "host/cpu/cpu_engine.h"
#include "host/cuda/cuda_engine.h"
#include "measure.h"

namespace {

using namespace ensyn;
using bench::is_emulation;

enum class Noise { heterogeneous, homogeneous, mixed };

struct Case {
  Noise noise = Noise::heterogeneous;
  Precision precision = Precision::single_precision;
  int networks = 1;
  TrainingMethod method = TrainingMethod::graph;
  bool graph = true;  ///< of that method: whether steps are replayed, or launched kernel by kernel
};

constexpr std::uint64_t kChecked = 3;  ///< steps

const Dataset& images() {
  return bench::images(is_emulation() ? 200 : 60000);
}

std::uint64_t steps_per_epoch() {
  return images().size() / 20;
}

PopulationConfig config_of(const Case& c) {
  PopulationConfig config = paper_preset(2.0, 1.0);
  config.precision = c.precision;
  const NetworkConfig member = config.members.front();
  config.members.assign(static_cast<std::size_t>(c.networks), member);
  for (std::size_t m = 0; m < config.members.size(); ++m) {
    const bool homogeneous = c.noise == Noise::homogeneous || (c.noise == Noise::mixed && m % 2 == 1);
    if (homogeneous) config.members[m].noise = NoiseKind::homogeneous;
  }
  return config;
}

std::unique_ptr<Engine> on_cuda(const Case& c, const PopulationConfig& config) {
  ExecutionConfig execution;
  execution.device = DeviceKind::cuda;
  execution.training_method = c.method;
  return cuda::make_cuda_engine(config, images(), execution, {.graph = c.graph});
}

std::unique_ptr<Engine> on_cpu(const PopulationConfig& config) {
  ExecutionConfig execution;
  execution.device = DeviceKind::cpu;
  return cpu::make_cpu_engine(config, images(), execution);
}

/// Whether no element is further from the wanted than `unit` times the largest; NaN is.
bool are_close(const std::vector<double>& got, const std::vector<double>& want, double unit) {
  double largest = 0;
  for (const double value : want) largest = std::max(largest, std::abs(value));
  return std::equal(got.begin(), got.end(), want.begin(), want.end(),
                    [&](double a, double b) { return std::abs(a - b) <= unit * largest; });
}

bool are_close(const NetworkState& got, const NetworkState& want, double unit) {
  bool close = are_close(got.shared_phi.value, want.shared_phi.value, unit);
  for (std::size_t l = 0; l < want.layers.size(); ++l) {
    const LayerState &a = got.layers[l], &b = want.layers[l];
    // A moment is a sum of gradients, whose sums are off by more than a value, which moves little.
    close = close && are_close(a.mu, b.mu, unit) && are_close(a.phi, b.phi, unit) &&
            are_close(a.mu_moment1, b.mu_moment1, 8 * unit) &&
            are_close(a.phi_moment1, b.phi_moment1, 8 * unit);
  }
  return close;
}

/// What is wrong with the first steps; empty where they are those of the CPU backend: the same bits where
/// `unit` is 0, else to `unit` of the largest number.
std::string difference(Engine& got, const PopulationConfig& config, double unit) {
  const auto want = on_cpu(config);
  got.train(0, kChecked);
  want->train(0, kChecked);
  for (int m = 0; m < static_cast<int>(config.members.size()); ++m) {
    const bool same = unit == 0 ? got.read(m) == want->read(m) && got.epoch_sums(m) == want->epoch_sums(m)
                                : are_close(got.read(m), want->read(m), unit);
    if (!same) return "network " + std::to_string(m) + " differs from the CPU backend's after three steps";
  }
  return {};
}

/// As above, of a method whose products and functions are its own, in networks like those that are timed:
/// Adam's epsilon is 1, so that roundings of a gradient are not blown up.
std::string rounding_difference(const Case& c) {
  PopulationConfig config = config_of(c);
  for (NetworkConfig& member : config.members) {
    member.adam.epsilon = 1;
    member.sigma_init = 0.1;
  }
  const auto engine = on_cuda(c, config);
  return difference(*engine, config, c.precision == Precision::single_precision ? 0x1p-17 : 0x1p-45);
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

/// Null, and the benchmark skipped, which is no failure, where the method does not take the networks.
std::unique_ptr<Engine> try_on_cuda(benchmark::State& state, const Case& c, const PopulationConfig& config) {
  try {
    return on_cuda(c, config);
  } catch (const ConfigError& refusal) {
    state.SkipWithError(refusal.what());
    return nullptr;
  }
}

void step(benchmark::State& state, const Case& c) {
  const PopulationConfig config = config_of(c);
  const std::unique_ptr<Engine> engine = try_on_cuda(state, c, config);
  if (!engine) return;
  const TrainingInfo training_info = engine->training();
  const bool same_bits = training_info.method == name(TrainingMethod::graph);
  const std::string wrong = same_bits ? difference(*engine, config, 0) : rounding_difference(c);
  if (!wrong.empty()) return bench::fail(state, wrong);
  if (!same_bits) engine->train(0, kChecked);
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
  state.SetLabel(training_info.method + ", " + (is_emulation() ? "EMULATION" : engine->device()));
}

/// What was measured; `all` of it, or without what counts examples, which a rounding may move.
std::vector<double> numbers(const std::vector<Evaluation>& evaluations, bool all) {
  std::vector<double> result;
  for (const Evaluation& e : evaluations) {
    for (const PredictionQuality* q : {&e.mean, &e.sample, &e.average}) {
      result.insert(result.end(), {q->nll, q->brier, q->predictive_entropy});
      if (all) result.insert(result.end(), {q->accuracy, q->ece});
    }
    result.push_back(e.mutual_information);
  }
  return result;
}

/// Mean weights, one draw, and an average over `samples` draws of 10,000 examples.
void evaluation(benchmark::State& state, const Case& c, int samples) {
  const Dataset test = images().subset(0, is_emulation() ? 20 : 10000);
  // The CPU backend takes its time for many networks.
  const Dataset checked = c.networks == 1 ? test : test.subset(0, 20);
  EvaluationConfig config;
  config.samples = samples;
  const auto engine = try_on_cuda(state, c, config_of(c));
  if (!engine) return;
  // Trained by the graph it is evaluated with the CPU's bits; else hidden sums are off by 1e-5.
  const bool exact = c.method == TrainingMethod::graph;
  if (!are_close(numbers(engine->evaluate(checked, config), exact),
                 numbers(on_cpu(config_of(c))->evaluate(checked, config), exact), exact ? 0 : 1e-4)) {
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
    const auto engine = on_cuda(c, config_of(c));
    engine->train(0, 1);
    if (engine->epoch_sums(0).examples != 20) return bench::fail(state, "the first step did not run");
  }
  if (is_emulation()) state.SetLabel("EMULATION");
}

template <class Body>
void add(const std::string& name, const Body& body) {
  bench::add_benchmark(name, body, benchmark::kMillisecond, false, is_emulation() ? 1 : 0);
}

const char* name_of(Noise noise) {
  return noise == Noise::mixed ? "mixed" : noise == Noise::homogeneous ? "homogeneous" : "heterogeneous";
}

void register_steps(const Case& c) {
  const std::string how = c.graph ? std::string(name(c.method)) : "eager";
  add(std::string("step/") + name_of(c.noise) +
          (c.precision == Precision::single_precision ? "/single" : "/double") +
          "/networks:" + std::to_string(c.networks) + "/" + how,
      [=](benchmark::State& state) { step(state, c); });
}

/// Every method, and the one that is chosen.
void register_methods(const Case& of) {
  Case c = of;
  for (const TrainingMethod method : {TrainingMethod::graph, TrainingMethod::streamed,
                                      TrainingMethod::resident, TrainingMethod::automatic}) {
    c.method = method;
    register_steps(c);
  }
  c.method = TrainingMethod::graph;
  c.graph = false;
  if (!is_emulation() && c.networks == 1) register_steps(c);
}

std::vector<int> populations(bool single) {
  if (is_emulation()) return {2};
  return single ? std::vector<int>{1, 8, 30, 120, 240} : std::vector<int>{1, 240};
}

void register_all() {
  add("start_up", [](benchmark::State& state) { start_up(state, {}); });
  for (const Precision precision : {Precision::single_precision, Precision::double_precision}) {
    const bool single = precision == Precision::single_precision;
    for (const Noise noise : {Noise::heterogeneous, Noise::homogeneous, Noise::mixed}) {
      for (const int networks : populations(single)) {
        // Emulated, both kinds at once are enough.
        if (is_emulation() && noise != Noise::mixed) continue;
        if (noise != Noise::mixed || networks > 1) register_methods({noise, precision, networks});
      }
    }
  }
  for (const int samples : {1, is_emulation() ? 2 : 20}) {
    // Of networks that are trained by a kernel of many steps, all at a time; of others one by one.
    for (const TrainingMethod method : {TrainingMethod::graph, TrainingMethod::streamed}) {
      for (const int networks : {1, is_emulation() ? 2 : 30}) {
        add("evaluate_10000/samples:" + std::to_string(samples) + "/networks:" + std::to_string(networks) +
                "/" + std::string(name(method)),
            [=](benchmark::State& state) {
              Case c;
              c.networks = networks;
              c.method = method;
              evaluation(state, c, samples);
            });
      }
    }
  }
}

/// From the start of `main` to the end of the first step: CUDA's own start is most of it.
void add_first_start() {
  const auto begin = std::chrono::steady_clock::now();
  on_cuda({}, config_of({}))->train(0, 1);
  const std::chrono::duration<double, std::milli> passed = std::chrono::steady_clock::now() - begin;
  benchmark::AddCustomContext("first_start_up_ms",
                              std::to_string(passed.count()) + ", with CUDA's own start");
}

}  // namespace

int main(int argc, char** argv) {
  static_cast<void>(images());  // not part of any start-up
  return bench::run(argc, argv, register_all, add_first_start);
}
