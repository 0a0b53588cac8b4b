/// \file
/// What tells one data set from another, in files that outlive the process.
#pragma once

#include <string>

#include "ensyn/dataset.h"

namespace ensyn {

/// Computes what Dataset::digest returns: the CRC-32 (that of zlib and gzip) of the following, each number
/// with its least significant byte first. The text `ensyn data 1`; as 64-bit integers N, D, the number of
/// classes, the number of targets, and 1 where examples are kept as bytes, else 0; of bytes the three numbers
/// of their normalisation, as 64-bit floats in the order maximum, mean, sd; the features, row by row; the
/// labels or the targets. Bytes and labels take a byte each, other features and targets are 32-bit floats.
[[nodiscard]] std::string digest_of(const Dataset& data);

/// Whether `text` could be the digest of some data set.
[[nodiscard]] bool is_digest(const std::string& text);

}  // namespace ensyn
