#include "measure.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "event.h"
#include "host/cuda/memory.h"

namespace bench {
namespace {

using ensyn::cuda::check;
using ensyn::cuda::DeviceBuffer;

bool failed = false;

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

/// Microseconds of what `body` queues.
double timed(const std::function<void()>& body) {
  const Event start, end;
  start.record(stream());
  body();
  end.record(stream());
  stream().wait();
  return end.since(start);
}

int current_device() {
  int device = 0;
  check(cudaGetDevice(&device), "cudaGetDevice");
  return device;
}

int attribute(cudaDeviceAttr which) {
  int value = 0;
  check(cudaDeviceGetAttribute(&value, which, current_device()), "cudaDeviceGetAttribute");
  return value;
}

std::string version(int number) {
  return std::to_string(number / 1000) + "." + std::to_string(number % 1000 / 10);
}

/// Rates of the device, per second; those of memory and launches are measured.
struct Limits {
  double clock = 0;     ///< Hz, the largest
  double issue = 0;     ///< instructions, one lane each
  double special = 0;   ///< special functions
  double doubles = 0;   ///< operations in double precision
  double copy = 0;      ///< bytes read and written by a copy within device memory
  double node_us = 0;   ///< of a node of a graph that does nothing to speak of
  double empty_us = 0;  ///< between two events with nothing between them
  std::size_t cache = 0;
};

/// Bytes per second of a copy, read and written.
double copy_rate() {
  std::size_t free = 0, total = 0;
  check(cudaMemGetInfo(&free, &total), "cudaMemGetInfo");
  const std::size_t bytes = is_emulation() ? 1 << 20 : std::min<std::size_t>(std::size_t{1} << 30, free / 4);
  const DeviceBuffer<unsigned char> from(bytes, "a copy"), to(bytes, "a copy");
  ensyn::cuda::clear(from, stream().get());
  std::vector<double> times;
  for (int i = 0; i < 11; ++i) {
    times.push_back(timed([&] {
      check(cudaMemcpyAsync(to.data(), from.data(), bytes, cudaMemcpyDeviceToDevice, stream().get()), "copy");
    }));
  }
  return 2e6 * static_cast<double>(bytes) / median(times);
}

double node_time() {
  constexpr int kNodes = 256;
  const DeviceBuffer<int> word(1, "a word");
  const ensyn::cuda::Graph graph(stream(), [&] {
    for (int i = 0; i < kNodes; ++i) ensyn::cuda::clear(word, stream().get());
  });
  std::vector<double> times;
  for (int i = 0; i < 11; ++i) times.push_back(timed([&] { graph.launch(stream()); }) / kNodes);
  return median(times);
}

Limits measure_limits() {
  Limits limits;
  const double multiprocessors = attribute(cudaDevAttrMultiProcessorCount);
  limits.clock = 1e3 * attribute(cudaDevAttrClockRate);
  // Four schedulers of 32 lanes; 16 special functions a clock; double precision at the rate that the device
  // states relative to single precision.
  limits.issue = multiprocessors * 128 * limits.clock;
  limits.special = multiprocessors * 16 * limits.clock;
  limits.doubles = limits.issue / std::max(1, attribute(cudaDevAttrSingleToDoublePrecisionPerfRatio));
  limits.cache = static_cast<std::size_t>(attribute(cudaDevAttrL2CacheSize));
  static_cast<void>(timed([] {}));
  limits.empty_us = timed([] {});
  limits.copy = copy_rate();
  limits.node_us = node_time();
  return limits;
}

const Limits& limits() {
  static const Limits all = measure_limits();
  return all;
}

std::string rounded(double value, int digits = 2) {
  char text[64];
  std::snprintf(text, sizeof(text), "%.*f", digits, value);
  return text;
}

void add_context() {
  cudaDeviceProp properties{};
  check(cudaGetDeviceProperties(&properties, current_device()), "cudaGetDeviceProperties");
  int driver = 0, runtime = 0;
  check(cudaDriverGetVersion(&driver), "cudaDriverGetVersion");
  check(cudaRuntimeGetVersion(&runtime), "cudaRuntimeGetVersion");
  const char* commit = std::getenv("ENSYN_COMMIT");
  const auto context = [](const char* key, const std::string& value) {
    benchmark::AddCustomContext(key, value);
  };
  if (is_emulation()) context("emulation", "yes: nothing here was run on a GPU, and the times mean nothing");
  context("commit", commit != nullptr && *commit != '\0' ? commit : ENSYN_BENCH_COMMIT);
  context("device", std::string(properties.name) + ", sm_" + std::to_string(properties.major) +
                        std::to_string(properties.minor));
  context("multiprocessors", std::to_string(properties.multiProcessorCount));
  context("l2_MiB", rounded(static_cast<double>(limits().cache) / (1 << 20), 0));
  context("driver_serves_cuda", version(driver));
  context("runtime", version(runtime));
  context("largest_clock_MHz", rounded(limits().clock / 1e6, 0));
  context("memory_clock_MHz", rounded(attribute(cudaDevAttrMemoryClockRate) / 1e3, 0));
  context("copy_GB_per_s", rounded(limits().copy / 1e9, 0) + " read and written, measured");
  context("graph_node_us", rounded(limits().node_us) + " for a memset of 4 bytes, measured");
  context("empty_event_pair_us", rounded(limits().empty_us) + ", within each cold figure");
  context("issue_limit_per_s", rounded(limits().issue / 1e12) + "e12 instructions of a lane, computed");
  context("special_limit_per_s", rounded(limits().special / 1e12) + "e12, computed");
  context("double_limit_per_s", rounded(limits().doubles / 1e12) + "e12, computed");
}

/// Launches in one sample, about 2 ms of them.
int launches_of(const Problem& problem) {
  if (is_emulation()) return 2;
  static_cast<void>(timed(problem.launch));
  constexpr int kTrial = 8;
  const double microseconds = timed([&] {
                                for (int i = 0; i < kTrial; ++i) problem.launch();
                              }) /
                              kTrial;
  return static_cast<int>(std::clamp(2000 / microseconds, 4.0, 512.0));
}

double warm_sample(const Problem& problem, const ensyn::cuda::Graph& graph, int launches) {
  if (problem.restore) problem.restore();
  problem.launch();  // so that what `restore` moved does not decide what the cache holds
  return timed([&] {
           if (graph) return graph.launch(stream());
           for (int i = 0; i < launches; ++i) problem.launch();
         }) /
         launches;
}

/// Each launch after the cache was written over, which takes longer than the launches take to queue.
double cold_sample(const Problem& problem, const DeviceBuffer<unsigned char>& flush) {
  constexpr int kLaunches = 8;
  std::vector<std::pair<Event, Event>> events(kLaunches);
  if (problem.restore) problem.restore();
  for (const auto& [start, end] : events) {
    ensyn::cuda::clear(flush, stream().get());
    start.record(stream());
    problem.launch();
    end.record(stream());
  }
  stream().wait();
  std::vector<double> times;
  for (const auto& [start, end] : events) times.push_back(end.since(start));
  return median(times);
}

void report(benchmark::State& state, const Work& work, std::vector<double> times) {
  const double us = median(times), seconds = 1e-6 * us;
  const auto [least, most] = std::minmax_element(times.begin(), times.end());
  auto& counters = state.counters;
  counters["us"] = us;
  counters["us_least"] = *least;
  counters["us_most"] = *most;
  counters["bytes"] = work.bytes;
  counters["GB_per_s"] = work.bytes / seconds / 1e9;
  if (work.multiply_adds > 0) {
    counters["FLOP"] = 2 * work.multiply_adds;
    counters["GFLOP_per_s"] = 2 * work.multiply_adds / seconds / 1e9;
  }
  if (work.normals > 0) {
    counters["normals"] = work.normals;
    counters["normals_per_s"] = work.normals / seconds;
  }
  const std::pair<const char*, double> floors[] = {{"memory", work.bytes / limits().copy},
                                                   {"issue", work.issue / limits().issue},
                                                   {"special", work.special / limits().special},
                                                   {"double", work.doubles / limits().doubles}};
  counters["copy_pct"] = 100 * floors[0].second / seconds;
  if (work.issue > 0) counters["issue_pct"] = 100 * floors[1].second / seconds;
  if (work.special > 0) counters["special_pct"] = 100 * floors[2].second / seconds;
  if (work.doubles > 0) counters["double_pct"] = 100 * floors[3].second / seconds;
  const auto* binds = std::max_element(std::begin(floors), std::end(floors),
                                       [](const auto& a, const auto& b) { return a.second < b.second; });
  if (is_emulation()) {
    state.SetLabel("EMULATION");
  } else if (1e6 * binds->second < limits().node_us) {
    state.SetLabel("limit: launch");
  } else {
    state.SetLabel(std::string("limit: ") + binds->first + ", " + rounded(1e6 * binds->second) + " us");
  }
}

}  // namespace

void add(Work& work, double count, const Cost& cost) {
  work.issue += count * cost.issue;
  work.special += count * cost.special;
  work.doubles += count * cost.doubles;
}

const ensyn::cuda::Stream& stream() {
  static const ensyn::cuda::Stream the;
  return the;
}

int samples() {
  return is_emulation() ? 2 : 30;
}

void fail(benchmark::State& state, const std::string& message) {
  failed = true;
  state.SkipWithError(message.c_str());
}

void measure(benchmark::State& state, const Problem& problem, Cache cache) {
  if (problem.restore) problem.restore();
  problem.launch();
  stream().wait();
  const std::string wrong = problem.wrong();
  if (!wrong.empty()) return fail(state, wrong);
  const int launches = launches_of(problem);
  ensyn::cuda::Graph graph;
  if (problem.capturable) {
    graph = ensyn::cuda::Graph(stream(), [&] {
      for (int i = 0; i < launches; ++i) problem.launch();
    });
  }
  const DeviceBuffer<unsigned char> flush(cache == Cache::warm ? 0
                                          : is_emulation()     ? 1 << 16
                                                               : 2 * limits().cache,
                                          "the flush of the cache");
  std::vector<double> times;
  for (auto _ : state) {
    times.push_back(cache == Cache::warm ? warm_sample(problem, graph, launches)
                                         : cold_sample(problem, flush));
    state.SetIterationTime(1e-6 * times.back());
  }
  if (!times.empty()) report(state, problem.work, std::move(times));
}

void add_benchmark(const std::string& name, const std::function<void(benchmark::State&)>& body,
                   benchmark::TimeUnit unit, bool manual_time, int iterations) {
  auto* added = benchmark::RegisterBenchmark(name.c_str(), [body](benchmark::State& state) {
    try {
      body(state);
    } catch (const std::exception& e) {
      fail(state, e.what());
    }
  });
  added->Unit(unit);
  if (manual_time) {
    added->UseManualTime();
  } else {
    added->UseRealTime();
  }
  if (iterations > 0) added->Iterations(iterations);
}

int run(int argc, char** argv, void (*register_all)(), void (*first)()) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  const ensyn::cuda::DeviceList devices = ensyn::cuda::list_devices();
  if (devices.usable.empty()) {
    std::fprintf(stderr, "%s: skipped, no usable device: %s\n", argv[0], devices.problem.c_str());
    return 77;
  }
  if (is_emulation()) {
    std::fputs("EMULATION: the kernels run on the CPU. Results are checked; times mean nothing.\n", stderr);
  }
  try {
    if (first != nullptr) first();
    const ensyn::cuda::CurrentDevice current(devices.usable.front().index);
    add_context();
    register_all();
    if (benchmark::RunSpecifiedBenchmarks() == 0) {
      std::fprintf(stderr, "%s: no benchmark of that name\n", argv[0]);
      return 2;
    }
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s: %s\n", argv[0], e.what());
    return 1;
  }
  return failed ? 1 : 0;
}

}  // namespace bench
