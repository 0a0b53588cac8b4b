#include "cuda/engines.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <string>

#include "host/cpu/cpu_engine.h"

namespace engines {

using ensyn::Engine;
using ensyn::NetworkState;

namespace {

void expect_equal(const std::vector<double>& got, const std::vector<double>& want, const char* name) {
  ASSERT_EQ(got.size(), want.size()) << name;
  std::size_t different = 0, first = 0;
  for (std::size_t i = got.size(); i-- > 0;) {
    if (got[i] == want[i]) continue;
    ++different;
    first = i;
  }
  EXPECT_EQ(different, 0U) << "elements of " << name << " differ, the first is [" << first << "]: got "
                           << got[first] << ", want " << want[first];
}

std::array<double, 6> numbers(const ensyn::PredictionQuality& q) {
  return {q.accuracy, q.nll, q.brier, q.ece, q.predictive_entropy, q.rmse};
}

}  // namespace

ensyn::cuda::DeviceInfo hopper(int major, int minor) {
  ensyn::cuda::DeviceInfo info;
  info.major = major;
  info.minor = minor;
  info.multiprocessors = 132;
  info.shared_bytes = 227 << 10;
  return info;
}

std::unique_ptr<Engine> on_cpu(const parity::Case& test, const ensyn::Dataset& data) {
  return ensyn::cpu::make_cpu_engine(test.config, data, parity::on_cpu());
}

std::unique_ptr<Engine> on_cuda(const parity::Case& test, const ensyn::Dataset& data,
                                ensyn::TrainingMethod method, const ensyn::cuda::EngineOptions& options) {
  ensyn::ExecutionConfig execution;
  execution.device = ensyn::DeviceKind::cuda;
  execution.threads = 2;
  execution.training_method = method;
  return ensyn::cuda::make_cuda_engine(test.config, data, execution, options);
}
std::unique_ptr<Engine> on_cuda(const parity::Case& test, const ensyn::Dataset& data,
                                const ensyn::cuda::EngineOptions& options) {
  return on_cuda(test, data, ensyn::TrainingMethod::graph, options);
}

void train(Engine& engine, const parity::Case& test, std::uint64_t first, std::uint64_t count,
           std::uint64_t stretch) {
  const std::uint64_t per_epoch = test.examples / static_cast<std::size_t>(test.config.batch);
  for (std::uint64_t step = first; step < first + count;) {
    const std::uint64_t in_epoch = step % per_epoch;
    if (in_epoch == 0) engine.clear_epoch_sums();
    const std::uint64_t steps = std::min({first + count - step, per_epoch - in_epoch, stretch});
    engine.train(step, steps);
    step += steps;
  }
}

std::vector<NetworkState> states(const Engine& engine, const parity::Case& test) {
  std::vector<NetworkState> result;
  for (int m = 0; m < static_cast<int>(test.config.members.size()); ++m) {
    result.push_back(engine.read(m));
    result.back().epoch = engine.epoch_sums(m);
  }
  return result;
}

void expect_equal(const std::vector<NetworkState>& got, const std::vector<NetworkState>& want) {
  ASSERT_EQ(got.size(), want.size());
  for (std::size_t m = 0; m < want.size(); ++m) {
    SCOPED_TRACE("member " + std::to_string(m));
    ASSERT_EQ(got[m].layers.size(), want[m].layers.size());
    for (std::size_t l = 0; l < want[m].layers.size(); ++l) {
      SCOPED_TRACE("layer " + std::to_string(l));
      const ensyn::LayerState &a = got[m].layers[l], &b = want[m].layers[l];
      expect_equal(a.mu, b.mu, "mu");
      expect_equal(a.mu_moment1, b.mu_moment1, "mu_moment1");
      expect_equal(a.mu_moment2, b.mu_moment2, "mu_moment2");
      expect_equal(a.phi, b.phi, "phi");
      expect_equal(a.phi_moment1, b.phi_moment1, "phi_moment1");
      expect_equal(a.phi_moment2, b.phi_moment2, "phi_moment2");
    }
    expect_equal(got[m].shared_phi.value, want[m].shared_phi.value, "shared phi");
    expect_equal(got[m].shared_phi.moment1, want[m].shared_phi.moment1, "shared phi's moment1");
    expect_equal(got[m].shared_phi.moment2, want[m].shared_phi.moment2, "shared phi's moment2");
    EXPECT_EQ(got[m].epoch.nll, want[m].epoch.nll);
    EXPECT_EQ(got[m].epoch.examples, want[m].epoch.examples);
    EXPECT_EQ(got[m].epoch.correct, want[m].epoch.correct);
  }
}

void expect_equal(const std::vector<ensyn::Evaluation>& got, const std::vector<ensyn::Evaluation>& want) {
  ASSERT_EQ(got.size(), want.size());
  for (std::size_t m = 0; m < want.size(); ++m) {
    SCOPED_TRACE("member " + std::to_string(m));
    EXPECT_EQ(numbers(got[m].mean), numbers(want[m].mean));
    EXPECT_EQ(numbers(got[m].sample), numbers(want[m].sample));
    EXPECT_EQ(numbers(got[m].average), numbers(want[m].average));
    EXPECT_EQ(got[m].mutual_information, want[m].mutual_information);
    EXPECT_EQ(got[m].samples, want[m].samples);
  }
}

void expect_equal(const std::vector<ensyn::Prediction>& got, const std::vector<ensyn::Prediction>& want) {
  ASSERT_EQ(got.size(), want.size());
  for (std::size_t m = 0; m < want.size(); ++m) {
    SCOPED_TRACE("member " + std::to_string(m));
    expect_equal(got[m].mean, want[m].mean, "mean");
    expect_equal(got[m].sd, want[m].sd, "sd");
    expect_equal(got[m].at_mean_weights, want[m].at_mean_weights, "at_mean_weights");
  }
}

}  // namespace engines
