#include "host/cuda/runtime.h"

#include "ensyn/error.h"

namespace ensyn::cuda {
namespace {

std::string version(int number) {
  return std::to_string(number / 1000) + "." + std::to_string(number % 1000 / 10);
}

std::string architecture(const DeviceInfo& device) {
  return "sm_" + std::to_string(device.major) + std::to_string(device.minor);
}

std::string unsupported(const DeviceInfo& device) {
  return "CUDA device " + std::to_string(device.index) + " (" + device.name + ") is of architecture " +
         architecture(device) + ", but ensyn needs sm_75 or newer: use another device or --device cpu";
}

DeviceInfo query(int index) {
  cudaDeviceProp properties{};
  check(cudaGetDeviceProperties(&properties, index), "cudaGetDeviceProperties");
  return {index,
          properties.name,
          properties.major,
          properties.minor,
          properties.multiProcessorCount,
          properties.totalGlobalMem,
          properties.sharedMemPerBlockOptin};
}

/// Number of devices; 0 with a reason when the runtime cannot say.
int count_devices(std::string& problem) {
  int count = 0;  // the runtime leaves it alone when it fails
  const cudaError_t status = cudaGetDeviceCount(&count);
  if (status == cudaSuccess && count > 0) return count;
  ignore(status);
  if (status == cudaErrorInsufficientDriver) {
    int driver = 0, runtime = 0;
    ignore(cudaDriverGetVersion(&driver));
    ignore(cudaRuntimeGetVersion(&runtime));
    problem = driver == 0 ? "no NVIDIA driver is loaded: install one, or use --device cpu"
                          : "the NVIDIA driver serves CUDA " + version(driver) + ", but this build needs " +
                                version(runtime) + ": update the driver, or use --device cpu";
  } else if (status == cudaSuccess || status == cudaErrorNoDevice) {
    problem =
        "no NVIDIA GPU is visible here: look at nvidia-smi and CUDA_VISIBLE_DEVICES, or use --device cpu";
  } else {
    problem = std::string("the CUDA runtime does not start (") + cudaGetErrorString(status) +
              "): look at nvidia-smi, or use --device cpu";
  }
  return 0;
}

}  // namespace

DeviceList list_devices() {
  DeviceList list;
  const int count = count_devices(list.problem);
  for (int i = 0; i < count; ++i) {
    try {
      const DeviceInfo device = query(i);
      if (is_supported(device.major, device.minor)) {
        list.usable.push_back(device);
      } else {
        list.problem = unsupported(device);
      }
    } catch (const Error& e) {
      list.problem = "CUDA device " + std::to_string(i) + ": " + e.what();
    }
  }
  return list;
}

DeviceInfo find_device(int index) {
  std::string problem;
  const int count = count_devices(problem);
  if (count == 0) throw DeviceError("device 'cuda' is not there: " + problem);
  if (index < 0 || index >= count) {
    throw DeviceError("CUDA device " + std::to_string(index) + " is not there: this machine has " +
                      std::to_string(count) + ", numbered from 0");
  }
  DeviceInfo device = query(index);
  if (!is_supported(device.major, device.minor)) throw DeviceError(unsupported(device));
  return device;
}

std::string describe(const DeviceInfo& device) {
  return "cuda " + std::to_string(device.index) + ": " + device.name + ", " + architecture(device) + ", " +
         std::to_string(device.multiprocessors) + " multiprocessors, " + std::to_string(device.memory >> 20) +
         " MiB";
}

Stream::Stream() {
  cudaStream_t stream = nullptr;
  check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "cudaStreamCreate");
  stream_.reset(stream);
}

void Stream::wait() const {
  check(cudaStreamSynchronize(stream_.get()), "waiting for the device");
}

Event::Event() {
  cudaEvent_t event = nullptr;
  check(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), "cudaEventCreate");
  event_.reset(event);
}

void Event::record(const Stream& stream) const {
  check(cudaEventRecord(event_.get(), stream.get()), "cudaEventRecord");
}

void Event::wait() const {
  check(cudaEventSynchronize(event_.get()), "waiting for the device");
}

Graph::Graph(const Stream& stream, const std::function<void()>& body) {
  check(cudaStreamBeginCapture(stream.get(), cudaStreamCaptureModeThreadLocal), "cudaStreamBeginCapture");
  cudaGraph_t captured = nullptr;
  try {
    body();
  } catch (...) {
    ignore(cudaStreamEndCapture(stream.get(), &captured));
    if (captured != nullptr) ignore(cudaGraphDestroy(captured));
    throw;
  }
  check(cudaStreamEndCapture(stream.get(), &captured), "cudaStreamEndCapture");
  const std::unique_ptr<std::remove_pointer_t<cudaGraph_t>, release::GraphDeleter> graph(captured);
  cudaGraphExec_t executable = nullptr;
  check(cudaGraphInstantiate(&executable, graph.get(), 0), "cudaGraphInstantiate");
  graph_.reset(executable);
}

void Graph::launch(const Stream& stream) const {
  check(cudaGraphLaunch(graph_.get(), stream.get()), "cudaGraphLaunch");
}

CurrentDevice::CurrentDevice(int index) {
  check(cudaGetDevice(&former_), "cudaGetDevice");
  check(cudaSetDevice(index), "cudaSetDevice");
}

CurrentDevice::~CurrentDevice() {
  ignore(cudaSetDevice(former_));
}

}  // namespace ensyn::cuda
