// Main of test programs that need a device. Without one they exit with 77, which ctest shows as skipped; a
// run that means to test a device sets ENSYN_REQUIRE_GPU=1, and then nothing may be skipped.

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "host/cuda/runtime.h"

namespace {

constexpr int kSkipped = 77;

bool requires_gpu() {
  const char* const value = std::getenv("ENSYN_REQUIRE_GPU");
  return value != nullptr && std::strcmp(value, "1") == 0;
}

/// Counts tests that were skipped.
class SkipListener : public ::testing::EmptyTestEventListener {
 public:
  explicit SkipListener(int& skipped) : skipped_(skipped) {}
  void OnTestEnd(const ::testing::TestInfo& test) override { skipped_ += test.result()->Skipped() ? 1 : 0; }

 private:
  int& skipped_;
};

}  // namespace

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  const ensyn::cuda::DeviceList devices = ensyn::cuda::list_devices();
  if (devices.usable.empty()) {
    std::printf("%s: no CUDA device to test on: %s\n", requires_gpu() ? "FAILED" : "skipped",
                devices.problem.c_str());
    return requires_gpu() ? 1 : kSkipped;
  }
  std::printf("%s\n", ensyn::cuda::describe(devices.usable.front()).c_str());
  int skipped = 0;
  ::testing::UnitTest::GetInstance()->listeners().Append(new SkipListener(skipped));  // which owns it
  const int status = RUN_ALL_TESTS();
  if (requires_gpu() && skipped > 0) {
    std::printf("FAILED: %d tests were skipped, which ENSYN_REQUIRE_GPU=1 forbids\n", skipped);
    return 1;
  }
  return status;
}
