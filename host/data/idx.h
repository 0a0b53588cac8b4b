/// \file
/// The IDX format of MNIST: two zero bytes, the element type, the number of dimensions, each dimension's size
/// as a big-endian 32-bit number, then the elements.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace ensyn {

/// Unsigned bytes of one or more dimensions, none of them empty; the product of `sizes` is values.size().
struct IdxArray {
  std::vector<std::size_t> sizes;
  std::vector<std::uint8_t> values;
};

/// \param content a whole file, decompressed. \param source names it in errors. \throws DataError
[[nodiscard]] IdxArray parse_idx(std::vector<std::uint8_t> content, const std::string& source);

}  // namespace ensyn
