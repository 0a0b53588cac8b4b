#pragma once
// What arguments of the theory's functions must be, and the error where they are not.

#include <cmath>
#include <string>

#include "ensyn/error.h"

namespace ensyn {

/// Unless `holds`, a ConfigError "<name> is <value>: it must be <range>".
inline void require(bool holds, const char* name, double value, const char* range) {
  if (holds) return;
  throw ConfigError(std::string(name) + " is " + std::to_string(value) + ": it must be " + range);
}

inline void require_positive(const char* name, double value) {
  require(std::isfinite(value) && value > 0, name, value, "a finite number above 0");
}

}  // namespace ensyn
