#include "oracle/parity.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <limits>
#include <random>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace parity {

namespace {

using ensyn::CostTerm;
using ensyn::NetworkConfig;
using ensyn::NoiseKind;
using ensyn::Objective;

// Not inlined, here and below: g++ 12 would take the constants behind the defaults of `costs` and `members`
// for uninitialised.
[[gnu::noinline]] NetworkConfig base_member() {
  NetworkConfig member;
  member.seed = 0x9E3779B97F4A7C15;
  member.mu_range = 0.5;
  member.sigma_init = 0.3;
  member.adam.learning_rate = 0.01;
  member.adam.epsilon = 1.0;
  return member;
}

NetworkConfig homogeneous(std::vector<CostTerm> costs) {
  NetworkConfig member = base_member();
  member.noise = NoiseKind::homogeneous;
  member.costs = std::move(costs);
  return member;
}

NetworkConfig shared(NoiseKind noise, std::vector<CostTerm> costs) {
  NetworkConfig member = homogeneous(std::move(costs));
  member.noise = noise;
  return member;
}

NetworkConfig heterogeneous(std::vector<CostTerm> costs) {
  NetworkConfig member = base_member();
  member.costs = std::move(costs);
  return member;
}

NetworkConfig variational(NoiseKind noise, double prior_sigma) {
  NetworkConfig member = base_member();
  member.noise = noise;
  member.objective = Objective::variational;
  member.costs.clear();
  member.prior_sigma = prior_sigma;
  return member;
}

NetworkConfig laplace(NoiseKind noise, double scale) {
  NetworkConfig member = variational(noise, std::numeric_limits<double>::infinity());
  member.prior = ensyn::Prior::laplace;
  member.prior_scale = scale;
  return member;
}

NetworkConfig changed(NetworkConfig member, const std::function<void(NetworkConfig&)>& change) {
  change(member);
  return member;
}

[[gnu::noinline]] Case make_case(std::string name, std::vector<int> sizes, int batch,
                                 std::vector<NetworkConfig> members, std::size_t examples = 67) {
  Case result;
  result.name = std::move(name);
  result.config.architecture.sizes = std::move(sizes);
  result.config.batch = batch;
  result.config.members = std::move(members);
  result.config.data_seed = 77;
  result.examples = examples;
  return result;
}

/// One of everything: kinds of noise, objectives, several costs, rates, a stream of its own, a paired stream.
std::vector<NetworkConfig> mixed_members() {
  return {heterogeneous({{0.5, 2.0}}),
          homogeneous({{2.0, 0.3}, {1.37, 0.5}}),
          variational(NoiseKind::heterogeneous, std::numeric_limits<double>::infinity()),
          changed(heterogeneous({{2.0 / 3, 1.0}}),
                  [](NetworkConfig& m) {
                    m.lambda = 0.5;
                    m.adam = {0.03, 0.8, 0.99, 0.3};
                  }),
          changed(variational(NoiseKind::homogeneous, 0.6),
                  [](NetworkConfig& m) {
                    m.stream = 1;
                    m.sigma_init = 0.8;
                  }),
          changed(heterogeneous({}),
                  [](NetworkConfig& m) {
                    m.seed = 5;
                    m.stream = 12345;
                    m.mu_range = 0.2;
                  }),
          shared(NoiseKind::per_layer, {{2.0 / 3, 1.0}}),
          shared(NoiseKind::per_neuron, {{4.0 / 3, 0.4}})};
}

void add_architectures(std::vector<Case>& all) {
  all.push_back(make_case("minimal", {1, 2}, 1, {heterogeneous({{0.5, 2.0}})}));
  all.push_back(make_case("minimal_batch_21", {1, 2}, 21, {homogeneous({{0.5, 2.0}})}));
  all.push_back(make_case("hidden_of_one", {2, 1, 2}, 3, {heterogeneous({{2.0, 0.1}})}));
  all.push_back(make_case("odd_sizes", {3, 5, 2}, 3, {homogeneous({{2.0, 0.3}})}));
  all.push_back(make_case("four_layers", {5, 31, 33, 3}, 20,
                          {changed(heterogeneous({{0.5, 1.0}, {2.0, 0.2}, {3.1, 0.05}}),
                                   [](NetworkConfig& m) { m.lambda = 0.7; })}));
  all.push_back(make_case("wide_batch_21", {100, 33, 10}, 21, {heterogeneous({{2.0 / 3, 1.5}})}, 250));
  all.push_back(make_case("wide_batch_1", {100, 33, 10}, 1, {heterogeneous({{1.37, 0.4}})}));
  all.push_back(make_case("input_785", {785, 5, 3}, 20, {homogeneous({{4.0 / 3, 0.7}})}, 250));
  all.push_back(make_case("edges_of_blocks", {15, 16, 17, 31, 32, 4}, 5, {heterogeneous({{0.5, 1.0}})}));
  all.push_back(make_case("edges_of_blocks_shared", {32, 15, 16, 5}, 6, {homogeneous({{0.5, 1.0}})}));
  // Fewer and more rows than groups of four, and rows that no group of four divides.
  all.push_back(make_case("per_layer", {31, 33, 3, 5}, 20, {shared(NoiseKind::per_layer, {{0.5, 1.0}})}));
  all.push_back(make_case("per_neuron", {31, 33, 3, 5}, 20, {shared(NoiseKind::per_neuron, {{0.5, 1.0}})}));
  all.push_back(
      make_case("per_neuron_784", {784, 9, 4}, 21, {shared(NoiseKind::per_neuron, {{2.0, 0.3}})}, 250));
  all.push_back(make_case("per_layer_minimal", {1, 2}, 1, {shared(NoiseKind::per_layer, {{0.5, 1.0}})}));
  all.push_back(make_case("per_neuron_minimal", {1, 2}, 1, {shared(NoiseKind::per_neuron, {{0.5, 1.0}})}));
  // More layers than one launch of an update takes.
  all.push_back(make_case("per_neuron_ten_layers", {4, 3, 5, 3, 3, 3, 3, 3, 3, 5, 3}, 3,
                          {shared(NoiseKind::per_neuron, {{0.5, 1.0}}),
                           shared(NoiseKind::per_layer, {{2.0, 0.2}}), homogeneous({{2.0, 0.2}})}));
  all.push_back(make_case("classes_33", {7, 20, 33}, 20, {heterogeneous({{0.5, 1.0}})}));
  all.push_back(make_case("classes_256", {5, 6, 256}, 20, {heterogeneous({{0.5, 1.0}})}));
  Case bytes = make_case("bytes", {64, 17, 10}, 20, {heterogeneous({{2.0, 0.5}})}, 250);
  bytes.holds_bytes = true;
  all.push_back(bytes);
  all.push_back(make_case("batch_is_all", {4, 6, 3}, 21, {heterogeneous({{0.5, 1.0}})}, 21));
  Case paper = make_case("paper", {784, 100, 100, 10}, 20, {NetworkConfig{}}, 250);
  paper.holds_bytes = true;
  all.push_back(paper);
}

void add_costs(std::vector<Case>& all) {
  const std::vector<int> sizes{4, 7, 3};
  const double infinity = std::numeric_limits<double>::infinity();
  all.push_back(make_case("variational_flat", sizes, 20, {variational(NoiseKind::heterogeneous, infinity)}));
  all.push_back(make_case("variational_prior", sizes, 20, {variational(NoiseKind::heterogeneous, 0.4)}));
  all.push_back(make_case("variational_shared", sizes, 20, {variational(NoiseKind::homogeneous, 0.4)}));
  for (const auto& [name, noise] : {std::pair{"laplace", NoiseKind::heterogeneous},
                                    {"laplace_shared", NoiseKind::homogeneous},
                                    {"laplace_per_layer", NoiseKind::per_layer},
                                    {"laplace_per_neuron", NoiseKind::per_neuron}}) {
    // Rows and columns with padding, which must not count.
    all.push_back(make_case(name, {21, 7, 3}, 20, {laplace(noise, 0.2)}));
  }
  all.push_back(make_case("variational_per_neuron", sizes, 20, {variational(NoiseKind::per_neuron, 0.4)}));
  all.push_back(
      make_case("no_costs", sizes, 20, {changed(heterogeneous({}), [](auto& m) { m.lambda = 0; })}));
  all.push_back(make_case("zero_weight", sizes, 20, {heterogeneous({{2.0, 0.0}})}));
  all.push_back(make_case("no_initial_mu", sizes, 20,
                          {changed(heterogeneous({{0.5, 1.0}}), [](auto& m) { m.mu_range = 0; })}));
  all.push_back(make_case("many_exponents", sizes, 20,
                          {heterogeneous({{1.0, 0.2}, {1.5, 0.1}, {2.5, 0.05}, {3.0, 0.02}, {3.5, 0.01}})}));
  for (const auto& [name, sigma] : {std::pair{"sigma_3", 3.0}, {"sigma_1e-4", 1e-4}}) {
    for (const auto& kind : {homogeneous({{0.5, 1.0}}), heterogeneous({{0.5, 1.0}})}) {
      const std::string suffix = kind.noise == NoiseKind::homogeneous ? "_shared" : "";
      all.push_back(make_case(name + suffix, {10, 12, 4}, 20,
                              {changed(kind, [&, s = sigma](auto& m) { m.sigma_init = s; })}));
    }
  }
  all.push_back(make_case("usual_epsilon", sizes, 20,
                          {changed(heterogeneous({{2.0, 0.3}}), [](auto& m) { m.adam.epsilon = 1e-8; })}));
  all.push_back(make_case("other_betas", sizes, 20, {changed(heterogeneous({{2.0, 0.3}}), [](auto& m) {
                            m.adam.beta1 = 0;
                            m.adam.beta2 = 0.5;
                          })}));
  // One input that is 0 now and then: its weights' gradients then fall from about 1 to lambda / N, and
  // moments that remember nothing must fall with them.
  all.push_back(make_case("no_memory", {1, 2}, 1, {changed(heterogeneous({}), [](auto& m) {
                            m.lambda = 1e-3;
                            m.adam = {0.01, 0, 0, 1e-8};
                          })}));
}

/// The gaussian likelihood: one output, as many as lanes, more, and members of all kinds.
void add_regressions(std::vector<Case>& all) {
  const auto add = [&](const char* name, std::vector<int> sizes, int batch,
                       std::vector<NetworkConfig> members, double observation_sd) {
    Case test = make_case(name, std::move(sizes), batch, std::move(members));
    test.config.architecture.likelihood = ensyn::Likelihood::gaussian;
    test.config.architecture.observation_sd = observation_sd;
    all.push_back(test);
  };
  add("regression_minimal", {1, 1}, 1, {heterogeneous({{0.5, 2.0}})}, 1.3);
  add("regression", {1, 20, 1}, 20, {heterogeneous({{2.0, 0.3}})}, 0.7);
  add("regression_outputs_16", {5, 7, 16}, 21, {heterogeneous({{2.0 / 3, 1.0}})}, 0.9);
  add("regression_outputs_33", {4, 33}, 5, {homogeneous({{0.5, 1.0}})}, 2.5);
  add("regression_population", {6, 9, 3}, 20, mixed_members(), 1.1);
}

NetworkConfig of_law(ensyn::NoiseLaw law, int vesicles, std::vector<CostTerm> costs) {
  return changed(heterogeneous(std::move(costs)), [&](NetworkConfig& m) {
    m.law = law;
    m.vesicles = vesicles;
  });
}

void add_laws(std::vector<Case>& all) {
  using ensyn::NoiseLaw;
  const std::vector<int> sizes{4, 7, 3};
  for (const int vesicles : {1, 5, 64}) {
    all.push_back(make_case("binomial_of_" + std::to_string(vesicles), sizes, 20,
                            {of_law(NoiseLaw::binomial, vesicles, {{0.5, 1.0}})}));
  }
  all.push_back(make_case("log_normal", sizes, 20, {of_law(NoiseLaw::log_normal, 5, {{0.5, 1.0}})}));
  all.push_back(make_case("log_normal_wide", {33, 17, 5}, 21,
                          {of_law(NoiseLaw::log_normal, 5, {{0.5, 1.0}, {2.0, 0.1}})}));
  all.push_back(make_case("laws", {6, 9, 4}, 20,
                          {of_law(NoiseLaw::log_normal, 5, {{0.5, 1.0}}), heterogeneous({{2.0, 0.3}}),
                           homogeneous({{0.5, 1.0}}), of_law(NoiseLaw::binomial, 3, {{2.0, 0.3}})}));
}

void add_populations(std::vector<Case>& all) {
  all.push_back(make_case("population", {6, 9, 4}, 20, mixed_members()));
  Case own = make_case("population_own_order", {6, 9, 4}, 21, mixed_members());
  own.config.own_order = true;
  all.push_back(own);
  // Threads that neither divide nor are divided by the members.
  all.push_back(make_case("population_of_two", {20, 18, 5}, 20,
                          {heterogeneous({{0.5, 1.0}}), homogeneous({{4.0 / 3, 0.5}})}));
  Case edge = make_case("largest_keys", {6, 9, 4}, 7, {changed(heterogeneous({{2.0, 0.3}}), [](auto& m) {
                          m.seed = std::numeric_limits<std::uint64_t>::max();
                          m.stream = (1U << 24) - 1;
                        })});
  edge.config.own_order = true;
  edge.config.data_seed = std::numeric_limits<std::uint64_t>::max() - 1;
  all.push_back(edge);
}

}  // namespace

