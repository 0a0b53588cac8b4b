/// \file
/// How CUDA code is timed: events round many launches, with a warm and a cold second-level cache, and each
/// figure beside the limits of the device it ran on.
#pragma once

#include <benchmark/benchmark.h>

#include <functional>
#include <string>

#include "emulation.h"
#include "host/cuda/runtime.h"

namespace bench {

/// What one launch has to do at the least.
struct Work {
  double bytes = 0;          ///< each input read once, each output written once
  double multiply_adds = 0;  ///< of the products; two FLOP each
  double normals = 0;
  double issue = 0;    ///< instructions, one lane each, those of products and normals included
  double special = 0;  ///< operations of the special-function units, likewise
  double doubles = 0;  ///< of `issue`, those in double precision
};

/// Instructions of one lane in sm_90 machine code (nvcc 13.0, -fmad=false, the common path, without loads,
/// stores and addresses), and of these the special functions and the double-precision ones.
struct Cost {
  double issue, special, doubles;
};
template <class T>
struct Costs;
template <>
struct Costs<float> {
  static constexpr Cost kMultiplyAdd{1, 0, 0};
  static constexpr Cost kNormal{48, 0.5, 0};  ///< Philox 62 for four, Box and Muller 66 for two
  static constexpr Cost kSigma{37, 0, 0};     ///< softplus
  static constexpr Cost kUpdate{165, 6, 0};   ///< Adam twice, softplus with derivative, cost of rho = 2
  static constexpr Cost kMuUpdate{48, 2, 0};  ///< Adam of mu with the magnitude's cost
  static constexpr Cost kExponential{20, 0, 0};
  static constexpr Cost kTileNormal{14.5, 2, 0};  ///< by the special-function units, counted of prototypes
  /// A parameter's step in the kernels that train whole networks, counted of prototypes: products, two draws
  /// and the update, with a phi of its own and without.
  static constexpr Cost kWholeStep{91, 11, 0}, kSharedWholeStep{66, 6, 0};
};
template <>
struct Costs<double> {
  static constexpr Cost kMultiplyAdd{1, 0, 1};
  static constexpr Cost kNormal{104, 0.5, 29};
  static constexpr Cost kSigma{131, 0, 44};
  static constexpr Cost kUpdate{320, 6, 117};
  static constexpr Cost kMuUpdate{70, 2, 27};
  static constexpr Cost kExponential{35, 0, 17};  ///< estimated from its formula
  static constexpr Cost kTileNormal = kNormal;
  /// Two draws and the update, as above; products are the tensor cores'.
  static constexpr Cost kWholeStep{528, 7, 175}, kSharedWholeStep{278, 3, 85};
};

/// Adds `count` operations of one cost.
void add(Work& work, double count, const Cost& cost);

/// What is measured. Its functions queue on `stream()`.
struct Problem {
  std::function<void()> launch;  ///< queues one launch of the kernel
  /// Queues what undoes launches that write over their inputs; may be empty.
  std::function<void()> restore;
  /// Called after one launch: empty when its result is right, otherwise what is wrong.
  std::function<std::string()> wrong;
  Work work;
  bool capturable = true;  ///< whether launches may be recorded in a graph
};

enum class Cache { warm, cold };

/// The one stream of the program.
[[nodiscard]] const ensyn::cuda::Stream& stream();

/// Checks the problem's result, then times it: 30 samples of many launches each where the cache is warm, of
/// single launches after the cache was written over where it is cold. Counters are those of the median.
void measure(benchmark::State& state, const Problem& problem, Cache cache);

/// Marks the benchmark and the whole run as failed.
void fail(benchmark::State& state, const std::string& message);

/// Registers a benchmark; an exception fails it.
void add_benchmark(const std::string& name, const std::function<void(benchmark::State&)>& body,
                   benchmark::TimeUnit unit = benchmark::kMicrosecond, bool manual_time = true,
                   int iterations = 0);

/// Samples of one benchmark.
[[nodiscard]] int samples();

/// Parses the command line and runs what `register_all` registers; returns the program's exit status: 77
/// without a usable device, 1 when a result was wrong, 2 for bad usage. `first`, if given, is called before
/// anything else is done with the device.
int run(int argc, char** argv, void (*register_all)(), void (*first)() = nullptr);

}  // namespace bench
