/// \file
/// Decompression of gzip data, recognised by its content and not by a file's name.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace ensyn {

/// More than any data set here, and little enough for a small compressed file not to exhaust memory.
inline constexpr std::uint64_t kMaxDecompressed = std::uint64_t{4} << 30;

[[nodiscard]] bool is_gzip(std::span<const std::uint8_t> content) noexcept;

/// Decompresses one or more gzip members that fill `content`, with or without zeros behind them. \param
/// source names the data in errors.
/// \throws DataError when they are truncated, corrupt, followed by something else or larger than `limit`
/// bytes, OutOfMemoryError
[[nodiscard]] std::vector<std::uint8_t> gunzip(std::span<const std::uint8_t> content,
                                               const std::string& source,
                                               std::uint64_t limit = kMaxDecompressed);

/// `content` itself, or decompressed where it is gzip. \throws as gunzip
[[nodiscard]] std::vector<std::uint8_t> gunzip_if_gzip(std::vector<std::uint8_t> content,
                                                       const std::string& source,
                                                       std::uint64_t limit = kMaxDecompressed);

}  // namespace ensyn
