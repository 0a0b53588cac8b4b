// ensyn_cuda_scaling: how training on a CUDA device scales with networks, widths and minibatches. A row is
// checked before it is timed: the last of its networks must agree with the CPU backend. Exit status 0 when
// all did, 1 when one did not, 2 for bad usage, 4 without a usable device.

#include <cuda_runtime_api.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "bench/images.h"
#include "emulation.h"
#include "ensyn/error.h"
#include "host/cpu/cpu_engine.h"
#include "host/cuda/cuda_engine.h"
#include "host/cuda/runtime.h"
#include "host/io/file.h"
#include "scaling_rows.h"

namespace {

using namespace ensyn;
using bench::is_emulation;
using scaling::Row;

/// Steps that are checked, and of these the first, which are run one by one.
constexpr std::uint64_t kChecked = 6, kSingle = 3;
constexpr int kStretches = 3;

struct Options {
  double seconds = 2;
  double limit = 220;
  double memory = 0;  ///< GB; 0: what the device has
  std::vector<std::string> only;
  std::string method = "auto";
  std::string json;
};

struct Result {
  std::string status = "right";  ///< or `skipped`, `refused`, `not run`, `FAILED`
  std::string note;
  TrainingInfo training;
  bool shortened = false;
  std::vector<double> seconds;  ///< of a step of all networks, sorted; empty where none was timed
  scaling::Limit limit;
};

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

const Dataset& images() {
  return bench::images(is_emulation() ? 200 : 60000);
}

/// Root of the sum of squared differences, relative to that of the wanted values.
double distance(const std::vector<double>& got, const std::vector<double>& want) {
  double difference = 0, size = 0;
  for (std::size_t i = 0; i < want.size(); ++i) {
    difference += (got[i] - want[i]) * (got[i] - want[i]);
    size += want[i] * want[i];
  }
  return size > 0 ? std::sqrt(difference / size) : std::sqrt(difference);
}

/// Says so where two vectors are further apart than allowed.
std::string judge(const std::vector<double>& got, const std::vector<double>& want, double allowed,
                  const std::string& what) {
  const double found = distance(got, want);
  if (found <= allowed) return {};
  char text[200];
  std::snprintf(text, sizeof(text), "%s is off by %.3g of its size, where %.3g is allowed", what.c_str(),
                found, allowed);
  return text;
}

/// What is wrong with a network's state; empty where nothing is. What each step adds to mu and phi is small
/// beside them, so roundings of it are below 2^-17.
std::string difference(const NetworkState& got, const NetworkState& want, double moments) {
  constexpr double kValues = 0x1p-17, kLoss = 0x1p-13;
  std::vector<std::string> wrong;
  for (std::size_t l = 0; l < want.layers.size(); ++l) {
    const LayerState &a = got.layers[l], &b = want.layers[l];
    const std::string of = " of layer " + std::to_string(l);
    wrong.push_back(judge(a.mu, b.mu, kValues, "mu" + of));
    wrong.push_back(judge(a.phi, b.phi, kValues, "phi" + of));
    wrong.push_back(judge(a.mu_moment1, b.mu_moment1, moments, "the first moment of mu" + of));
    wrong.push_back(judge(a.phi_moment1, b.phi_moment1, moments, "the first moment of phi" + of));
  }
  const SharedPhi &a = got.shared_phi, &b = want.shared_phi;
  wrong.push_back(judge(a.value, b.value, kValues, "the shared phi"));
  wrong.push_back(judge(a.moment1, b.moment1, moments, "the first moment of the shared phi"));
  wrong.push_back(judge({got.epoch.nll}, {want.epoch.nll}, kLoss, "the loss"));
  if (got.epoch.examples != want.epoch.examples) wrong.emplace_back("another number of examples was seen");
  const auto first = std::find_if(wrong.begin(), wrong.end(), [](const auto& text) { return !text.empty(); });
  return first == wrong.end() ? std::string() : *first;
}

/// What is wrong with the first steps of a row's last network, among all of them; empty where they are those
/// of the CPU backend. First the initial state, then three steps, each from the same state, of which two must
/// be right: now and then a rounding carries a unit across the kink of its ReLU, which moves gradients by one
/// part in the root of width times minibatch. Then three in one call, where only more than that is wrong.
std::string check(Engine& engine, const Row& row) {
  PopulationConfig one = scaling::config_of(row);
  one.members.erase(one.members.begin(), one.members.end() - 1);
  ExecutionConfig on_cpu;
  on_cpu.device = DeviceKind::cpu;
  const auto want = cpu::make_cpu_engine(one, images(), on_cpu);
  const int member = row.networks - 1;
  if (!(engine.read(member) == want->read(0))) return "the initial state differs";
  std::string wrong;
  int wrong_steps = 0;
  for (std::uint64_t step = 0; step < kSingle; ++step) {
    engine.train(step, 1);
    want->train(step, 1);
    const NetworkState got = engine.read(member);
    const std::string why = difference(got, want->read(0), 0x1p-8);
    if (!why.empty()) wrong = why, ++wrong_steps;
    want->write(0, got);
  }
  if (wrong_steps > 1) return wrong;
  engine.train(kSingle, kChecked - kSingle);
  want->train(kSingle, kChecked - kSingle);
  return difference(engine.read(member), want->read(0), 0x1p-3);
}

/// Runs steps from one epoch to the next, as Population does.
class Training {
 public:
  Training(Engine& engine, const Row& row)
      : engine_(engine), steps_per_epoch_(images().size() / static_cast<std::size_t>(row.batch)) {}

