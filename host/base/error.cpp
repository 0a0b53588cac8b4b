/// \file
/// Key functions of the exceptions: defined here so that each has one vtable and type_info, that of
/// libensyn.so, and can be caught by type on both sides of the library's boundary.
#include "ensyn/error.h"

namespace ensyn {

Error::~Error() = default;
ConfigError::~ConfigError() = default;
DataError::~DataError() = default;
IoError::~IoError() = default;
DeviceError::~DeviceError() = default;
OutOfMemoryError::~OutOfMemoryError() = default;

DivergenceError::DivergenceError(const std::string& message, int member, std::uint64_t step)
    : Error(message), member_(member), step_(step) {}
DivergenceError::~DivergenceError() = default;

}  // namespace ensyn
