/// \file
/// The safetensors format: the length of a header (8 bytes, little-endian), the header (JSON: for each tensor
/// its dtype, shape and place, and strings under `__metadata__`), the data. Only F32 and F64 are used here.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ensyn {

enum class TensorType { f32, f64 };

[[nodiscard]] std::string_view name(TensorType type) noexcept;  ///< `F32`, `F64`

/// A tensor's entry in the header; its data are the bytes [begin, end) after the header.
struct TensorEntry {
  TensorType type = TensorType::f32;
  std::vector<std::uint64_t> shape;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;

  [[nodiscard]] std::uint64_t elements() const noexcept;
};

/// A valid header: the tensors fill the file's data without gap or overlap.
struct SafetensorsHeader {
  std::map<std::string, std::string> metadata;
  std::map<std::string, TensorEntry> tensors;
  std::uint64_t data_offset = 0;  ///< where the data start in the file
};

/// What precedes the header, and the longest header that is accepted (the reference implementation's limit).
inline constexpr std::uint64_t kSafetensorsPrefix = 8;
inline constexpr std::uint64_t kMaxSafetensorsHeader = 100'000'000;

/// \param prefix the first 8 bytes. \returns the header's length, which a file of `file_size` bytes can hold.
/// \throws DataError
[[nodiscard]] std::uint64_t safetensors_header_length(std::span<const std::uint8_t> prefix,
                                                      std::uint64_t file_size, const std::string& source);

/// \param start the file's content, at least up to the header's end. \param source names the file in errors.
/// \throws DataError
[[nodiscard]] SafetensorsHeader parse_safetensors_header(std::span<const std::uint8_t> start,
                                                         std::uint64_t file_size, const std::string& source);

/// Reads no more of the file than its header. \throws IoError, DataError
[[nodiscard]] SafetensorsHeader read_safetensors_header(const std::filesystem::path& file);

/// Copies a tensor of the file `content` to `out`, which has its number of elements.
void decode_tensor(std::span<const std::uint8_t> content, const SafetensorsHeader& header,
                   const TensorEntry& entry, std::span<double> out);

/// A tensor to write: `values` are converted to `type`, and their number is the product of `shape`.
struct TensorSource {
  std::string name;
  TensorType type = TensorType::f32;
  std::vector<std::uint64_t> shape;
  std::span<const double> values;
};

/// A whole file, the data in the order of `tensors`. \throws DataError when the header would be too long to
/// be read again
[[nodiscard]] std::vector<std::uint8_t> format_safetensors(const std::map<std::string, std::string>& metadata,
                                                           std::span<const TensorSource> tensors);

}  // namespace ensyn