  /// Seconds of so many steps.
  double run(std::uint64_t count) {
    const double start = now();
    for (const std::uint64_t end = step_ + count; step_ < end;) {
      const std::uint64_t in_epoch = step_ % steps_per_epoch_;
      if (in_epoch == 0) engine_.clear_epoch_sums();
      const std::uint64_t steps = std::min(end - step_, steps_per_epoch_ - in_epoch);
      engine_.train(step_, steps);
      step_ += steps;
    }
    return now() - start;
  }

 private:
  Engine& engine_;
  std::uint64_t steps_per_epoch_;
  std::uint64_t step_ = kChecked;
};

/// Seconds of a step in each of the stretches, after one as long that does not count; all within `seconds`,
/// unless single steps take longer.
std::vector<double> time_steps(Engine& engine, const Row& row, double seconds) {
  Training training(engine, row);
  training.run(1);
  std::uint64_t steps = 1;
  double passed = training.run(steps);
  // Until it is long enough to be divided, but no larger part of the time that there is.
  while (!is_emulation() && passed < std::min(0.02, seconds / 20)) {
    steps *= 4;
    passed = training.run(steps);
  }
  const double wanted = seconds / (kStretches + 1) / (passed / static_cast<double>(steps));
  const std::uint64_t stretch =
      is_emulation() ? 1 : std::max<std::uint64_t>(1, static_cast<std::uint64_t>(wanted));
  training.run(stretch);
  std::vector<double> times;
  times.reserve(kStretches);
  for (int i = 0; i < kStretches; ++i) times.push_back(training.run(stretch) / static_cast<double>(stretch));
  std::sort(times.begin(), times.end());
  return times;
}

double free_memory(const Options& options) {
  std::size_t free = 0, total = 0;
  cuda::check(cudaMemGetInfo(&free, &total), "cudaMemGetInfo");
  const auto bytes = static_cast<double>(free);
  return options.memory > 0 ? std::min(bytes, 1e9 * options.memory) : bytes;
}

Result measure(const Row& row, const Options& options, int device, double seconds) {
  Result result;
  ExecutionConfig execution;
  execution.device = DeviceKind::cuda;
  execution.device_index = device;
  execution.training_method = training_method_from(options.method);
  const double free = free_memory(options);
  const auto skip = [&](const char* status, const std::string& why) {
    result.status = status;
    result.note = why;
    return result;
  };
  if (scaling::bytes_needed(row, execution.training_method) > free)
    return skip("skipped", scaling::how_to_split(row, execution.training_method, free));
  try {
    const auto engine = cuda::make_cuda_engine(scaling::config_of(row), images(), execution);
    result.training = engine->training();
    result.limit = scaling::binding_limit(row, result.training.method == name(TrainingMethod::resident));
    const std::string wrong = check(*engine, row);
    if (!wrong.empty()) return skip("FAILED", wrong);
    result.seconds = time_steps(*engine, row, seconds);
    result.shortened = seconds < options.seconds;
  } catch (const OutOfMemoryError&) {
    return skip("skipped", scaling::how_to_split(row, execution.training_method, free));
  } catch (const ConfigError& refusal) {
    return skip("refused", refusal.what());
  } catch (const std::exception& error) {
    return skip("FAILED", error.what());
  }
  return result;
}

double median(const Result& result) {
  return result.seconds[result.seconds.size() / 2];
}

void print(const Row& row, const Result& result) {
  std::printf("%-48s", scaling::name(row).c_str());
  if (result.seconds.empty()) {
    std::printf(" %s: %s\n", result.status.c_str(), result.note.c_str());
  } else {
    std::printf(" %-8s %12.0f %10.2f %-13s %10.2f %8.3f  %s%s\n", result.training.method.c_str(),
                row.networks / median(result), 1e6 * median(result), result.limit.name,
                1e6 * result.limit.seconds, result.limit.seconds / median(result),
                result.shortened ? "shortened; " : "", result.training.reason.c_str());
  }
  std::fflush(stdout);
}

nlohmann::ordered_json to_json(const Row& row, const Result& result) {
  nlohmann::ordered_json json{{"name", scaling::name(row)},
                              {"networks", row.networks},
                              {"hidden", row.hidden},
                              {"batch", row.batch},
                              {"status", result.status}};
  if (!result.note.empty()) json["note"] = result.note;
  if (!result.training.method.empty()) {
    json["method"] = result.training.method;
    json["reason"] = result.training.reason;
  }
  if (result.seconds.empty()) return json;
  json["network_steps_per_second"] = row.networks / median(result);
  json["microseconds_per_step"] = 1e6 * median(result);
  json["microseconds_least"] = 1e6 * result.seconds.front();
  json["microseconds_most"] = 1e6 * result.seconds.back();
  json["limit"] = result.limit.name;
  json["limit_microseconds"] = 1e6 * result.limit.seconds;
  json["fraction_of_limit"] = result.limit.seconds / median(result);
  json["shortened"] = result.shortened;
  return json;
}

bool is_wanted(const Row& row, const std::vector<std::string>& only) {
  const std::string name = scaling::name(row) + "/";
  return only.empty() || std::any_of(only.begin(), only.end(), [&](const std::string& part) {
           return name.find(part) != std::string::npos;
         });
}

/// The exit status where the command line says all, or -1.
int parse(int argc, char** argv, Options& options) {
  CLI::App app("How training on a CUDA device scales with networks, hidden widths and minibatches");
  app.add_option("--seconds", options.seconds, "for each row, its warm-up included")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--limit", options.limit, "seconds for all; rows are shortened to keep to it")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--only", options.only, "rows whose name has one of these parts: hidden:1024/,batch:8/")
      ->delimiter(',');
  app.add_option("--method", options.method, "how networks are trained")
      ->check(CLI::IsMember({"auto", "graph", "streamed", "resident"}))
      ->capture_default_str();
  app.add_option("--memory", options.memory, "GB of device memory to plan for, if less than are free")
      ->check(CLI::PositiveNumber);
  app.add_option("--json", options.json, "file for the same rows as JSON");
  app.footer("exit codes: 0 all right; 1 a wrong answer; 2 bad usage; 4 no usable device");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  return -1;
}

