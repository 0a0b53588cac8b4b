// Machines that cannot run the operations, and faults of the device: only the emulation has them on demand.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "ensyn/error.h"
#include "ensyn/ops.h"
#include "ops/user.h"
#include "simt/settings.h"

namespace {

namespace ops = ensyn::ops;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

class OpsDevice : public ::testing::Test {
 protected:
  void SetUp() override { simt::reset(); }
  void TearDown() override { simt::reset(); }

  static void noise(const user::Array<float>& output) {
    ops::noise(ops::Noise<float>{.rows = 2, .columns = 2, .output = output.data()});
  }
};

TEST_F(OpsDevice, NoDevice) {
  const user::Array<float> output(4);
  simt::settings().devices.clear();
  EXPECT_THAT([&] { noise(output); },
              ThrowsMessage<ensyn::DeviceError>(AllOf(HasSubstr("no NVIDIA GPU"), HasSubstr("nvidia-smi"))));
  simt::reset();
}

TEST_F(OpsDevice, OldDriver) {
  const user::Array<float> output(4);
  simt::settings().old_driver = true;
  EXPECT_THAT([&] { noise(output); },
              ThrowsMessage<ensyn::DeviceError>(AllOf(HasSubstr("driver"), HasSubstr("update"))));
  simt::reset();
}

TEST_F(OpsDevice, OldDevice) {
  const user::Array<float> output(4);
  simt::settings().devices.front().major = 6;
  EXPECT_THAT([&] { noise(output); },
              ThrowsMessage<ensyn::DeviceError>(AllOf(HasSubstr("sm_60"), HasSubstr("sm_75 or newer"))));
}

TEST_F(OpsDevice, MemoryOfAnotherDevice) {
  simt::settings().devices.resize(2);
  const user::Array<float> output(4);
  user::ok(cudaSetDevice(1));
  EXPECT_THAT([&] { noise(output); },
              ThrowsMessage<ensyn::ConfigError>(
                  AllOf(HasSubstr("output = 0x"), HasSubstr("memory of device 0"),
                        HasSubstr("the current device is 1"), HasSubstr("cudaSetDevice(0)"))));
  user::ok(cudaSetDevice(0));
  noise(output);
}

TEST_F(OpsDevice, FreedMemory) {
  const float* freed = nullptr;
  {
    const user::Array<float> output(4);
    freed = output.data();
  }
  EXPECT_THAT(
      [&] { ops::noise(ops::Noise<float>{.rows = 2, .columns = 2, .output = const_cast<float*>(freed)}); },
      ThrowsMessage<ensyn::ConfigError>(HasSubstr("output = 0x")));
}

TEST_F(OpsDevice, ALaunchThatFailsIsADeviceError) {
  const user::Array<float> output(4);
  simt::settings().fail_launch = 1;
  EXPECT_THAT([&] { noise(output); }, ThrowsMessage<ensyn::DeviceError>(HasSubstr("materialize")));
  noise(output);
}

TEST_F(OpsDevice, NothingIsAllocatedOrRunByACall) {
  const user::Array<float> output(4);
  const std::size_t live = simt::live_allocations();
  const std::uint64_t launched = simt::launch_count(), executed = simt::execution_count();
  noise(output);
  EXPECT_EQ(simt::live_allocations(), live);
  EXPECT_EQ(simt::launch_count(), launched + 1);
  EXPECT_EQ(simt::execution_count(), executed);
}

TEST_F(OpsDevice, ARefusedCallLeavesACaptureWhole) {
  const user::Array<float> output(4);
  const user::Stream stream;
  const user::Graph graph(stream, [&] {
    ops::Noise<float> args{.rows = 2, .columns = 2};
    EXPECT_THROW(ops::noise(args, stream.get()), ensyn::ConfigError);
    args.output = output.data();
    ops::noise(args, stream.get());
  });
  graph.launch(stream);
  const std::vector<float> values = output.read();
  EXPECT_EQ(values[0], values[0]);
}

}  // namespace
