/// \file
/// Arrays of doubles as NumPy's .npy files (format 1.0: `<f8`, C order).
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <vector>

namespace ensyn::driver {

struct NpyArray {
  std::vector<std::size_t> shape;  ///< empty for a single number
  std::vector<double> values;      ///< in C order, as many as the product of `shape`
};

/// Writes the whole file or nothing. \throws IoError; std::logic_error where values and shape do not agree
void write_npy(const std::filesystem::path& file, std::span<const double> values,
               const std::vector<std::size_t>& shape);

/// \throws DataError where the file is no .npy of doubles in C order, or is cut off or too long; IoError
[[nodiscard]] NpyArray read_npy(const std::filesystem::path& file);

}  // namespace ensyn::driver
