// Devices that are missing, too old, full or broken: a typed error that says what to do, nothing left behind,
// and the process goes on. The emulated runtime plays them.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <simt/settings.h>

#include <cstdint>
#include <optional>
#include <string>

#include "cuda/engines.h"
#include "ensyn/device.h"
#include "ensyn/error.h"
#include "ensyn/population.h"

namespace {

using ensyn::Precision;
using ensyn::TrainingMethod;
using parity::Case;
using ::testing::HasSubstr;

ensyn::ExecutionConfig on_cuda(int index = 0, TrainingMethod method = TrainingMethod::graph) {
  ensyn::ExecutionConfig execution;
  execution.device = ensyn::DeviceKind::cuda;
  execution.device_index = index;
  execution.threads = 1;
  execution.training_method = method;
  return execution;
}

class DevicesTest : public ::testing::Test {
 protected:
  void SetUp() override { simt::reset(); }
  void TearDown() override {
    simt::reset();
    EXPECT_EQ(simt::live_allocations(), allocations_);
    EXPECT_EQ(simt::live_streams(), streams_);
    EXPECT_EQ(simt::live_graphs(), graphs_);
  }

  void train_a_little(const ensyn::ExecutionConfig& execution = on_cuda()) const {
    ensyn::Population population(test_.config, data_, execution);
    population.train_steps(2);
    EXPECT_EQ(population.backend(), "cuda");
  }
  /// What is thrown by making a population and training it; empty when nothing is.
  template <class Error>
  [[nodiscard]] std::string error_of(const ensyn::ExecutionConfig& execution) const {
    try {
      train_a_little(execution);
    } catch (const Error& e) {
      return e.what();
    }
    return "";
  }

