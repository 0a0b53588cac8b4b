/// \file
/// Whole files in and out: nothing is ever left half-written under its final name.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>
#include <vector>

#include "ensyn/export.h"

namespace ensyn {

/// \throws IoError that names the file and the system's reason; also when it is a folder.
[[nodiscard]] ENSYN_API std::vector<std::uint8_t> read_file(const std::filesystem::path& file);

/// Writes a temporary file beside `file`, flushes it to the device, and renames it; on failure removes it.
/// \throws IoError that names the file and the system's reason.
ENSYN_API void write_file(const std::filesystem::path& file, std::span<const std::uint8_t> content);
ENSYN_API void write_file(const std::filesystem::path& file, std::string_view content);

}  // namespace ensyn
