/// \file
/// Fuzzes the text that reports hand to gnuplot and to HTML. Whatever bytes come in:
/// - `gnuplot_string` is one token, `"` (letter | space | byte beyond ASCII | `\ooo`)* `"` with three octal
///   digits and no digit after them, so that there is nothing in it that gnuplot runs, expands or ends it
///   with;
/// - what gnuplot makes of it is `legible` text: valid UTF-8 without control characters;
/// - text that was so already comes back as it was, and other text with `\xNN` for each byte at fault;
/// - `escaped` HTML holds no tag, quote or entity but its own.
#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "fuzz/fuzz_support.h"
#include "host/driver/files/text.h"
#include "host/driver/report/gnuplot_string.h"
#include "host/driver/report/html.h"

namespace ensyn::fuzz {
namespace {

bool is_octal(char c) {
  return c >= '0' && c <= '7';
}

/// What a lexer that knows no more than the grammar above reads.
std::string read_token(std::string_view token) {
  require(token.size() >= 2 && token.front() == '"' && token.back() == '"', "a string has quotes around it");
  token = token.substr(1, token.size() - 2);
  std::string content;
  while (!token.empty()) {
    const char c = token.front();
    if (c == '\\') {
      require(token.size() >= 4 && is_octal(token[1]) && token[1] < '4' && is_octal(token[2]) &&
                  is_octal(token[3]),
              "an escape has three octal digits");
      content += static_cast<char>((token[1] - '0') * 64 + (token[2] - '0') * 8 + (token[3] - '0'));
      token.remove_prefix(4);
      continue;
    }
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    require(letter || c == ' ' || static_cast<std::uint8_t>(c) >= 0x80, "nothing else stands in a string");
    content += c;
    token.remove_prefix(1);
  }
  return content;
}

/// Another's judgement of UTF-8.
bool is_utf8(const std::string& text) {
  try {
    static_cast<void>(nlohmann::json(text).dump());
    return true;
  } catch (const nlohmann::json::exception&) {
    return false;
  }
}

void check_legible(const std::string& text) {
  require(is_utf8(text), "the text is valid UTF-8");
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<std::uint8_t>(text[i]);
    const bool c1 = byte == 0xC2 && static_cast<std::uint8_t>(text[i + 1]) < 0xA0;
    require(byte >= 0x20 && byte != 0x7F && !c1, "the text has no control characters");
  }
}

void check_html(std::string_view html) {
  require(html.find_first_of("<>\"") == std::string_view::npos, "text makes no tag and ends no attribute");
  for (std::size_t at = 0; (at = html.find('&', at)) != std::string_view::npos; ++at) {
    const std::string_view rest = html.substr(at);
    require(rest.starts_with("&amp;") || rest.starts_with("&lt;") || rest.starts_with("&gt;") ||
                rest.starts_with("&quot;"),
            "an ampersand begins one of four entities");
  }
}

/// Undoes `\xNN`, and leaves other backslashes alone.
std::string undone(std::string_view text) {
  std::string bytes;
  const auto digit = [](char c) { return c >= 'a' ? c - 'a' + 10 : c - '0'; };
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool escape = text.substr(i).starts_with("\\x") && i + 3 < text.size() &&
                        text.find_first_not_of("0123456789abcdef", i + 2) >= i + 4;
    bytes += escape ? static_cast<char>(digit(text[i + 2]) * 16 + digit(text[i + 3])) : text[i];
    i += escape ? 3 : 0;
  }
  return bytes;
}

}  // namespace
}  // namespace ensyn::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace ensyn::fuzz;
  const std::string text(reinterpret_cast<const char*>(data), size);
  const std::string shown = ensyn::driver::legible(text);
  check_legible(shown);
  require(ensyn::driver::legible(shown) == shown, "legible text stays as it is");
  // Where the text holds a backslash of its own, an escape may be that.
  require(text.find('\\') != std::string::npos || undone(shown) == text, "no byte is lost");
  require(read_token(ensyn::driver::report::gnuplot_string(text)) == shown, "gnuplot reads the legible text");
  check_html(ensyn::driver::report::escaped(text));
  return 0;
}
