// The emulated runtime: lazy streams, events, graphs, injected faults, the matrix product.

#include <cmath>
#include <cstring>

#include "buffer.h"
#include "ensyn/error.h"
#include "kernels.h"
#include "simt/host.h"

namespace simt_test {
namespace {

/// A non-blocking stream, and pinned memory of four floats.
class Runtime : public Emulation {
 protected:
  void SetUp() override {
    Emulation::SetUp();
    ASSERT_EQ(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), cudaSuccess);
    void* memory = nullptr;
    ASSERT_EQ(cudaMallocHost(&memory, 4 * sizeof(float)), cudaSuccess);
    pinned_ = static_cast<float*>(memory);
    std::memset(memory, 0, 4 * sizeof(float));
  }
  void TearDown() override {
    cudaStreamDestroy(stream_);
    cudaFreeHost(pinned_);
    Emulation::TearDown();
  }
  cudaError_t read(const Buffer<float>& from) {
    return cudaMemcpyAsync(pinned_, from.data(), 4 * sizeof(float), cudaMemcpyDeviceToHost, stream_);
  }

  cudaStream_t stream_ = nullptr;
  float* pinned_ = nullptr;
};

TEST_F(Runtime, HostReadsBeforeSynchronisingSeeOldValues) {
  const Buffer<float> out(4);
  set(out.data(), 4, 7.0f, stream_);
  ASSERT_EQ(read(out), cudaSuccess);
  EXPECT_EQ(pinned_[0], 0.0f);
  EXPECT_EQ(simt::queued_operations(), 2u);
  ASSERT_EQ(cudaStreamSynchronize(stream_), cudaSuccess);
  EXPECT_EQ(pinned_[3], 7.0f);
}

TEST_F(Runtime, BlockingCopiesDoNotWaitForNonBlockingStreams) {
  const Buffer<float> out(std::vector<float>{1, 1, 1, 1});
  set(out.data(), 4, 7.0f, stream_);
  EXPECT_EQ(out.read()[0], 1.0f);
  cudaStream_t blocking = nullptr;
  ASSERT_EQ(cudaStreamCreate(&blocking), cudaSuccess);
  set(out.data(), 4, 8.0f, blocking);
  EXPECT_EQ(out.read()[0], 8.0f);
  cudaStreamDestroy(blocking);
}

TEST_F(Runtime, PinnedSourcesAreReadLateAndPageableOnesAtOnce) {
  const Buffer<float> out(4);
  float pageable = 3.0f;
  pinned_[0] = 3.0f;
  ASSERT_EQ(cudaMemcpyAsync(out.data(), pinned_, 4, cudaMemcpyHostToDevice, stream_), cudaSuccess);
  ASSERT_EQ(cudaMemcpyAsync(out.data() + 1, &pageable, 4, cudaMemcpyHostToDevice, stream_), cudaSuccess);
  pinned_[0] = pageable = 4.0f;
  ASSERT_EQ(cudaStreamSynchronize(stream_), cudaSuccess);
  EXPECT_EQ(out.read()[0], 4.0f);
  EXPECT_EQ(out.read()[1], 3.0f);
}

TEST_F(Runtime, CopiesOfTheWrongKindAreRefused) {
  const Buffer<float> out(4);
  float value = 0;
  EXPECT_EQ(cudaMemcpy(&value, out.data(), 4, cudaMemcpyHostToDevice), cudaErrorInvalidValue);
  EXPECT_EQ(cudaGetLastError(), cudaErrorInvalidValue);
  EXPECT_EQ(cudaGetLastError(), cudaSuccess);
  EXPECT_THROW(cudaMemcpy(out.data() + 1, pinned_, 16, cudaMemcpyHostToDevice), simt::Error);
}

TEST_F(Runtime, EventsOrderStreamsAndPollingEnds) {
  const Buffer<float> out(4);
  cudaStream_t other = nullptr;
  cudaEvent_t event = nullptr;
  ASSERT_EQ(cudaStreamCreateWithFlags(&other, cudaStreamNonBlocking), cudaSuccess);
  ASSERT_EQ(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), cudaSuccess);
  set(out.data(), 4, 1.0f, other);
  ASSERT_EQ(cudaEventRecord(event, other), cudaSuccess);
  ASSERT_EQ(cudaStreamWaitEvent(stream_, event, 0), cudaSuccess);
  add_to(out.data(), 4, 1.0f, stream_);
  ASSERT_EQ(read(out), cudaSuccess);
  EXPECT_EQ(cudaEventQuery(event), cudaErrorNotReady);
  EXPECT_EQ(cudaPeekAtLastError(), cudaSuccess);
  int polls = 0;
  while (cudaStreamQuery(stream_) == cudaErrorNotReady) ++polls;
  EXPECT_GE(polls, 2);
  EXPECT_EQ(cudaEventQuery(event), cudaSuccess);
  EXPECT_EQ(pinned_[0], 2.0f);
  cudaEventDestroy(event);
  cudaStreamDestroy(other);
}