  std::size_t allocations_ = simt::live_allocations(), streams_ = simt::live_streams(),
              graphs_ = simt::live_graphs();
  Case test_ = parity::case_named("population", Precision::single_precision);
  ensyn::Dataset data_ = parity::make_data(test_);
};

TEST_F(DevicesTest, AutomaticTakesTheDeviceAndSaysSo) {
  ensyn::ExecutionConfig automatic;
  automatic.threads = 1;
  const ensyn::Population population(test_.config, data_, automatic);
  EXPECT_EQ(population.backend(), "cuda");
  EXPECT_THAT(population.device(), HasSubstr("cuda 0: "));
  EXPECT_THAT(population.device(), HasSubstr("sm_90"));
  ASSERT_EQ(ensyn::cuda_devices().size(), 1U);
  EXPECT_EQ(ensyn::cuda_problem(), "");
}

TEST_F(DevicesTest, NoDevice) {
  simt::settings().devices.clear();
  EXPECT_THAT(error_of<ensyn::DeviceError>(on_cuda()), HasSubstr("--device cpu"));
  EXPECT_THAT(ensyn::cuda_problem(), HasSubstr("--device cpu"));
  EXPECT_TRUE(ensyn::cuda_devices().empty());
  ensyn::ExecutionConfig automatic;
  automatic.threads = 1;
  EXPECT_EQ(ensyn::Population(test_.config, data_, automatic).backend(), "cpu");
}

TEST_F(DevicesTest, DriverOlderThanTheRuntime) {
  simt::settings().old_driver = true;
  EXPECT_THAT(error_of<ensyn::DeviceError>(on_cuda()), HasSubstr("driver"));
  ensyn::ExecutionConfig automatic;
  automatic.threads = 1;
  EXPECT_EQ(ensyn::Population(test_.config, data_, automatic).backend(), "cpu");
}

TEST_F(DevicesTest, ArchitectureThatIsTooOld) {
  simt::settings().devices.front().major = 6;
  simt::settings().devices.front().minor = 1;
  const std::string error = error_of<ensyn::DeviceError>(on_cuda());
  EXPECT_THAT(error, HasSubstr("sm_61"));
  EXPECT_THAT(error, HasSubstr("sm_75"));
  EXPECT_THAT(ensyn::cuda_problem(), HasSubstr("sm_61"));
}

TEST_F(DevicesTest, IndexThatIsNotThere) {
  EXPECT_THAT(error_of<ensyn::DeviceError>(on_cuda(1)),
              HasSubstr("CUDA device 1 is not there: this machine has 1"));
  simt::settings().devices.resize(2);
  train_a_little(on_cuda(1));
}

TEST_F(DevicesTest, TheOldOneOfTwoDevicesIsNamed) {
  simt::settings().devices.resize(2);
  simt::settings().devices.back().major = 5;
  EXPECT_THAT(error_of<ensyn::DeviceError>(on_cuda(1)), HasSubstr("device 1"));
  EXPECT_EQ(ensyn::cuda_devices().size(), 1U);
  train_a_little(on_cuda(0));
}

TEST_F(DevicesTest, MemoryExhaustedAtEveryAllocation) {
  // The n-th allocation fails, for every n until all succeed.
  int n = 1;
  for (;; ++n) {
    simt::settings().fail_allocation = n;
    const std::string error = error_of<ensyn::OutOfMemoryError>(on_cuda());
    EXPECT_EQ(simt::live_allocations(), allocations_) << "allocation " << n;
    EXPECT_EQ(simt::live_streams(), streams_) << "allocation " << n;
    if (error.empty()) break;
    EXPECT_THAT(error, HasSubstr("asked for"));
    // The process goes on, and an engine that fits works.
    simt::settings().fail_allocation = 0;
    if (n == 3) train_a_little();
  }
  EXPECT_GT(n, 10);
}

TEST_F(DevicesTest, ADeviceThatIsTooSmallSaysHowMuchIsFree) {
  simt::settings().devices.front().memory_bytes = std::size_t{1} << 20;
  test_ = parity::case_named("paper", Precision::single_precision);
  data_ = parity::make_data(test_);
  const std::string error = error_of<ensyn::OutOfMemoryError>(on_cuda());
  EXPECT_THAT(error, HasSubstr("asked for"));
  EXPECT_THAT(error, HasSubstr("of 1 MiB are free"));
  test_ = parity::case_named("minimal", Precision::single_precision);
  data_ = parity::make_data(test_);
  train_a_little();
}

TEST_F(DevicesTest, LaunchesThatAreRefused) {
  // The first two initialise, the others are captured.
  for (const int n : {1, 2, 3, 5, 9}) {
    simt::settings().fail_launch = n;
    EXPECT_NE(error_of<ensyn::DeviceError>(on_cuda()), "") << "launch " << n;
  }
  for (const TrainingMethod method : {TrainingMethod::streamed, TrainingMethod::resident}) {
    for (const int n : {1, 4, 5, 6}) {
      simt::settings().fail_launch = n;
      EXPECT_NE(error_of<ensyn::DeviceError>(on_cuda(0, method)), "") << name(method) << ", launch " << n;
    }
  }
  simt::reset();
  train_a_little();
}

TEST_F(DevicesTest, KernelsThatFail) {
  simt::settings().fail_execution = 12;
  EXPECT_THAT(error_of<ensyn::DeviceError>(on_cuda()), HasSubstr("waiting for the device"));
  // As on a device, nothing works after that in this process, and what was allocated there is lost with it.
  EXPECT_NE(error_of<ensyn::DeviceError>(on_cuda()), "");
  simt::reset();
  allocations_ = simt::live_allocations(), streams_ = simt::live_streams(), graphs_ = simt::live_graphs();
}

TEST_F(DevicesTest, TooManyCostTerms) {
  test_.config.members.front().costs.assign(9, {1.0, 0.1});
  EXPECT_THAT(error_of<ensyn::ConfigError>(on_cuda()), HasSubstr("at most 8 cost terms, but 9"));
}

TEST_F(DevicesTest, TheDeviceItselfLooksForValuesThatAreNotFinite) {
  const auto engine = engines::on_cuda(test_, data_);
  const std::uint64_t executed = simt::execution_count();
  EXPECT_EQ(engine->first_not_finite(), std::nullopt);
  // A kernel for each layer: to read all states, as the engine once did, takes none and most of an epoch.
  const auto layers = static_cast<std::uint64_t>(test_.config.architecture.layers());
  EXPECT_EQ(simt::execution_count(), executed + layers);
}

TEST_F(DevicesTest, DivergenceIsReported) {
  test_ = parity::case_named("odd_sizes", Precision::single_precision);
  test_.config.members.front().adam.learning_rate = 1e30;
  data_ = parity::make_data(test_);
  const auto cpu = engines::on_cpu(test_, data_), cuda = engines::on_cuda(test_, data_);
  const auto diverged_at = [&](ensyn::Engine& engine) {
    try {
      engines::train(engine, test_, 0, 10);
    } catch (const ensyn::DivergenceError& e) {
      return static_cast<int>(e.step());
    }
    return -1;
  };
  const int step = diverged_at(*cpu);
  EXPECT_GE(step, 0);
  EXPECT_EQ(diverged_at(*cuda), step);
}

}  // namespace
