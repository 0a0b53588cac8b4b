/// \file
/// Parsing of JSON text that may come from anywhere.
#pragma once

#include <cstddef>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "host/io/message.h"

namespace ensyn {

/// Text that is not JSON; the caller knows which file it came from and which error that makes.
class JsonTextError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// As nlohmann::json::parse, but a key given twice in one object is an error instead of being overwritten,
/// and nesting is limited, since what follows (printing, destruction) may recurse. \throws JsonTextError, one
/// line
[[nodiscard]] inline nlohmann::json parse_json(std::string_view text) {
  using nlohmann::json;
  constexpr int kMaxDepth = 32;
  std::vector<std::set<std::string>> keys;
  const auto check = [&keys](int depth, json::parse_event_t event, json& parsed) {
    if (depth > kMaxDepth) {
      throw JsonTextError("it is nested more than " + std::to_string(kMaxDepth) + " deep");
    }
    if (event == json::parse_event_t::object_start) {
      keys.emplace_back();
    } else if (event == json::parse_event_t::object_end) {
      keys.pop_back();
    } else if (event == json::parse_event_t::key) {
      const auto& key = parsed.get_ref<const std::string&>();
      if (!keys.back().insert(key).second) {
        throw JsonTextError("key " + quote(key, 100) + " is given twice");
      }
    }
    return true;
  };
  try {
    return json::parse(text.begin(), text.end(), check);
  } catch (const json::exception& error) {
    // Without the library's own "[json.exception.parse_error.101] ".
    const std::string_view what = error.what();
    const auto start = what.find("] ");
    throw JsonTextError(printable(start == what.npos ? what : what.substr(start + 2), 200));
  }
}

}  // namespace ensyn