TEST_F(Runtime, GraphsRepeatWhatWasCaptured) {
  const Buffer<float> out(std::vector<float>{0, 0, 0, 0});
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t executable = nullptr;
  float value = 1.5f;
  ASSERT_EQ(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeThreadLocal), cudaSuccess);
  add_to(out.data(), 4, value, stream_);
  value = 100.0f;
  ASSERT_EQ(read(out), cudaSuccess);
  cudaStreamCaptureStatus status{};
  ASSERT_EQ(cudaStreamIsCapturing(stream_, &status), cudaSuccess);
  EXPECT_EQ(status, cudaStreamCaptureStatusActive);
  ASSERT_EQ(cudaStreamEndCapture(stream_, &graph), cudaSuccess);
  std::size_t nodes = 0;
  ASSERT_EQ(cudaGraphGetNodes(graph, nullptr, &nodes), cudaSuccess);
  EXPECT_EQ(nodes, 2u);
  ASSERT_EQ(cudaGraphInstantiate(&executable, graph, 0), cudaSuccess);
  cudaGraphDestroy(graph);
  EXPECT_EQ(out.read()[0], 0.0f);
  for (int i = 0; i < 3; ++i) ASSERT_EQ(cudaGraphLaunch(executable, stream_), cudaSuccess);
  cudaGraphExecDestroy(executable);
  EXPECT_EQ(pinned_[0], 0.0f);
  ASSERT_EQ(cudaStreamSynchronize(stream_), cudaSuccess);
  EXPECT_EQ(pinned_[0], 4.5f);
}

TEST_F(Runtime, CapturesForkAndJoinThroughEvents) {
  const Buffer<float> a(4), b(4);
  cudaStream_t other = nullptr;
  cudaEvent_t fork = nullptr, join = nullptr;
  ASSERT_EQ(cudaStreamCreateWithFlags(&other, cudaStreamNonBlocking), cudaSuccess);
  ASSERT_EQ(cudaEventCreate(&fork), cudaSuccess);
  ASSERT_EQ(cudaEventCreate(&join), cudaSuccess);
  for (const bool joined : {false, true}) {
    cudaGraph_t graph = nullptr;
    ASSERT_EQ(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeGlobal), cudaSuccess);
    set(a.data(), 4, 1.0f, stream_);
    ASSERT_EQ(cudaEventRecord(fork, stream_), cudaSuccess);
    ASSERT_EQ(cudaStreamWaitEvent(other, fork, 0), cudaSuccess);
    set(b.data(), 4, 2.0f, other);
    ASSERT_EQ(cudaEventRecord(join, other), cudaSuccess);
    if (joined) {
      ASSERT_EQ(cudaStreamWaitEvent(stream_, join, 0), cudaSuccess);
    }
    EXPECT_EQ(cudaStreamEndCapture(stream_, &graph), joined ? cudaSuccess : cudaErrorStreamCaptureUnjoined);
    EXPECT_EQ(graph != nullptr, joined);
    cudaGraphDestroy(graph);
  }
  cudaEventDestroy(fork);
  cudaEventDestroy(join);
  cudaStreamDestroy(other);
}

TEST_F(Runtime, CallsThatACaptureForbidsSpoilIt) {
  void* memory = nullptr;
  cudaGraph_t graph = nullptr;
  ASSERT_EQ(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeGlobal), cudaSuccess);
  EXPECT_EQ(cudaMalloc(&memory, 16), cudaErrorStreamCaptureUnsupported);
  EXPECT_EQ(cudaStreamEndCapture(stream_, &graph), cudaErrorStreamCaptureInvalidated);
  ASSERT_EQ(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeThreadLocal), cudaSuccess);
  EXPECT_EQ(cudaStreamSynchronize(stream_), cudaErrorStreamCaptureUnsupported);
  EXPECT_EQ(cudaStreamEndCapture(stream_, &graph), cudaErrorStreamCaptureInvalidated);
  EXPECT_EQ(graph, nullptr);
  ASSERT_EQ(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeRelaxed), cudaSuccess);
  EXPECT_EQ(cudaMalloc(&memory, 16), cudaSuccess);
  EXPECT_EQ(cudaStreamEndCapture(stream_, &graph), cudaSuccess);
  cudaGraphDestroy(graph);
  cudaFree(memory);
}

