#include "ensyn/config.h"

#include <cmath>
#include <functional>
#include <limits>

#include "data/support.h"

namespace ensyn {
namespace {

using test::expect_error;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

TEST(Config, ExponentsOfTheMechanisms) {
  EXPECT_EQ(exponent(Mechanism::calcium), 0.5);
  EXPECT_EQ(exponent(Mechanism::membrane), 2.0 / 3.0);
  EXPECT_EQ(exponent(Mechanism::actin), 4.0 / 3.0);
  EXPECT_EQ(exponent(Mechanism::trafficking), 2.0);
}

TEST(Config, NamesReadBack) {
  for (const auto value : {NoiseKind::heterogeneous, NoiseKind::homogeneous}) {
    EXPECT_EQ(noise_kind_from(name(value)), value);
  }
  for (const auto value : {NoiseLaw::gaussian, NoiseLaw::binomial, NoiseLaw::log_normal}) {
    EXPECT_EQ(noise_law_from(name(value)), value);
  }
  EXPECT_EQ(noise_law_from("log-normal"), NoiseLaw::log_normal);
  for (const auto value :
       {Mechanism::calcium, Mechanism::membrane, Mechanism::actin, Mechanism::trafficking}) {
    EXPECT_EQ(mechanism_from(name(value)), value);
  }
  for (const auto value : {Objective::energy, Objective::variational}) {
    EXPECT_EQ(objective_from(name(value)), value);
  }
  for (const auto value : {Precision::single_precision, Precision::double_precision}) {
    EXPECT_EQ(precision_from(name(value)), value);
  }
  for (const auto value : {DeviceKind::automatic, DeviceKind::cpu, DeviceKind::cuda}) {
    EXPECT_EQ(device_kind_from(name(value)), value);
  }
  for (const auto value : {Averaging::probabilities, Averaging::log_probabilities}) {
    EXPECT_EQ(averaging_from(name(value)), value);
  }
  EXPECT_EQ(activation_from("relu"), Activation::relu);
  EXPECT_EQ(name(Precision::single_precision), "single");
  EXPECT_EQ(name(Precision::double_precision), "double");
  EXPECT_EQ(name(DeviceKind::automatic), "auto");
  EXPECT_EQ(name(Mechanism::membrane), "membrane");
}

TEST(Config, UnknownNamesListTheAcceptedOnes) {
  expect_error<ConfigError>([] { (void)noise_kind_from("homo"); },
                            {"noise kind 'homo'", "heterogeneous, per_neuron, per_layer, homogeneous"});
  expect_error<ConfigError>([] { (void)noise_law_from("normal"); },
                            {"noise law 'normal'", "gaussian, binomial, log_normal"});
  expect_error<ConfigError>([] { (void)mechanism_from("Calcium"); },
                            {"mechanism 'Calcium'", "calcium, membrane, actin, trafficking"});
  expect_error<ConfigError>([] { (void)objective_from(""); }, {"objective ''", "energy, variational"});
  expect_error<ConfigError>([] { (void)prior_from("normal"); },
                            {"prior 'normal'", "flat, gaussian, laplace"});
  expect_error<ConfigError>([] { (void)precision_from("half"); }, {"precision 'half'", "single, double"});
  expect_error<ConfigError>([] { (void)activation_from("tanh"); }, {"activation 'tanh'", "relu"});
  expect_error<ConfigError>([] { (void)device_kind_from("gpu"); }, {"device 'gpu'", "auto, cpu, cuda"});
  expect_error<ConfigError>([] { (void)averaging_from("log\nprobabilities"); },
                            {"averaging 'log\\x0aprobabilities'", "probabilities, log_probabilities"});
}

TEST(Config, NoiseKindsMayBeWrittenWithDashes) {
  EXPECT_EQ(noise_kind_from("per-neuron"), NoiseKind::per_neuron);
  EXPECT_EQ(noise_kind_from("per_neuron"), NoiseKind::per_neuron);
  EXPECT_EQ(noise_kind_from("per-layer"), NoiseKind::per_layer);
}

TEST(Config, CountsOfWeights) {
  const Architecture paper;
  EXPECT_EQ(paper.weights(), 784u * 100 + 100 * 100 + 100 * 10);
  EXPECT_EQ(paper.parameters(), 785u * 100 + 101 * 100 + 101 * 10);
  const Architecture large{{1 << 20, 1 << 20, 2}, Activation::relu};
  EXPECT_EQ(large.weights(), (std::uint64_t{1} << 40) + (std::uint64_t{1} << 21));
}

TEST(Config, PaperPreset) {
  const auto config = paper_preset(0.5, 1e-3, NoiseKind::homogeneous);
  EXPECT_NO_THROW(config.validate());
  EXPECT_EQ(config.architecture.sizes, (std::vector<int>{784, 100, 100, 10}));
  EXPECT_EQ(config.batch, 20);
  ASSERT_EQ(config.members.size(), 1u);
  const auto& member = config.members.front();
  EXPECT_EQ(member.costs, (std::vector<CostTerm>{{0.5, 1e-3}}));
  EXPECT_EQ(member.noise, NoiseKind::homogeneous);
  EXPECT_EQ(member.lambda, 0.01);
  EXPECT_EQ(member.adam.learning_rate, 1e-4);
  EXPECT_EQ(member.sigma_init, 1e-4);
}

TEST(Config, DefaultsAndEdgesAreValid) {
  EXPECT_NO_THROW(PopulationConfig{}.validate());
  EXPECT_NO_THROW(EvaluationConfig{}.validate());
  EXPECT_NO_THROW(ExecutionConfig{}.validate());
  NetworkConfig edge;
  edge.seed = std::numeric_limits<std::uint64_t>::max();
  edge.stream = (1u << 24) - 1;
  edge.costs = {{1e-300, 0}};
  edge.lambda = edge.mu_range = edge.adam.beta1 = edge.adam.beta2 = 0;
  EXPECT_NO_THROW(edge.validate());
  edge.costs.clear();
  edge.prior_sigma = 1;
  EXPECT_NO_THROW(edge.validate());
  EXPECT_NO_THROW((Architecture{{1, 2}, Activation::relu}.validate()));
}

TEST(Config, BadArchitectures) {
  const auto check = [](const std::vector<int>& sizes, std::initializer_list<std::string> parts) {
    expect_error<ConfigError>([&] { (Architecture{sizes, Activation::relu}.validate()); }, parts);
  };
  check({}, {"sizes has 0 entries"});
  check({784}, {"sizes has 1 entries"});
  check({784, 0, 10}, {"sizes[1] = 0", "from 1"});
  check({-5, 10}, {"sizes[0] = -5"});
  check({784, 1}, {"sizes[1] = 1", "from 2", "classes"});
  check({std::numeric_limits<int>::max(), 10}, {"sizes[0] = 2147483647"});
  check({1 << 30, 1 << 30, 10}, {"sizes[0]", "1073741824 x 1073741825", "smaller"});
  check(std::vector<int>(5000, 2), {"5000 entries", "at most 4097"});
}

struct BadNetwork {
  std::function<void(NetworkConfig&)> change;
  std::string text;
};

TEST(Config, BadNetworksNameTheMemberAndKey) {
  const BadNetwork cases[] = {
      {[](NetworkConfig& n) { n.stream = 1u << 24; }, "stream = 16777216"},
      {[](NetworkConfig& n) { n.vesicles = 0; }, "vesicles = 0"},
      {[](NetworkConfig& n) { n.vesicles = 65; }, "vesicles = 65"},
      {[](NetworkConfig& n) { n.costs[0].rho = 0; }, "costs[0].rho = 0"},
      {[](NetworkConfig& n) { n.costs[0].rho = -2; }, "costs[0].rho = -2"},
      {[](NetworkConfig& n) { n.costs[0].rho = kNan; }, "costs[0].rho = nan"},
      {[](NetworkConfig& n) { n.costs[0].rho = kInfinity; }, "costs[0].rho = inf"},
      {[](NetworkConfig& n) {
         n.costs.push_back({1, -1e-3});
       },
       "costs[1].c = -0.001"},
      {[](NetworkConfig& n) { n.costs[0].c = kNan; }, "costs[0].c = nan"},
      {[](NetworkConfig& n) { n.costs[0].c = kInfinity; }, "costs[0].c = inf"},
      {[](NetworkConfig& n) { n.prior_sigma = 0; }, "prior_sigma = 0"},
      {[](NetworkConfig& n) { n.prior_sigma = -kInfinity; }, "prior_sigma = -inf"},
      {[](NetworkConfig& n) { n.prior_sigma = kNan; }, "prior_sigma = nan"},
      {[](NetworkConfig& n) { n.prior_scale = 0; }, "prior_scale = 0"},
      {[](NetworkConfig& n) { n.prior_scale = kInfinity; }, "prior_scale = inf"},
      {[](NetworkConfig& n) { n.prior = Prior::laplace, n.prior_sigma = 2; }, "prior_sigma = 2"},
      {[](NetworkConfig& n) { n.prior = Prior::flat, n.prior_sigma = 2; }, "prior_sigma = 2"},
      {[](NetworkConfig& n) { n.lambda = -0.01; }, "lambda = -0.01"},
      {[](NetworkConfig& n) { n.lambda = kNan; }, "lambda = nan"},
      {[](NetworkConfig& n) { n.lambda = kInfinity; }, "lambda = inf"},
      {[](NetworkConfig& n) { n.adam.learning_rate = 0; }, "adam.learning_rate = 0"},
      {[](NetworkConfig& n) { n.adam.learning_rate = -1e-4; }, "adam.learning_rate = -0.0001"},
      {[](NetworkConfig& n) { n.adam.learning_rate = kInfinity; }, "adam.learning_rate = inf"},
      {[](NetworkConfig& n) { n.adam.beta1 = 1; }, "adam.beta1 = 1"},
      {[](NetworkConfig& n) { n.adam.beta2 = -0.1; }, "adam.beta2 = -0.1"},
      {[](NetworkConfig& n) { n.adam.beta2 = kNan; }, "adam.beta2 = nan"},
      {[](NetworkConfig& n) { n.adam.epsilon = 0; }, "adam.epsilon = 0"},
      {[](NetworkConfig& n) { n.mu_range = -1; }, "mu_range = -1"},
      {[](NetworkConfig& n) { n.mu_range = kNan; }, "mu_range = nan"},
      {[](NetworkConfig& n) { n.sigma_init = 0; }, "sigma_init = 0"},
      {[](NetworkConfig& n) { n.sigma_init = -1; }, "sigma_init = -1"},
      {[](NetworkConfig& n) { n.sigma_init = kInfinity; }, "sigma_init = inf"},
  };
  for (const auto& bad : cases) {
    PopulationConfig config;
    config.members.resize(3);
    bad.change(config.members[2]);
    expect_error<ConfigError>([&] { config.members[2].validate(); }, {bad.text, "must be"});
    expect_error<ConfigError>([&] { config.validate(); }, {"members[2]." + bad.text, "must be"});
  }
}

TEST(Config, OtherLawsNeedNoiseOfTheirOwnAndAnEnergy) {
  for (const auto law : {NoiseLaw::binomial, NoiseLaw::log_normal}) {
    NetworkConfig member;
    member.law = law;
    member.vesicles = 64;
    EXPECT_NO_THROW(member.validate());
    member.noise = NoiseKind::homogeneous;
    const std::string text = "law = " + std::string(name(law));
    expect_error<ConfigError>([&] { member.validate(); }, {text, "homogeneous", "heterogeneous"});
    member.noise = NoiseKind::heterogeneous;
    member.objective = Objective::variational;
    expect_error<ConfigError>([&] { member.validate(); }, {text, "variational", "energy"});
  }
}

TEST(Config, BadPopulations) {
  PopulationConfig config;
  config.members.clear();
  expect_error<ConfigError>([&] { config.validate(); }, {"members has 0 entries"});
  for (const int batch : {0, -20}) {
    config = {};
    config.batch = batch;
    expect_error<ConfigError>([&] { config.validate(); }, {"batch = " + std::to_string(batch), "at least 1"});
  }
  config = {};
  config.architecture.sizes = {784, 10, 0};
  expect_error<ConfigError>([&] { config.validate(); }, {"architecture.sizes[2] = 0"});
}

TEST(Config, AGaussianLikelihoodMayHaveOneOutput) {
  Architecture architecture;
  architecture.sizes = {1, 20, 1};
  expect_error<ConfigError>([&] { architecture.validate(); }, {"sizes[2] = 1", "the number of classes"});
  architecture.likelihood = Likelihood::gaussian;
  EXPECT_NO_THROW(architecture.validate());
  for (const double sd : {0.0, -0.05, kInfinity, std::numeric_limits<double>::quiet_NaN()}) {
    architecture.observation_sd = sd;
    expect_error<ConfigError>([&] { architecture.validate(); }, {"observation_sd = ", "greater than 0"});
  }
  EXPECT_EQ(likelihood_from("gaussian"), Likelihood::gaussian);
  expect_error<ConfigError>([] { (void)likelihood_from("poisson"); }, {"'poisson'", "categorical, gaussian"});
}

TEST(Config, BadEvaluationAndExecution) {
  EvaluationConfig evaluation;
  evaluation.samples = 0;
  expect_error<ConfigError>([&] { evaluation.validate(); }, {"samples = 0"});
  for (const int samples : {kMostSamples + 1, std::numeric_limits<int>::max()}) {
    evaluation.samples = samples;
    expect_error<ConfigError>([&] { evaluation.validate(); }, {"samples = ", "from 1 to 1000000"});
  }
  evaluation = {};
  evaluation.batch = -1;
  expect_error<ConfigError>([&] { evaluation.validate(); }, {"batch = -1"});
  evaluation = {};
  evaluation.calibration_bins = 0;
  expect_error<ConfigError>([&] { evaluation.validate(); }, {"calibration_bins = 0"});
  evaluation.calibration_bins = std::numeric_limits<int>::max();
  expect_error<ConfigError>([&] { evaluation.validate(); }, {"calibration_bins = ", "from 1 to 1000000"});
  ExecutionConfig execution;
  execution.device_index = -1;
  expect_error<ConfigError>([&] { execution.validate(); }, {"device_index = -1"});
  execution = {};
  execution.threads = -2;
  expect_error<ConfigError>([&] { execution.validate(); }, {"threads = -2"});
  execution = {};
  execution.instruction_set = "sse2";
  expect_error<ConfigError>([&] { execution.validate(); },
                            {"instruction_set 'sse2'", "auto, avx512, avx2, neon, portable"});
}

TEST(Config, TrainingMethodsHaveNames) {
  for (const TrainingMethod method :
       {TrainingMethod::automatic, TrainingMethod::graph, TrainingMethod::streamed}) {
    EXPECT_EQ(training_method_from(name(method)), method);
  }
  expect_error<ConfigError>([] { static_cast<void>(training_method_from("quick")); },
                            {"training_method", "quick", "auto", "graph", "streamed"});
}

TEST(Config, PrintedFormHasOneSettingPerLine) {
  PopulationConfig config;
  config.architecture.sizes = {4, 3, 2};
  config.members.resize(2);
  config.members[0].adam.learning_rate = 0.1;
  config.members[1].stream = 7;
  config.members[1].law = NoiseLaw::binomial;
  config.members[1].costs.clear();
  config.members[1].seed = std::numeric_limits<std::uint64_t>::max();
  const auto text = to_string(config);
  for (const char* line : {"architecture.sizes = 4, 3, 2\n",
                           "architecture.hidden = relu\n",
                           "members[0].seed = 0\n",
                           "members[0].stream = index in the population\n",
                           "members[0].noise = heterogeneous\n",
                           "members[0].law = gaussian\n",
                           "members[1].law = binomial\n",
                           "members[1].vesicles = 5\n",
                           "members[0].objective = energy\n",
                           "members[0].costs[0].rho = 2\n",
                           "members[0].costs[0].c = 1\n",
                           "members[0].prior_sigma = inf\n",
                           "members[0].lambda = 0.01\n",
                           "members[0].adam.learning_rate = 0.1\n",
                           "members[1].seed = 18446744073709551615\n",
                           "members[1].stream = 7\n",
                           "members[1].costs = none\n",
                           "members[1].sigma_init = 0.0001\n",
                           "batch = 20\n",
                           "data_seed = 0\n",
                           "own_order = false\n",
                           "precision = single\n"}) {
    EXPECT_THAT(text, testing::HasSubstr(line));
  }
  EXPECT_EQ(to_string(Architecture{}),
            "sizes = 784, 100, 100, 10\nhidden = relu\nlikelihood = categorical\nobservation_sd = 1\n");
  EXPECT_THAT(to_string(NetworkConfig{}), testing::StartsWith("seed = 0\n"));
  EXPECT_EQ(to_string(EvaluationConfig{}),
            "samples = 20\nbatch = 20\ncalibration_bins = 15\naveraging = probabilities\n");
  EXPECT_EQ(to_string(ExecutionConfig{}),
            "device = auto\ndevice_index = 0\nthreads = 0\ninstruction_set = auto\ntraining_method = auto\n");
}

}  // namespace
}  // namespace ensyn
