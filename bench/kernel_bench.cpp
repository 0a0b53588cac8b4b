/// \file
/// CPU kernels one by one, on the first layer of the paper's network (784 -> 100, batch 20), for every
/// instruction set of this machine and both precisions. Each kernel's output is checked against a plain
/// double-precision computation before it is timed; `items_per_second` counts normals, parameters or
/// multiply-adds as named.

#include <benchmark/benchmark.h>

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "ensyn/config.h"
#include "ensyn/noise.h"
#include "host/cpu/kernels.h"
#include "host/cpu/member.h"

namespace {

using namespace ensyn;
using cpu::Array;

constexpr int kIn = 784, kOut = 100, kBatch = 20;
constexpr cpu::LayerShape kShape{kOut, kIn + 1};

/// The same awkward but tame numbers everywhere.
double pattern(std::size_t i, double scale) {
  return scale * (static_cast<double>(i * 2654435761u % 1009) / 504.5 - 1.0);
}

template <class T>
Array<T> patterned(std::size_t size, double scale) {
  Array<T> a(size);
  for (std::size_t i = 0; i < size; ++i) a[i] = static_cast<T>(pattern(i, scale));
  return a;
}

[[nodiscard]] std::size_t at(int row, int column, int stride) {
  return static_cast<std::size_t>(row) * static_cast<std::size_t>(stride) + static_cast<std::size_t>(column);
}

/// !(error <= tolerance), so that NaN fails.
bool differs(double value, double reference, double tolerance) {
  return !(std::fabs(value - reference) <= tolerance * (1.0 + std::fabs(reference)));
}

template <class T>
constexpr double kTolerance = sizeof(T) == 4 ? 2e-5 : 1e-11;

/// A network whose first layer is timed, with inputs and gradients.
template <class T>
struct Bench {
  explicit Bench(const cpu::InstructionSet& set)
      : kernels(cpu::table_of<T>(set)),
        member(config.architecture, config.members.front(), 0, 20.0 / 60000.0),
        noise(member.noise(3, Purpose::training)) {
    member.import_state(initial_state(config.architecture, config.members.front(), 0));
    // Padding stays zero, as in training.
    for (int b = 0; b < kBatch; ++b) {
      for (int i = 0; i <= kIn; ++i)
        inputs[at(b, i, kShape.stride())] = static_cast<T>(pattern(at(b, i, 797), 1.0));
      for (int o = 0; o < kOut; ++o)
        deltas[at(b, o, kDeltaStride)] = static_cast<T>(pattern(at(b, o, 101), 0.01));
    }
  }

  [[nodiscard]] cpu::UpdateInput<T> update_input(int group) const {
    return {inputs.data(), kShape.stride(), deltas.data() + group * cpu::kRowGroup, kDeltaStride, kBatch};
  }
  void advance(int group, bool update, bool sample) {
    const auto in = update_input(group);
    const cpu::SampleOutput<T> out{noise.data(),
                                   weights.data() + at(group * cpu::kRowGroup, 0, kShape.stride())};
    kernels.advance_heterogeneous(member.row_group(0, group), update ? &in : nullptr, member.update_rates(5),
                                  member.cost_rates(), sample ? &out : nullptr);
  }
  void advance_all(bool update, bool sample) {
    for (int g = 0; g < kShape.row_groups(); ++g) advance(g, update, sample);
  }

