// The operations of a build without CUDA say so.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ensyn/error.h"
#include "ensyn/ops.h"

namespace {

namespace ops = ensyn::ops;

template <class T>
class OpsAbsent : public ::testing::Test {};
using Numbers = ::testing::Types<float, double>;
TYPED_TEST_SUITE(OpsAbsent, Numbers);

template <class Body>
void expect_absent(const Body& body) {
  EXPECT_THAT(body, ::testing::ThrowsMessage<ensyn::DeviceError>(::testing::AllOf(
                        ::testing::HasSubstr("no CUDA backend"), ::testing::HasSubstr("ENSYN_ENABLE_CUDA"))));
}

TYPED_TEST(OpsAbsent, EveryOperationSaysWhatToDo) {
  using T = TypeParam;
  expect_absent([] { ops::noise(ops::Noise<T>{}); });
  expect_absent([] { ops::sample_weights(ops::SampleWeights<T>{}); });
  expect_absent([] { ops::forward(ops::Forward<T>{}); });
  expect_absent([] { ops::backward(ops::Backward<T>{}); });
  expect_absent([] { ops::cross_entropy(ops::CrossEntropy<T>{}); });
  expect_absent([] { ops::log_softmax(ops::LogSoftmax<T>{}); });
  expect_absent([] { ops::initialize(ops::Initialize<T>{}); });
  expect_absent([] { ops::initialize_shared_phi(ops::InitializeSharedPhi<T>{}); });
  expect_absent([] { ops::update(ops::Update<T>{}); });
  expect_absent([] { ops::homogeneous_update(ops::HomogeneousUpdate<T>{}); });
  expect_absent([] { ops::gradient_statistics(ops::GradientStatistics<T>{}); });
  expect_absent(
      [] { static_cast<void>(ops::homogeneous_workspace_bytes(std::span<const ops::LayerUpdate<T>>{})); });
}

}  // namespace
