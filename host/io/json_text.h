/// \file
/// Parsing of JSON text that may come from anywhere.
#pragma once

#include <filesystem>
#include <stdexcept>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "ensyn/export.h"

namespace ensyn {

/// Text that is not JSON, or not JSON that is taken here. One line that begins with where and goes on with
/// what: "line 3, column 1: ...". The caller knows which file it came from and which error that makes.
class ENSYN_API JsonTextError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Besides the grammar: a key given twice in one object is an error instead of being overwritten, and nesting
/// is limited, since what follows (printing, destruction) may recurse. \throws JsonTextError
ENSYN_API void check_json(std::string_view text);

/// The value that `text` is, checked first. \throws JsonTextError
template <class Json = nlohmann::json>
[[nodiscard]] Json parse_json(std::string_view text) {
  check_json(text);
  return Json::parse(text.begin(), text.end());
}

/// The text of a JSON object in a file, checked. \param advice what to do when it is damaged, after the
/// error. \throws DataError that names file, line and column where it is no JSON object, and where the file
/// cannot be read
[[nodiscard]] ENSYN_API std::string read_json_object_text(const std::filesystem::path& file,
                                                          const std::string& advice);

/// The JSON object in a file. \throws as read_json_object_text
template <class Json>
[[nodiscard]] Json read_json_object(const std::filesystem::path& file, const std::string& advice) {
  return Json::parse(read_json_object_text(file, advice));
}

}  // namespace ensyn