TEST_F(Runtime, DevicesAreWhatTheSettingsSay) {
  simt::settings().devices = {{7, 5, 40, 1000}, {9, 0, 132, 2000}};
  int count = -1;
  ASSERT_EQ(cudaGetDeviceCount(&count), cudaSuccess);
  EXPECT_EQ(count, 2);
  cudaDeviceProp properties{};
  ASSERT_EQ(cudaGetDeviceProperties(&properties, 0), cudaSuccess);
  EXPECT_EQ(properties.major * 10 + properties.minor, 75);
  EXPECT_EQ(properties.multiProcessorCount, 40);
  EXPECT_EQ(cudaSetDevice(2), cudaErrorInvalidDevice);
  void* memory = nullptr;
  EXPECT_EQ(cudaMalloc(&memory, 1001), cudaErrorMemoryAllocation);
  ASSERT_EQ(cudaSetDevice(1), cudaSuccess);
  ASSERT_EQ(cudaMalloc(&memory, 1500), cudaSuccess);
  std::size_t free = 0, total = 0;
  ASSERT_EQ(cudaMemGetInfo(&free, &total), cudaSuccess);
  EXPECT_EQ(free, 500u);
  EXPECT_EQ(total, 2000u);
  cudaFree(memory);
}

TEST_F(Runtime, NoDeviceAndAnOldDriver) {
  int count = 17;
  simt::settings().devices.clear();
  EXPECT_EQ(cudaGetDeviceCount(&count), cudaErrorNoDevice);
  simt::settings().old_driver = true;
  EXPECT_EQ(cudaGetDeviceCount(&count), cudaErrorInsufficientDriver);
  EXPECT_EQ(count, 17);
  simt::reset();
}

TEST_F(Runtime, InjectedFaults) {
  void* memory = nullptr;
  simt::settings().fail_allocation = 2;
  ASSERT_EQ(cudaMalloc(&memory, 16), cudaSuccess);
  void* second = nullptr;
  EXPECT_EQ(cudaMalloc(&second, 16), cudaErrorMemoryAllocation);
  EXPECT_EQ(cudaGetLastError(), cudaErrorMemoryAllocation);
  auto* out = static_cast<float*>(memory);
  simt::settings().fail_launch = 1;
  EXPECT_THROW(set(out, 4, 1.0f, stream_), ensyn::DeviceError);
  EXPECT_NO_THROW(set(out, 4, 1.0f, stream_));
  EXPECT_EQ(simt::launch_count(), 2u);
  simt::settings().fail_execution = 1;
  EXPECT_EQ(cudaStreamSynchronize(stream_), cudaErrorIllegalAddress);
  EXPECT_EQ(cudaDeviceSynchronize(), cudaErrorIllegalAddress);
  simt::reset();
  cudaFree(memory);
}

TEST_F(Runtime, MatrixProduct) {
  // a: 2 x 3, b: 3 x 2, column-major; second batch: a's transpose is given.
  const Buffer<double> a(std::vector<double>{1, 4, 2, 5, 3, 6}), b(std::vector<double>{7, 9, 11, 8, 10, 12});
  const Buffer<double> c(std::vector<double>(4, 1.0));
  ASSERT_EQ(simt::gemm_strided_batched(stream_, false, false, 2, 2, 3, 1.0, a.data(), 2, 0, b.data(), 3, 0,
                                       2.0, c.data(), 2, 0, 1),
            cudaSuccess);
  EXPECT_EQ(c.read(), std::vector<double>(4, 1.0));
  ASSERT_EQ(cudaStreamSynchronize(stream_), cudaSuccess);
  EXPECT_EQ(c.read(), (std::vector<double>{60, 141, 66, 156}));
  const Buffer<float> nan(4), ones(std::vector<float>{1, 1, 1, 1});
  ASSERT_EQ(simt::gemm_strided_batched(stream_, true, true, 1, 1, 2, 0.5f, ones.data(), 2, 2, ones.data(), 1,
                                       2, 0.0f, nan.data(), 1, 2, 2),
            cudaSuccess);
  ASSERT_EQ(cudaStreamSynchronize(stream_), cudaSuccess);
  EXPECT_EQ(nan.read()[0], 1.0f);
  EXPECT_TRUE(std::isnan(nan.read()[1]));
  EXPECT_EQ(nan.read()[2], 1.0f);
}

}  // namespace
}  // namespace simt_test
