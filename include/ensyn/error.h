/// \file
/// Every failure that ensyn reports is one of these exceptions. The text of each names the file, option or
/// value that is at fault and says what to do.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>

#include "ensyn/export.h"

namespace ensyn {

/// Base of all ensyn exceptions.
class ENSYN_API Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
  ~Error() override;
};

/// A configuration value that is missing, out of range or contradicts another.
class ENSYN_API ConfigError : public Error {
 public:
  using Error::Error;
  ~ConfigError() override;
};

/// Data that is missing, damaged or does not fit what is asked of it (IDX files, arrays, checkpoints).
class ENSYN_API DataError : public Error {
 public:
  using Error::Error;
  ~DataError() override;
};

/// A file or folder that could not be read, written or renamed; carries the operating system's reason.
class ENSYN_API IoError : public Error {
 public:
  using Error::Error;
  ~IoError() override;
};

/// The requested compute device or instruction set is not there, or the device failed.
class ENSYN_API DeviceError : public Error {
 public:
  using Error::Error;
  ~DeviceError() override;
};

/// Host or device memory ran out; the text says how much was asked for.
class ENSYN_API OutOfMemoryError : public Error {
 public:
  using Error::Error;
  ~OutOfMemoryError() override;
};

/// The loss of one network, a parameter or a moment of Adam stopped being a finite number.
class ENSYN_API DivergenceError : public Error {
 public:
  /// \param member index of the network in its population.
  /// \param step zero-based number of the training step whose loss is not finite; for a parameter or moment,
  /// which is not looked at in every step, the steps that were done when it was found.
  DivergenceError(const std::string& message, int member, std::uint64_t step);
  ~DivergenceError() override;

  [[nodiscard]] int member() const noexcept { return member_; }
  [[nodiscard]] std::uint64_t step() const noexcept { return step_; }

 private:
  int member_;
  std::uint64_t step_;
};

}  // namespace ensyn