  static constexpr int kDeltaStride = 112;
  PopulationConfig config = paper_preset(2.0, 1.0);
  const cpu::KernelTable<T>& kernels;
  cpu::Member<T> member;
  std::vector<cpu::NoiseStream> noise;
  Array<T> inputs{at(kBatch, 0, kShape.stride())}, deltas{at(kBatch, 0, kDeltaStride)};
  Array<T> weights{kShape.elements()};
};

template <class T>
void normals(benchmark::State& state, const cpu::InstructionSet& set) {
  const auto& kernels = cpu::table_of<T>(set);
  const NoiseKey key{7, 1, 2, 0, Purpose::training};
  const auto stream = cpu::NoiseStream::from(key);
  Array<T> zeros(kShape.elements()), ones(kShape.elements()), out(kShape.elements());
  for (std::size_t i = 0; i < ones.size(); ++i) ones[i] = T(1);
  const auto run = [&] {
    for (int row = 0; row < kOut; row += cpu::kRowGroup) {
      const auto offset = at(row, 0, kShape.stride());
      kernels.sample_plain({nullptr, kShape.blocks(), row, kShape.columns}, zeros.data() + offset,
                           ones.data() + offset, {&stream, out.data() + offset});
    }
  };
  run();
  for (int row = 0; row < kOut; ++row) {
    for (int column = 0; column < kShape.columns; ++column) {
      const auto words =
          noise_words(key, static_cast<std::uint64_t>(row / 2 * ((kShape.columns + 1) / 2) + column / 2));
      const std::size_t half = row % 2 == 0 ? 0 : 2;
      const double u = std::fmin(1.0, words[half] * 0x1p-32 + 0x1p-33);
      const double angle = M_PI * static_cast<double>(static_cast<std::int32_t>(words[half + 1])) * 0x1p-31;
      const double reference =
          std::sqrt(-2.0 * std::log(u)) * (column % 2 == 0 ? std::sin(angle) : std::cos(angle));
      if (differs(static_cast<double>(out[at(row, column, kShape.stride())]), reference, kTolerance<T>)) {
        return state.SkipWithError("normals differ from Box-Muller in double precision");
      }
    }
  }
  for (auto _ : state) {
    run();
    benchmark::DoNotOptimize(out.data());
  }
  state.SetItemsProcessed(state.iterations() * kOut * kShape.columns);
}

template <class T>
void sample(benchmark::State& state, const cpu::InstructionSet& set) {
  Bench<T> bench(set);
  bench.advance_all(false, true);
  const NetworkState parameters = bench.member.export_state();
  std::vector<double> xi(static_cast<std::size_t>(kOut * kShape.columns));
  ExecutionConfig portable;
  portable.instruction_set = "portable";
  noise_normals({0, 0, 3, 0, Purpose::training}, kOut, kShape.columns, xi, portable);
  for (int row = 0; row < kOut; ++row) {
    for (int column = 0; column < kShape.columns; ++column) {
      const auto i = at(row, column, kShape.columns);
      const double w = parameters.layers[0].mu[i] + softplus(parameters.layers[0].phi[i]) * xi[i];
      if (differs(static_cast<double>(bench.weights[at(row, column, kShape.stride())]), w, kTolerance<T>)) {
        return state.SkipWithError("sampled weights differ from mu + sigma xi");
      }
    }
  }
  for (auto _ : state) bench.advance_all(false, true);
  state.SetItemsProcessed(state.iterations() * kOut * kShape.columns);
}

/// mu after one step of Adam from zero moments on the plain gradient.
template <class T>
bool update_is_right(Bench<T>& bench, const NetworkState& before) {
  const NetworkState after = bench.member.export_state();
  const auto rates = bench.member.update_rates(5);
  for (int row = 0; row < kOut; ++row) {
    for (int column = 0; column < kShape.columns; ++column) {
      const auto i = at(row, column, kShape.columns);
      const double mu = before.layers[0].mu[i];
      double g = mu > 0 ? 0.01 / 3000 : -0.01 / 3000;
      for (int b = 0; b < kBatch; ++b) {
        g += static_cast<double>(bench.deltas[at(b, row, Bench<T>::kDeltaStride)]) *
             static_cast<double>(bench.inputs[at(b, column, kShape.stride())]);
      }
      const double step = 0.1 * g / (std::sqrt(0.001 * g * g) * rates.adam.root_correction + 1e-8);
      if (differs(after.layers[0].mu[i], mu - rates.adam.step_size * step, 10 * kTolerance<T>)) return false;
    }
  }
  return true;
}

template <class T>
void update(benchmark::State& state, const cpu::InstructionSet& set) {
  Bench<T> bench(set);
  bench.advance_all(false, true);
  const NetworkState before = bench.member.export_state();
  bench.advance_all(true, false);
  if (!update_is_right(bench, before))
    return state.SkipWithError("mu differs from Adam on the plain gradient");
  for (auto _ : state) bench.advance_all(true, false);
  state.SetItemsProcessed(state.iterations() * kOut * kShape.columns);
}

template <class T>
void update_and_sample(benchmark::State& state, const cpu::InstructionSet& set) {
  Bench<T> fused(set), separate(set);
  for (auto* bench : {&fused, &separate}) bench->advance_all(false, true);
  fused.advance_all(true, true);
  separate.advance_all(true, false);
  separate.advance_all(false, true);
  if (!(fused.member.export_state() == separate.member.export_state())) {
    return state.SkipWithError("the fused pass differs from update, then sample");
  }
  for (auto _ : state) fused.advance_all(true, true);
  state.SetItemsProcessed(state.iterations() * kOut * kShape.columns);
}

template <class T>
void forward(benchmark::State& state, const cpu::InstructionSet& set) {
  Bench<T> bench(set);
  bench.advance_all(false, true);
  Array<T> out(at(kBatch, 0, 112));
  const cpu::ForwardArgs<T> args{.weights = bench.weights.data(),
                                 .rows = kOut,
                                 .stride = kShape.stride(),
                                 .input = bench.inputs.data(),
                                 .batch = kBatch,
                                 .output = out.data(),
                                 .output_stride = 112,
                                 .rectify = false};
  bench.kernels.forward(args);
  for (int b = 0; b < kBatch; ++b) {
    for (int o = 0; o < kOut; ++o) {
      double sum = 0;
      for (int i = 0; i <= kIn; ++i) {
        sum += static_cast<double>(bench.weights[at(o, i, kShape.stride())]) *
               static_cast<double>(bench.inputs[at(b, i, kShape.stride())]);
      }
      if (differs(static_cast<double>(out[at(b, o, 112)]), sum, kTolerance<T>)) {
        return state.SkipWithError("forward differs from the plain product");
      }
    }
  }
  for (auto _ : state) bench.kernels.forward(args);
  state.SetItemsProcessed(state.iterations() * kOut * kShape.columns * kBatch);
}

template <class T>
void backward(benchmark::State& state, const cpu::InstructionSet& set) {
  Bench<T> bench(set);
  bench.advance_all(false, true);
  Array<T> out(at(kBatch, 0, kShape.stride()));
  const cpu::BackwardArgs<T> args{.weights = bench.weights.data(),
                                  .rows = kOut,
                                  .stride = kShape.stride(),
                                  .bias = kIn,
                                  .delta = bench.deltas.data(),
                                  .delta_stride = Bench<T>::kDeltaStride,
                                  .activation = bench.inputs.data(),
                                  .batch = kBatch,
                                  .output = out.data(),
                                  .output_stride = kShape.stride()};
  bench.kernels.backward(args);
  for (int b = 0; b < kBatch; ++b) {
    for (int i = 0; i < kIn; ++i) {
      double sum = 0;
      for (int o = 0; o < kOut; ++o) {
        sum += static_cast<double>(bench.weights[at(o, i, kShape.stride())]) *
               static_cast<double>(bench.deltas[at(b, o, Bench<T>::kDeltaStride)]);
      }
      if (!(bench.inputs[at(b, i, kShape.stride())] > T(0))) sum = 0;
      if (differs(static_cast<double>(out[at(b, i, kShape.stride())]), sum, kTolerance<T>)) {
        return state.SkipWithError("backward differs from the plain product");
      }
    }
  }
  for (auto _ : state) bench.kernels.backward(args);
  state.SetItemsProcessed(state.iterations() * kOut * kShape.columns * kBatch);
}

template <class T>
void register_kernels(const cpu::InstructionSet& set, const std::string& precision) {
  const auto add = [&](const char* name, void (*body)(benchmark::State&, const cpu::InstructionSet&)) {
    const std::string full = std::string(name) + "/" + std::string(set.name) + "/" + precision;
    benchmark::RegisterBenchmark(full.c_str(), [body, &set](benchmark::State& state) {
      body(state, set);
    })->Unit(benchmark::kMicrosecond);
  };
  add("normals", normals<T>);
  add("sample", sample<T>);
  add("forward", forward<T>);
  add("backward", backward<T>);
  add("update", update<T>);
  add("update_and_sample", update_and_sample<T>);
}

}  // namespace

int main(int argc, char** argv) {
  for (const auto& set : cpu::usable_instruction_sets()) {
    register_kernels<float>(set, "single");
    register_kernels<double>(set, "double");
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
}