std::vector<std::pair<std::string, std::string>> header(const cuda::DeviceInfo& device,
                                                        const Options& options) {
  const char* commit = std::getenv("ENSYN_COMMIT");
  std::vector<std::pair<std::string, std::string>> lines{
      {"device", cuda::describe(device)},
      {"commit", commit != nullptr && *commit != '\0' ? commit : ENSYN_BENCH_COMMIT},
      {"method", options.method},
      {"limits", "of an H200, by model: 4.3e12 bytes/s, 3.2e13 lane-instructions/s, 6.7e13 operations/s"},
  };
  if (is_emulation())
    lines.emplace_back("EMULATION", "the kernels run on the CPU, and the times mean nothing");
  return lines;
}

int run(const Options& options) {
  const cuda::DeviceList devices = cuda::list_devices();
  if (devices.usable.empty()) {
    // Without what ensyn's own programs could do instead.
    const std::string problem = devices.problem.substr(0, devices.problem.find(", or use --device cpu"));
    std::fprintf(stderr, "no usable CUDA device: %s\n", problem.c_str());
    return 4;
  }
  std::vector<Row> rows = scaling::all_rows(is_emulation());
  std::erase_if(rows, [&](const Row& row) { return !is_wanted(row, options.only); });
  if (rows.empty()) {
    std::fputs("--only leaves no row\n", stderr);
    return 2;
  }
  const double end = now() + options.limit;
  const cuda::DeviceInfo device = devices.usable.front();
  const cuda::CurrentDevice current(device.index);
  nlohmann::ordered_json top = nlohmann::ordered_json::object(), all = nlohmann::ordered_json::array();
  for (const auto& [key, value] : header(device, options)) {
    std::printf("%-10s %s\n", key.c_str(), value.c_str());
    top[key] = value;
  }
  std::printf("\n%-48s %-8s %12s %10s %-13s %10s %8s  %s\n", "row", "method", "net-steps/s", "us/step",
              "limit", "limit us", "fraction", "why this method");
  bool right = true;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    // What the rows that are left may take each; three quarters of it timed, the rest to set up and to check.
    const double share = (end - now()) / static_cast<double>(rows.size() - i);
    Result result;
    if (share <= 0) {
      result.status = "not run";
      result.note = "the time is up";
    } else {
      result = measure(rows[i], options, device.index, std::min(options.seconds, 0.75 * share));
    }
    right = right && result.status != "FAILED";
    print(rows[i], result);
    all.push_back(to_json(rows[i], result));
  }
  if (!options.json.empty())
    write_file(options.json, nlohmann::ordered_json{{"header", top}, {"rows", all}}.dump(2) + "\n");
  return right ? 0 : 1;
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
