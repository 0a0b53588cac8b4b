/// \file
/// Parts of error messages. Whatever a file or a caller put into a name, a message stays on one line.
#pragma once

#include <array>
#include <cerrno>
#include <charconv>
#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>

#include "ensyn/error.h"

namespace ensyn {

/// `text` with control characters as \xNN, cut after `limit` bytes.
inline std::string printable(std::string_view text, std::size_t limit = 4096) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string result;
  for (const char c : text.substr(0, limit)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      result += {'\\', 'x', kHex[byte >> 4], kHex[byte & 15]};
    } else {
      result += c;
    }
  }
  if (text.size() > limit) {
    result += "...";
  }
  return result;
}

/// As `printable`, in single quotes.
inline std::string quote(std::string_view text, std::size_t limit = 4096) {
  return "'" + printable(text, limit) + "'";
}

/// The shortest decimal digits that read back as `value`.
inline std::string shown(double value) {
  std::array<char, 32> buffer;
  const auto end =
      std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, std::chars_format::general).ptr;
  return {buffer.data(), end};
}

/// "cannot `action` 'file': reason; what to do", for the error number `code` of a system call.
inline IoError io_error(std::string_view action, const std::filesystem::path& file, int code) {
  std::string_view advice;
  switch (code) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      advice = "; free some space or raise the quota there, or name another folder";
      break;
    case EACCES:
    case EPERM:
    case EROFS:
      advice = "; change its permissions or name another";
      break;
    case ENOENT:
    case ENOTDIR:
      advice = "; check the path, and that its folder exists";
      break;
    case EISDIR:
      advice = "; name a file in it instead";
      break;
    default:
      break;
  }
  IoError error("cannot " + std::string(action) + " " + quote(file.string()) + ": " +
                std::generic_category().message(code) + std::string(advice));
  return error;
}

}  // namespace ensyn
