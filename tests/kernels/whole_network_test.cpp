// Kernels that train whole networks, three steps of small ones against the oracle.

#include "kernels/whole_network.h"

#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "kernels/support.h"
#include "kernels/whole/resident/resident_training.h"
#include "kernels/whole/streamed/streamed_training.h"

namespace ensyn::kernels::test {
namespace {

using whole::Case;

std::string name_of(const ::testing::TestParamInfo<Case>& test) {
  return test.param.name;
}

template <class T>
void run_streamed(const Case& c, const TiledTraining<T>& of) {
  StreamedProblem problem;
  problem.tiling = of.tiling;
  problem.batch = c.batch;
  problem.pixels = c.source == Source::bytes;
  problem.single = sizeof(T) == sizeof(float);
  problem.own_phi = c.own_phi;
  problem.shared_limit = 227 << 10;
  const StreamedPlan plan = streamed_plan(problem);
  ASSERT_EQ(plan.problem, "");
  EXPECT_EQ(plan.shape.fetch_early, c.fetch_early);
  streamed_training(StreamedTraining<T>{of, plan.shape}, stream().get());
}

/// With a cluster as small as may be, or with a large one, which little shared memory makes.
void run_resident(const Case& c, const TiledTraining<float>& of, bool large) {
  ResidentProblem problem;
  problem.tiling = of.tiling;
  problem.batch = c.batch;
  problem.pixels = c.source == Source::bytes;
  problem.own_phi = c.own_phi;
  problem.most_groups = c.own_phi ? 1 : of.tiling.rows;
  problem.shared_limit = 227 << 10;
  ResidentPlan plan = resident_plan(problem);
  ASSERT_EQ(plan.problem, "");
  const int smallest = plan.shape.cluster;
  while (large && problem.shared_limit > 1024) {
    problem.shared_limit -= 1024;
    const ResidentPlan other = resident_plan(problem);
    if (other.problem.empty()) plan = other;
  }
  EXPECT_TRUE(!large || plan.shape.cluster > smallest);
  // Fewer clusters than networks, which take turns.
  const DeviceArray<unsigned> queue(std::vector<unsigned>{0});
  resident_training(ResidentTraining{of, plan.shape, 3, queue.data()}, stream().get());
  stream().wait();
}

/// Cases of at most so many examples.
std::vector<Case> cases_up_to(int batch) {
  std::vector<Case> taken;
  for (const Case& c : whole::cases()) {
    if (c.batch <= batch) taken.push_back(c);
  }
  return taken;
}

class WholeNetworkTest : public ::testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    cuda::check(cudaDeviceGetAttribute(&major_, cudaDevAttrComputeCapabilityMajor, 0),
                "cudaDeviceGetAttribute");
    int minor = 0;
    cuda::check(cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, 0),
                "cudaDeviceGetAttribute");
    if (!trains_whole_networks(major_, minor)) GTEST_SKIP() << "a device that the kernels are not made for";
  }

  template <class T>
  static void expect_the_oracles(const std::function<void(const TiledTraining<T>&)>& train) {
    whole::WholeNetworks<T> networks(GetParam());
    networks.run(train);
    networks.expect_the_oracles();
  }

  int major_ = 0;
};
class WholeNetworkSingleTest : public WholeNetworkTest {};
class WholeNetworkDoubleTest : public WholeNetworkTest {};
class WholeNetworkResidentTest : public WholeNetworkTest {
 protected:
  void SetUp() override {
    WholeNetworkTest::SetUp();
    if (major_ < 9) GTEST_SKIP() << "a device without clusters";
  }
};

TEST_P(WholeNetworkSingleTest, StreamedAgreesWithTheOracle) {
  expect_the_oracles<float>([](const auto& of) { run_streamed(GetParam(), of); });
}

TEST_P(WholeNetworkDoubleTest, StreamedAgreesWithTheOracle) {
  expect_the_oracles<double>([](const auto& of) { run_streamed(GetParam(), of); });
}

TEST_P(WholeNetworkResidentTest, InASmallClusterAgreesWithTheOracle) {
  expect_the_oracles<float>([](const auto& of) { run_resident(GetParam(), of, false); });
}

TEST_P(WholeNetworkResidentTest, InALargeClusterAgreesWithTheOracle) {
  expect_the_oracles<float>([](const auto& of) { run_resident(GetParam(), of, true); });
}

INSTANTIATE_TEST_SUITE_P(All, WholeNetworkSingleTest, ::testing::ValuesIn(cases_up_to(38)), name_of);
INSTANTIATE_TEST_SUITE_P(All, WholeNetworkDoubleTest, ::testing::ValuesIn(cases_up_to(22)), name_of);
INSTANTIATE_TEST_SUITE_P(All, WholeNetworkResidentTest, ::testing::ValuesIn(cases_up_to(22)), name_of);

}  // namespace
}  // namespace ensyn::kernels::test
