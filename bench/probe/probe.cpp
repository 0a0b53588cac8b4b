// ensyn_probe: measures what a device does that the model of the kernels assumes (bench/README.md). Prints a
// table; exit status 0 when every answer was right, 1 when one was wrong, 2 for bad usage, 4 without a usable
// device.

#include "probe.h"

#include <cuda_runtime_api.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <exception>
#include <string>
#include <utility>
#include <vector>

namespace {

using ensyn::cuda::check;

struct Family {
  const char* name;
  void (*measure)(const probe::Target&, probe::Report&);
};

constexpr Family kFamilies[] = {
    {"clusters", probe::measure_clusters}, {"barriers", probe::measure_barriers},
    {"exchange", probe::measure_exchange}, {"graph", probe::measure_graph},
    {"rates", probe::measure_rates},       {"tensor", probe::measure_tensor},
    {"streams", probe::measure_streams},   {"memory", probe::measure_memory},
    {"normals", probe::measure_normals},   {"curand", probe::measure_curand},
    {"radius", probe::measure_radius},     {"clock", probe::measure_clock},
};

struct Options {
  std::vector<std::string> only;
  std::string json;
  int device = -1;
};

/// The exit status where the command line says all, or -1.
int parse(int argc, char** argv, Options& options) {
  std::vector<std::string> names;
  for (const Family& family : kFamilies) names.emplace_back(family.name);
  CLI::App app("Measures a CUDA device: clusters, barriers, instruction rates, memory, normals, clock");
  app.add_option("--only", options.only, "families to measure, all without: NAME or NAME,NAME")
      ->delimiter(',')
      ->check(CLI::IsMember(names));
  app.add_option("--json", options.json, "file for the same rows as JSON");
  app.add_option("--device", options.device, "index of the device; without, the first that can be used");
  app.footer("exit codes: 0 all right; 1 a wrong answer; 2 bad usage; 4 no usable device");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  return -1;
}

int attribute(cudaDeviceAttr which, int device) {
  int value = 0;
  check(cudaDeviceGetAttribute(&value, which, device), "cudaDeviceGetAttribute");
  return value;
}

std::string version(int number) {
  return std::to_string(number / 1000) + "." + std::to_string(number % 1000 / 10);
}

std::string utc() {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  char text[32];
  std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", std::gmtime(&seconds));
  return text;
}

std::vector<std::pair<std::string, std::string>> header(const ensyn::cuda::DeviceInfo& device) {
  int driver = 0, runtime = 0;
  check(cudaDriverGetVersion(&driver), "cudaDriverGetVersion");
  check(cudaRuntimeGetVersion(&runtime), "cudaRuntimeGetVersion");
  const char* commit = std::getenv("ENSYN_COMMIT");
  return {
      {"date", utc()},
      {"device", ensyn::cuda::describe(device)},
      {"driver serves CUDA", version(driver)},
      {"runtime", version(runtime)},
      {"commit", commit != nullptr && *commit != '\0' ? commit : ENSYN_BENCH_COMMIT},
      {"largest clock", std::to_string(attribute(cudaDevAttrClockRate, device.index) / 1000) + " MHz"},
      {"L2 cache", std::to_string(attribute(cudaDevAttrL2CacheSize, device.index) >> 20) + " MiB"},
  };
}

void measure(const Family& family, const probe::Target& target, probe::Report& report) {
  try {
    family.measure(target, report);
  } catch (const std::exception& error) {
    probe::Row row;
    row.name = family.name;
    row.wrong = error.what();
    report.add(std::move(row));
  }
}

int run(const Options& options) {
  const ensyn::cuda::DeviceList devices = ensyn::cuda::list_devices();
  if (devices.usable.empty()) {
    // Without what ensyn's own programs could do instead.
    const std::string problem = devices.problem.substr(0, devices.problem.find(", or use --device cpu"));
    std::fprintf(stderr, "no usable CUDA device: %s\n", problem.c_str());
    return 4;
  }
  const ensyn::cuda::DeviceInfo device =
      options.device < 0 ? devices.usable.front() : ensyn::cuda::find_device(options.device);
  const ensyn::cuda::CurrentDevice current(device.index);
  probe::Target target;
  target.device = device;
  target.shared_bytes =
      static_cast<std::size_t>(attribute(cudaDevAttrMaxSharedMemoryPerBlockOptin, device.index));
  probe::Report report(header(device));
  for (const Family& family : kFamilies) {
    const auto& only = options.only;
    if (only.empty() || std::find(only.begin(), only.end(), family.name) != only.end()) {
      measure(family, target, report);
    }
  }
  if (!options.json.empty()) report.write(options.json);
  return report.right() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    Options options;
    const int status = parse(argc, argv, options);
    return status >= 0 ? status : run(options);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s: %s\n", argv[0], error.what());
    return 1;
  }
}