std::vector<Case> cases(ensyn::Precision precision) {
  std::vector<Case> all;
  add_architectures(all);
  add_costs(all);
  add_regressions(all);
  add_laws(all);
  add_populations(all);
  for (Case& test : all) {
    test.config.precision = precision;
    std::replace(test.name.begin(), test.name.end(), '-', '_');
  }
  return all;
}

Case case_named(const std::string& name, ensyn::Precision precision) {
  for (const Case& test : cases(precision)) {
    if (test.name == name) {
      return test;
    }
  }
  throw std::invalid_argument("no parity case is called " + name);
}

ensyn::Dataset make_data(const ensyn::Architecture& architecture, std::size_t count, bool holds_bytes,
                         unsigned seed) {
  // Only the engine's raw numbers are used: what distributions make of them differs between libraries.
  std::mt19937 generator(seed);
  const bool is_regression = architecture.likelihood == ensyn::Likelihood::gaussian;
  std::vector<std::uint8_t> labels(is_regression ? 0 : count);
  for (std::uint8_t& label : labels) {
    label = static_cast<std::uint8_t>(generator() % static_cast<unsigned>(architecture.outputs()));
  }
  const auto number = [&] { return 3.4F * (static_cast<float>(generator() % 65536) / 65536.0F - 0.5F); };
  std::vector<float> targets(is_regression ? count * static_cast<std::size_t>(architecture.outputs()) : 0);
  for (float& target : targets) target = number();
  const std::size_t elements = count * static_cast<std::size_t>(architecture.inputs());
  if (holds_bytes) {
    std::vector<std::uint8_t> bytes(elements);
    for (std::uint8_t& byte : bytes) {
      byte = generator() % 2 == 0 ? 0 : static_cast<std::uint8_t>(generator() % 256);
    }
    return ensyn::Dataset::from_bytes(std::move(bytes), std::move(labels), architecture.inputs(),
                                      architecture.outputs());
  }
  std::vector<float> floats(elements);
  for (float& value : floats) {
    const bool is_zero = generator() % 8 == 0;
    value = is_zero ? 0.0F : number();
  }
  if (is_regression) {
    return ensyn::Dataset::from_targets(std::move(floats), std::move(targets), architecture.inputs(),
                                        architecture.outputs());
  }
  return ensyn::Dataset::from_floats(std::move(floats), std::move(labels), architecture.inputs(),
                                     architecture.outputs());
}

ensyn::Dataset make_data(const Case& test) {
  return make_data(test.config.architecture, test.examples, test.holds_bytes);
}

ensyn::ExecutionConfig on_cpu(const std::string& instruction_set, int threads) {
  ensyn::ExecutionConfig execution;
  execution.device = ensyn::DeviceKind::cpu;
  execution.instruction_set = instruction_set;
  execution.threads = threads;
  return execution;
}

ensyn::ExecutionConfig under_test() {
  ensyn::ExecutionConfig execution = on_cpu();
  const char* device = std::getenv("ENSYN_TEST_DEVICE");
  if (device != nullptr) {
    execution.device = ensyn::device_kind_from(device);
    // The method whose bits are the CPU's; others have tests of their own (tests/cuda).
    if (execution.device == ensyn::DeviceKind::cuda) execution.training_method = ensyn::TrainingMethod::graph;
  }
  return execution;
}

}  // namespace parity
