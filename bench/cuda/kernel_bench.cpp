/// \file
/// The CUDA kernels one by one, on the layers of the paper's network alone and in a population of 240, and on
/// one large layer. Each result is checked against a plain computation in double before it is timed, and each
/// time stands beside what the device's memory and arithmetic allow.

#include <functional>
#include <string>

#include "kernels.h"

namespace {

using namespace bench;
using ensyn::NoiseKind;

using Make = std::function<Problem()>;

void add_problem(const std::string& name, const Make& make) {
  for (const Cache cache : {Cache::warm, Cache::cold}) {
    add_benchmark(
        name + (cache == Cache::warm ? "/warm" : "/cold"),
        [make, cache](benchmark::State& state) { measure(state, make(), cache); }, benchmark::kMicrosecond,
        true, samples());
  }
}

template <class T>
std::string name_of(const char* kernel, const Setup& setup, int l = -1) {
  std::string name = std::string(kernel) + "/" + setup.name;
  if (l >= 0) name += "/layer:" + std::to_string(l);
  return name + (sizeof(T) == 4 ? "/single" : "/double");
}

/// What has a layer of its own, in single and in double precision.
template <class T>
void add_layer(const Setup& setup, int l) {
  const auto add = [&](const char* kernel, const Make& make) {
    add_problem(name_of<T>(kernel, setup, l), make);
  };
  add("noisy_forward", [=] { return noisy_forward<T>(setup, NoiseKind::heterogeneous, l); });
  add("noisy_forward_homogeneous", [=] { return noisy_forward<T>(setup, NoiseKind::homogeneous, l); });
  if (l > 0) add("noisy_backward", [=] { return noisy_backward<T>(setup, NoiseKind::heterogeneous, l); });
  add("materialize_weights", [=] { return materialize_weights<T>(setup, l); });
  add("materialize_noise", [=] { return materialize_noise<T>(setup, l); });
}

void add_single_layer(const Setup& setup, int l) {
  const auto add = [&](const char* kernel, const Make& make) {
    add_problem(name_of<float>(kernel, setup, l), make);
  };
  add_layer<float>(setup, l);
  if (has_curand()) add("curand_normals", [=] { return curand_normals(setup, l); });
  add("gradient_statistics", [=] { return gradient_statistics<float>(setup, l); });
  add("initialize", [=] { return initialize<float>(setup, l); });
  add("rectify", [=] { return rectify<float>(setup, l); });
}

template <class T>
void add_updates(const Setup& setup) {
  add_problem(name_of<T>("parameter_update", setup), [=] { return parameter_update<T>(setup); });
  add_problem(name_of<T>("homogeneous_update", setup), [=] { return homogeneous_update<T>(setup); });
}

template <class T>
void add_not_finite(const Setup& setup) {
  add_problem(name_of<T>("not_finite", setup),
              [=] { return not_finite<T>(setup, NoiseKind::heterogeneous); });
  add_problem(name_of<T>("not_finite_homogeneous", setup),
              [=] { return not_finite<T>(setup, NoiseKind::homogeneous); });
}

template <class T>
void add_whole(const Setup& setup) {
  for (const NoiseKind noise : {NoiseKind::heterogeneous, NoiseKind::homogeneous}) {
    const std::string suffix = noise == NoiseKind::homogeneous ? "_homogeneous" : "";
    const auto add = [&](const std::string& kernel, const Make& make) {
      add_problem(name_of<T>((kernel + suffix).c_str(), setup), make);
    };
    add("to_tiles", [=] { return to_tiles<T>(setup, noise); });
    add("from_tiles", [=] { return from_tiles<T>(setup, noise); });
    if (streamed_problem<T>(setup, noise).empty())
      add("streamed_training", [=] { return streamed_training<T>(setup, noise); });
    if (sizeof(T) == sizeof(float) && resident_problem(setup, noise).empty())
      add("resident_training", [=] { return resident_training(setup, noise); });
    add("evaluation_weights", [=] { return evaluation_weights<T>(setup, noise); });
    if (evaluation_problem<T>(setup).empty())
      add("population_evaluation", [=] { return population_evaluation<T>(setup, noise); });
  }
}

void register_all() {
  for (const Setup& setup : setups()) {
    for (const int l : setup.layers) add_single_layer(setup, l);
    add_updates<float>(setup);
    add_layer<double>(setup, setup.layers.front());
    add_updates<double>(setup);
    add_not_finite<float>(setup);
    add_not_finite<double>(setup);
    add_whole<float>(setup);
    add_whole<double>(setup);
    const auto add = [&](const char* kernel, const Make& make) {
      add_problem(name_of<float>(kernel, setup), make);
    };
    add("gather_inputs", [=] { return gather_inputs<float>(setup); });
    add("cross_entropy", [=] { return cross_entropy<float>(setup); });
    add("squared_error", [=] { return squared_error<float>(setup); });
    add("log_softmax", [=] { return log_softmax<float>(setup); });
    add("finish_step", [=] { return finish_step<float>(setup); });
  }
}

}  // namespace

int main(int argc, char** argv) {
  return bench::run(argc, argv, register_all);
}
