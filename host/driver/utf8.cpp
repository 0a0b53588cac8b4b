#include "host/driver/utf8.h"

#include <nlohmann/json.hpp>

#include "host/driver/text.h"

namespace ensyn::driver {

bool is_utf8(std::string_view text) {
  try {
    static_cast<void>(nlohmann::json(text).dump());
    return true;
  } catch (const nlohmann::json::type_error&) {
    return false;
  }
}

std::string as_utf8(std::string_view text) {
  if (is_utf8(text)) return std::string(text);
  std::string result;
  for (const char c : text) {
    const bool printable = c >= ' ' && c <= '~';
    result += printable ? std::string(1, c) : formatted("\\x%02x", static_cast<unsigned char>(c));
  }
  return result;
}

}  // namespace ensyn::driver
