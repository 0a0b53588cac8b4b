// The C++ peer as a program: cuBLAS, cuRAND's host generator (Philox) and the kernels of
// cublas_population.cu.
//
//   ensyn_peer_cublas --problem FOLDER...
//
// FOLDER is what problem.py writes; the answer is a line of JSON for each, as the Python peers print it
// (peer.py).

#include <curand.h>
#include <dlfcn.h>

#include <chrono>
#include <cmath>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>

#include "cublas_population.h"
#include "host/cuda/runtime.h"

namespace {

using nlohmann::json;

template <class T>
std::vector<T> read(const std::string& file) {
  std::ifstream stream(file, std::ios::binary | std::ios::ate);
  if (!stream) throw std::runtime_error(file + " cannot be read");
  std::vector<T> values(static_cast<std::size_t>(stream.tellg()) / sizeof(T));
  stream.seekg(0);
  stream.read(reinterpret_cast<char*>(values.data()),
              static_cast<std::streamsize>(values.size() * sizeof(T)));
  return values;
}

struct Task {
  peer::Problem problem;
  int block = 0, blocks = 0;
  unsigned long long seed = 0;
};

Task read_task(const std::string& folder) {
  std::ifstream stream(folder + "/problem.json");
  const json fields = json::parse(stream);
  Task task;
  peer::Problem& problem = task.problem;
  problem.sizes = fields["sizes"].get<std::vector<int>>();
  problem.batch = fields["batch"];
  problem.constants = {fields["pixel_mean"], fields["pixel_sd"],   fields["learning_rate"],
                       fields["beta1"],      fields["beta2"],      fields["epsilon"],
                       fields["lambda"],     fields["cost_scale"], fields["phi_divisor"]};
  for (const json& network : fields["networks"]) {
    const double phi = std::log(std::expm1(network["sigma_init"].get<double>()));
    problem.networks.push_back(
        {network["rho"], network["c"], static_cast<float>(phi), network["homogeneous"]});
  }
  problem.images = read<std::uint8_t>(folder + "/images.bin");
  problem.labels = read<std::uint8_t>(folder + "/labels.bin");
  problem.order = read<int>(folder + "/order.bin");
  problem.mu = read<float>(folder + "/mu.bin");
  task.block = fields["block"], task.blocks = fields["blocks"], task.seed = fields["seed"];
  return task;
}

/// cuRAND's host generator, loaded when the program runs: it is too large to travel with it.
class Normals {
 public:
  Normals(unsigned long long seed, cudaStream_t stream) {
    void* library = dlopen("libcurand.so.10", RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) throw std::runtime_error("libcurand.so.10 was not found");
    const auto create = find<decltype(&curandCreateGenerator)>(library, "curandCreateGenerator");
    const auto set_seed =
        find<decltype(&curandSetPseudoRandomGeneratorSeed)>(library, "curandSetPseudoRandomGeneratorSeed");
    const auto set_stream = find<decltype(&curandSetStream)>(library, "curandSetStream");
    generate_ = find<decltype(generate_)>(library, "curandGenerateNormal");
    destroy_ = find<decltype(destroy_)>(library, "curandDestroyGenerator");
    require(create(&generator_, CURAND_RNG_PSEUDO_PHILOX4_32_10), "curandCreateGenerator");
    require(set_seed(generator_, seed), "curandSetPseudoRandomGeneratorSeed");
    require(set_stream(generator_, stream), "curandSetStream");
  }
  ~Normals() { destroy_(generator_); }
  Normals(const Normals&) = delete;
  Normals& operator=(const Normals&) = delete;

  void draw(float* to, std::size_t count) const {
    require(generate_(generator_, to, count, 0, 1), "curandGenerateNormal");
  }

 private:
  template <class Function>
  static Function find(void* library, const char* name) {
    const auto function = reinterpret_cast<Function>(dlsym(library, name));
    if (function == nullptr) throw std::runtime_error(std::string("libcurand.so.10 has no ") + name);
    return function;
  }
  static void require(curandStatus_t status, const char* what) {
    if (status == CURAND_STATUS_SUCCESS) return;
    throw std::runtime_error(std::string(what) + " failed with status " + std::to_string(status));
  }

  decltype(&curandGenerateNormal) generate_ = nullptr;
  decltype(&curandDestroyGenerator) destroy_ = nullptr;
  curandGenerator_t generator_ = nullptr;
};

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

json train(const Task& task) {
  const auto start = std::chrono::steady_clock::now();
  const ensyn::cuda::Stream stream;
  peer::Population population(task.problem, stream.get());
  const Normals normals(task.seed, stream.get());
  // The first step loads the kernels and cuBLAS's, which a capture must not do. The generator keeps its place
  // on the host, so a graph that held it would draw the same noise in each step: it stays outside.
  normals.draw(population.noise(), population.noise_size());
  population.step();
  stream.wait();
  const ensyn::cuda::Graph graph(stream, [&] { population.step(); });
  population.reset();
  json run{{"prepare_seconds", seconds_since(start)}};

  std::vector<std::vector<double>> nll(task.problem.networks.size());
  const double examples = static_cast<double>(task.block) * task.problem.batch;
  for (int block = 0; block < task.blocks; ++block) {
    const auto begin = std::chrono::steady_clock::now();
    for (int step = 0; step < task.block; ++step) {
      normals.draw(population.noise(), population.noise_size());
      graph.launch(stream);
    }
    const std::vector<double> sums = population.take_nll();
    run["seconds"].push_back(seconds_since(begin));
    for (std::size_t n = 0; n < nll.size(); ++n) nll[n].push_back(sums[n] / examples);
  }
  for (std::size_t n = 0; n < nll.size(); ++n) run["networks"].push_back(n);
  run["nll"] = nll;
  run["sigma_rms"] = population.sigma();
  return run;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const ensyn::cuda::DeviceInfo device = ensyn::cuda::find_device(0);
    const ensyn::cuda::CurrentDevice current(device.index);
    for (int i = 1; i + 1 < argc; i += 2) {
      if (std::string(argv[i]) != "--problem") throw std::runtime_error("usage: --problem FOLDER...");
      const json answer{{"runs", {train(read_task(argv[i + 1]))}}, {"with", describe(device)}};
      std::cout << answer.dump() << std::endl;
    }
  } catch (const std::exception& error) {
    std::cerr << "ensyn_peer_cublas: " << error.what() << '\n';
    return 1;
  }
  return 0;
}
