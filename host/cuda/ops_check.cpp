#include "host/cuda/ops_check.h"

#include <cmath>
#include <sstream>

#include "ensyn/error.h"
#include "ensyn/ops.h"
#include "host/base/message.h"
#include "host/cuda/runtime.h"
#include "kernels/base/network.h"

namespace ensyn::cuda {
namespace {

/// CUDA's limits of a grid.
constexpr unsigned kMostBlocksX = 2147483647, kMostBlocksY = 65535;

/// Parameters of one operation, far beyond any memory: keeps the number of blocks within an int.
constexpr std::int64_t kMostElements = std::int64_t{1} << 38;

constexpr std::uint64_t kMostStreams = 1u << 24, kMostTensors = 1u << 12, kMostPurposes = 1u << 8;
constexpr std::uint64_t kMostSteps = std::uint64_t{1} << 40;

int attribute(cudaDeviceAttr which, int device) {
  int value = 0;
  check(cudaDeviceGetAttribute(&value, which, device), "cudaDeviceGetAttribute");
  return value;
}

std::string text(const void* address) {
  std::ostringstream out;
  out << address;
  return out.str();
}

std::uintptr_t address_of(const void* data) {
  return reinterpret_cast<std::uintptr_t>(data);  // NOLINT: compared, never turned back
}

std::string name_in_layer(const char* name, int layer) {
  return layer < 0 ? name : "layers[" + std::to_string(layer) + "]." + name;
}

std::string name_of(const Operand& operand) {
  return name_in_layer(operand.name, operand.layer);
}

/// What would have been right.
std::string advice_for(const Operand& operand) {
  return ": give device memory of " + std::to_string(operand.rows) + " x " + std::to_string(operand.columns) +
         " elements of " + std::to_string(operand.element) + " bytes";
}

/// Bytes from the first element to behind the last.
struct Range {
  std::uintptr_t begin, end;
  std::uint64_t width, stride;  // of a row, in bytes
};

Range range_of(const Operand& operand) {
  const auto bytes = [&](std::int64_t elements) {
    return static_cast<std::uint64_t>(elements) * operand.element;
  };
  const std::uintptr_t begin = address_of(operand.data);
  return {begin, begin + bytes((operand.rows - 1) * operand.stride + operand.columns), bytes(operand.columns),
          bytes(operand.stride)};
}

bool overlap(const Range& a, const Range& b) {
  if (a.begin > b.begin) return overlap(b, a);
  if (b.begin >= a.end) return false;
  // Rows of two matrices may lie side by side, as columns of one larger matrix.
  if (a.stride != b.stride) return true;
  const std::uint64_t offset = (b.begin - a.begin) % a.stride;
  return offset < a.width || offset + b.width > a.stride;
}

}  // namespace

OperationCheck::OperationCheck(const char* operation) : ArgumentCheck(operation) {
  const cudaError_t status = cudaGetDevice(&device_);
  if (status == cudaErrorNoDevice || status == cudaErrorInsufficientDriver) {
    ignore(status);
    static_cast<void>(find_device(0));  // throws, with the reason
  }
  check(status, "cudaGetDevice");
  const int major = attribute(cudaDevAttrComputeCapabilityMajor, device_);
  const int minor = attribute(cudaDevAttrComputeCapabilityMinor, device_);
  if (!is_supported(major, minor)) {
    static_cast<void>(find_device(device_));  // throws, with the reason
  }
  multiprocessors_ = attribute(cudaDevAttrMultiProcessorCount, device_);
}

void ArgumentCheck::fail(const std::string& message) const {
  throw ConfigError(std::string("ops::") + operation_ + ": " + message);
}

std::string ArgumentCheck::named(const char* name) const {
  return name_in_layer(name, layer_);
}

void ArgumentCheck::size(const char* name, int value, int least, int most) const {
  if (value >= least && value <= most) return;
  fail(named(name) + " = " + std::to_string(value) + ": it must be from " + std::to_string(least) + " to " +
       std::to_string(most));
}

void ArgumentCheck::layer_size(int inputs, int outputs) {
  size("inputs", inputs, 1, ops::kMaxSize);
  size("outputs", outputs, 1, ops::kMaxSize);
  elements_ += (static_cast<std::int64_t>(inputs) + 1) * outputs;
  if (elements_ > kMostElements) {
    fail(named("inputs") + " = " + std::to_string(inputs) + " and " + named("outputs") + " = " +
         std::to_string(outputs) + " make more than 2^38 parameters: use smaller layers, or fewer of them");
  }
}

int ArgumentCheck::stride(const char* name, int value, int columns) const {
  if (value == 0) return columns;
  if (value < columns) {
    fail(named(name) + " = " + std::to_string(value) + " is shorter than a row: give at least " +
         std::to_string(columns) + ", or 0 for tight rows");
  }
  size(name, value, columns, ops::kMaxSize + 1);
  return value;
}

void ArgumentCheck::key(const NoiseKey& key, std::int64_t steps, std::int64_t tensors) const {
  const auto part = [&](const char* name, std::uint64_t value, std::uint64_t end) {
    if (value < end) return;
    fail("noise " + std::string(name) + " " + std::to_string(value) + " is beyond " +
         std::to_string(end - 1) + ": use a smaller one");
  };
  part("stream", key.stream, kMostStreams);
  part("step", key.step, kMostSteps);
  part("step", key.step + static_cast<std::uint64_t>(steps - 1), kMostSteps);
  part("tensor", static_cast<std::uint64_t>(key.tensor) + static_cast<std::uint64_t>(tensors - 1),
       kMostTensors);
  part("purpose", static_cast<std::uint64_t>(key.purpose), kMostPurposes);
}

void ArgumentCheck::step(const char* name, std::uint64_t value) const {
  if (value >= kMostSteps) {
    fail(std::string(name) + " = " + std::to_string(value) + ": it must be below 2^40");
  }
}

void ArgumentCheck::fraction(double value) const {
  if (!(value > 0 && value <= 1)) {
    fail("fraction = " + shown(value) +
         ": it is B/N, the size of the minibatch over that of the training set" +
         ", and must be greater than 0 and at most 1");
  }
}

void ArgumentCheck::noise(const std::string& name, NoiseKind kind) const {
  if (kind == NoiseKind::heterogeneous || kind == NoiseKind::homogeneous) return;
  fail(name + " is " + std::string(ensyn::name(kind)) +
       ": give heterogeneous or homogeneous; a layer with a phi of its own is a homogeneous network of one "
       "layer");
}

void ArgumentCheck::settings(const NetworkConfig& config, const char* prefix) const {
  if (config.law != NoiseLaw::gaussian) {
    fail(std::string(prefix) + "law is " + std::string(name(config.law)) +
         ": the operations know the gaussian law only");
  }
  try {
    config.validate();
  } catch (const ConfigError& e) {
    fail(std::string(prefix) + e.what());
  }
  noise(std::string(prefix) + "noise", config.noise);
  if (config.objective == Objective::energy && config.costs.size() > kernels::kMaxCostTerms) {
    fail(std::string(prefix) + "costs has " + std::to_string(config.costs.size()) + " terms: give at most " +
         std::to_string(kernels::kMaxCostTerms));
  }
}

void OperationCheck::add(const Operand& operand) {
  check_memory(operand);
  operands_.push_back(operand);
}

void OperationCheck::check_memory(const Operand& operand) const {
  if (operand.data == nullptr) fail(name_of(operand) + " is null" + advice_for(operand));
  const auto described = [&] { return name_of(operand) + " = " + text(operand.data); };
  if (address_of(operand.data) % operand.element != 0) {
    fail(described() + " is not aligned to its elements: give an address that is a multiple of " +
         std::to_string(operand.element));
  }
  cudaPointerAttributes attributes{};
  const cudaError_t status = cudaPointerGetAttributes(&attributes, operand.data);
  if (status != cudaErrorInvalidValue) check(status, "cudaPointerGetAttributes");
  ignore(status);
  if (status != cudaSuccess || attributes.type == cudaMemoryTypeUnregistered) {
    fail(described() + " is not device memory (host memory, or freed)" + advice_for(operand));
  }
  if (attributes.type == cudaMemoryTypeHost) {
    fail(described() + " is pinned host memory" + advice_for(operand));
  }
  if (attributes.type == cudaMemoryTypeDevice && attributes.device != device_) {
    const std::string owner = std::to_string(attributes.device);
    fail(described() + " is memory of device " + owner + ", but the current device is " +
         std::to_string(device_) + ": call cudaSetDevice(" + owner + ") first, or copy it over");
  }
}

void OperationCheck::overlaps() const {
  for (std::size_t i = 0; i < operands_.size(); ++i) {
    const Range range = range_of(operands_[i]);
    for (std::size_t j = 0; j < i; ++j) {
      if (!operands_[i].written && !operands_[j].written) continue;
      if (!overlap(range, range_of(operands_[j]))) continue;
      const bool first = operands_[j].written;
      fail(name_of(operands_[first ? j : i]) + " is written, but overlaps " +
           name_of(operands_[first ? i : j]) + ": give each memory of its own");
    }
  }
}

void ArgumentCheck::grid(const kernels::LaunchShape& shape, const char* advice) const {
  if (shape.grid.x <= kMostBlocksX && shape.grid.y <= kMostBlocksY && shape.grid.z <= kMostBlocksY) return;
  fail("that takes a " + to_string(shape) + ", but CUDA launches at most " + std::to_string(kMostBlocksY) +
       " blocks in y: " + advice);
}

}  // namespace ensyn::cuda
