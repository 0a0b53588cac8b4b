#include "host/driver/files/text.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdarg>
#include <cstddef>
#include <cstdio>
#include <optional>

namespace ensyn::driver {
namespace {

struct Character {
  std::uint32_t code = 0;
  std::size_t length = 0;  ///< bytes
};

/// The character of UTF-8 that the text begins with; nothing where it begins with none.
std::optional<Character> first_character(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  const std::uint8_t lead = byte(0);
  if (lead < 0x80) return Character{lead, 1};
  const std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < length) return std::nullopt;
  std::uint32_t code = lead & (0x7FU >> length);
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0U) != 0x80U) return std::nullopt;
    code = code << 6U | (byte(i) & 0x3FU);
  }
  constexpr std::uint32_t kFirst[] = {0, 0, 0x80, 0x800, 0x10000};  // of that length; below, it is too long
  const bool surrogate = code >= 0xD800 && code < 0xE000;
  if (code < kFirst[length] || code > 0x10FFFF || surrogate) return std::nullopt;
  return Character{code, length};
}

/// Whether XML and HTML can hold it and a reader sees it.
bool is_printable(std::uint32_t code) {
  const bool control = code < 0x20 || (code >= 0x7F && code < 0xA0) || code == 0x2028 || code == 0x2029;
  const bool no_character = (code & 0xFFFEU) == 0xFFFE || (code >= 0xFDD0 && code < 0xFDF0);
  return !control && !no_character;
}

}  // namespace

std::string formatted(const char* format, ...) {
  std::array<char, 400> text{};
  std::va_list values;
  va_start(values, format);
  std::vsnprintf(text.data(), text.size(), format, values);
  va_end(values);
  return text.data();
}

std::string duration_text(double seconds) {
  const long long total = std::llround(std::clamp(seconds, 0.0, 1e9));
  if (seconds < 9.95) return formatted("%.1f s", std::max(seconds, 0.0));
  if (total < 60) return formatted("%lld s", total);
  if (total < 3600) return formatted("%lld min %02lld s", total / 60, total % 60);
  return formatted("%lld h %02lld min", total / 3600, total % 3600 / 60);
}

std::string grouped(std::uint64_t number) {
  std::string text = std::to_string(number);
  for (std::size_t digits = 3; digits < text.size(); digits += 4) text.insert(text.size() - digits, ",");
  return text;
}

std::string bytes_text(double bytes) {
  const char* unit = "B";
  for (const char* next : {"kB", "MB", "GB", "TB"}) {
    if (bytes < 1000) break;
    bytes /= 1000;
    unit = next;
  }
  return formatted(bytes < 9.95 && *unit != 'B' ? "%.1f %s" : "%.0f %s", bytes, unit);
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const std::optional<Character> character = first_character(text);
    if (!character) return false;
    text.remove_prefix(character->length);
  }
  return true;
}

std::string legible(std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string result;
  result.reserve(text.size());
  while (!text.empty()) {
    const std::optional<Character> character = first_character(text);
    const std::size_t length = character ? character->length : 1;
    if (character && is_printable(character->code)) {
      result += text.substr(0, length);
    } else {
      for (const char c : text.substr(0, length)) {
        const auto byte = static_cast<std::uint8_t>(c);
        result += {'\\', 'x', kHex[byte >> 4U], kHex[byte & 15U]};
      }
    }
    text.remove_prefix(length);
  }
  return result;
}

std::string shell_quoted(std::string_view word) {
  constexpr std::string_view kLiteral =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=:,./@%";
  if (!word.empty() && word.find_first_not_of(kLiteral) == std::string_view::npos) return std::string(word);
  const bool escapes = legible(word) != word;
  std::string text = escapes ? "$'" : "'";
  for (const char c : word) {
    if (escapes && (c < 0x20 || c > 0x7e)) {
      text += formatted("\\%03o", static_cast<unsigned>(static_cast<unsigned char>(c)));
    } else if (escapes && (c == '\'' || c == '\\')) {
      text += {'\\', c};
    } else {
      text += c == '\'' ? std::string("'\\''") : std::string(1, c);
    }
  }
  return text + "'";
}

std::string shell_flag(std::string_view flag, std::string_view value) {
  return std::string(flag) + (value.starts_with('-') ? "=" : " ") + shell_quoted(value);
}

}  // namespace ensyn::driver
