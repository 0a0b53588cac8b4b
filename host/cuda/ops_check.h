/// \file
/// Checks of what callers hand to the operations of ensyn/ops.h. Every message begins with the operation's
/// name and ends with what to do.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "ensyn/config.h"
#include "ensyn/noise.h"
#include "kernels/base/launch_shape.h"

namespace ensyn::cuda {

/// A matrix or vector of the caller's, in elements.
struct Operand {
  const char* name = nullptr;
  const void* data = nullptr;
  std::int64_t rows = 0, columns = 0, stride = 0;
  std::size_t element = 0;  ///< bytes
  bool written = false;
  int layer = -1;  ///< index in `layers`, where there are several
};

/// Of plain numbers; needs no device.
class ArgumentCheck {
 public:
  /// \param operation for example "update"
  explicit ArgumentCheck(const char* operation) : operation_(operation) {}

  /// Messages of what follows speak of layers[index]; -1 ends that.
  void set_layer(int index) noexcept { layer_ = index; }

  // All of the following: \throws ConfigError.
  void size(const char* name, int value, int least, int most) const;
  /// Inputs and outputs of one layer, counted towards the most that one operation takes.
  void layer_size(int inputs, int outputs);
  /// The stride itself, or `columns` for 0.
  [[nodiscard]] int stride(const char* name, int value, int columns) const;
  /// \param steps, tensors how many of them, from the key's on, are drawn by.
  void key(const NoiseKey& key, std::int64_t steps, std::int64_t tensors) const;
  void step(const char* name, std::uint64_t value) const;
  void fraction(double value) const;
  /// That operations offer this kind; `name` is how messages call it.
  void noise(const std::string& name, NoiseKind kind) const;
  /// Validity of a configuration, and that kernels can take it. \param prefix how messages call its members
  void settings(const NetworkConfig& config, const char* prefix) const;
  /// What CUDA can launch. \param advice what to do otherwise
  void grid(const kernels::LaunchShape& shape, const char* advice) const;

  [[noreturn]] void fail(const std::string& message) const;

 protected:
  [[nodiscard]] int layer() const noexcept { return layer_; }

 private:
  [[nodiscard]] std::string named(const char* name) const;

  const char* operation_;
  int layer_ = -1;
  std::int64_t elements_ = 0;
};

/// And of memory, on the current device.
class OperationCheck : public ArgumentCheck {
 public:
  /// \throws DeviceError when the current device cannot be used
  explicit OperationCheck(const char* operation);

  /// Of the current device.
  [[nodiscard]] int multiprocessors() const noexcept { return multiprocessors_; }

  /// Memory of the current device, to be read or to be written. \throws ConfigError
  template <class T>
  void reads(const char* name, const T* data, std::int64_t rows, std::int64_t columns, std::int64_t stride) {
    add({name, data, rows, columns, stride, sizeof(T), false, layer()});
  }
  template <class T>
  void writes(const char* name, const T* data, std::int64_t rows, std::int64_t columns, std::int64_t stride) {
    add({name, data, rows, columns, stride, sizeof(T), true, layer()});
  }
  /// That no operand that is written overlaps another; call it when all are known. \throws ConfigError
  void overlaps() const;

 private:
  void add(const Operand& operand);
  void check_memory(const Operand& operand) const;

  int device_ = 0, multiprocessors_ = 0;
  std::vector<Operand> operands_;
};

}  // namespace ensyn::cuda
