// cuRAND's host API, to compare with: loaded where it is found, so that nothing else needs it.

#include <cmath>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

#include "kernels.h"

#if __has_include(<curand.h>) && !defined(ENSYN_BENCH_EMULATION)
#  include <curand.h>
#  include <dlfcn.h>
#  define ENSYN_BENCH_CURAND
#endif

namespace bench {

#if defined(ENSYN_BENCH_CURAND)

namespace {

/// The functions that are called.
struct Curand {
  decltype(&curandCreateGenerator) create = nullptr;
  decltype(&curandDestroyGenerator) destroy = nullptr;
  decltype(&curandSetStream) set_stream = nullptr;
  decltype(&curandGenerateNormal) normal = nullptr;
  decltype(&curandGenerateSeeds) seeds = nullptr;

  Curand() {
    void* library = dlopen("libcurand.so.10", RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) return;
    const auto find = [library](auto& function, const char* name) {
      function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(dlsym(library, name));
    };
    find(create, "curandCreateGenerator");
    find(destroy, "curandDestroyGenerator");
    find(set_stream, "curandSetStream");
    find(normal, "curandGenerateNormal");
    find(seeds, "curandGenerateSeeds");
  }
  [[nodiscard]] bool is_there() const {
    return create != nullptr && destroy != nullptr && set_stream != nullptr && normal != nullptr &&
           seeds != nullptr;
  }
};

const Curand& curand() {
  static const Curand functions;
  return functions;
}

void require(curandStatus_t status, const char* what) {
  if (status != CURAND_STATUS_SUCCESS) {
    throw std::runtime_error(std::string(what) + " failed with status " + std::to_string(status));
  }
}

struct Bed {
  Bed(const Curand& library, std::size_t count) : functions(library), output(count, "normals") {
    require(functions.create(&generator, CURAND_RNG_PSEUDO_PHILOX4_32_10), "curandCreateGenerator");
    require(functions.set_stream(generator, stream().get()), "curandSetStream");
    require(functions.seeds(generator), "curandGenerateSeeds");
  }
  ~Bed() { functions.destroy(generator); }
  Bed(const Bed&) = delete;
  Bed& operator=(const Bed&) = delete;

  [[nodiscard]] std::string wrong() const {
    std::vector<float> values(output.size());
    ensyn::cuda::copy_from_device<float>(values, output.data(), stream().get());
    stream().wait();
    double sum = 0, squares = 0;
    for (const double value : values) sum += value, squares += value * value;
    const double count = static_cast<double>(values.size());
    const bool normal = std::abs(sum / count) < 6 / std::sqrt(count) &&
                        std::abs(squares / count - 1) < 6 * std::sqrt(2 / count);
    return normal ? "" : "cuRAND's numbers are not of mean 0 and variance 1";
  }

  const Curand& functions;
  ensyn::cuda::DeviceBuffer<float> output;
  curandGenerator_t generator = nullptr;
};

}  // namespace

bool has_curand() {
  return curand().is_there();
}

Problem curand_normals(const Setup& setup, int l) {
  Problem problem;
  const auto rows = static_cast<std::size_t>(setup.sizes[static_cast<std::size_t>(l) + 1]);
  const auto columns = static_cast<std::size_t>(setup.sizes[static_cast<std::size_t>(l)] + 1);
  const std::size_t count = static_cast<std::size_t>(setup.networks) * rows * columns;
  // Its normals come in pairs.
  auto bed = std::make_shared<Bed>(curand(), count + count % 2);
  problem.launch = [bed] {
    require(bed->functions.normal(bed->generator, bed->output.data(), bed->output.size(), 0, 1),
            "curandGenerateNormal");
  };
  problem.wrong = [bed] { return bed->wrong(); };
  problem.capturable = false;
  problem.work.bytes = static_cast<double>(bed->output.bytes());
  problem.work.normals = static_cast<double>(bed->output.size());
  return problem;
}

#else

bool has_curand() {
  return false;
}

Problem curand_normals(const Setup& /*setup*/, int /*l*/) {
  return {};
}

#endif

}  // namespace bench
