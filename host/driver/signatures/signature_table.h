/// \file
/// Measured signatures as a table, as arrays, and as text.
#pragma once

#include <filesystem>
#include <string>

#include "ensyn/ensyn.h"
#include "host/driver/files/csv.h"

namespace ensyn::driver {

/// signatures.csv without rows. One row is one layer under one protocol (`published` or `equilibrium`):
/// medians, then for each quantity how sigma^2 goes with it, and how far the layer is from its fixed point.
[[nodiscard]] Table empty_signature_table();
void add_rows(Table& table, const std::string& protocol, const Signatures& signatures,
              const NetworkConfig& network);

/// The rows as lines for people.
[[nodiscard]] std::string signature_text(const Table& table);

/// Writes `PREFIXlayer1.sigma.npy` and its like: matrices outputs x inputs, rates per input.
void write_arrays(const std::filesystem::path& folder, const std::string& prefix,
                  const Signatures& signatures);

}  // namespace ensyn::driver
