#include "host/io/json_text.h"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <set>
#include <utility>
#include <vector>

#include "ensyn/error.h"
#include "host/base/message.h"
#include "host/io/file.h"

namespace ensyn {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxDepth = 32;
/// How much of what stands in the text is repeated in an error.
constexpr std::size_t kShown = 100;

/// Goes over the characters of a text and notes how far the parser has come, which its events do not say.
class Cursor {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  Cursor(const char* at, const char** come_to) : at_(at), come_to_(come_to) {}
  reference operator*() const { return *at_; }
  Cursor& operator++() {
    *come_to_ = ++at_;
    return *this;
  }
  bool operator==(const Cursor& other) const { return at_ == other.at_; }

 private:
  const char* at_;
  const char** come_to_;
};

/// What may stand next, by what the parser says that it was at.
std::string expectation(std::string_view what) {
  const auto says = [&](std::string_view words) { return what.find(words) != what.npos; };
  if (says("; expected end of input")) return "nothing more";
  if (says("while parsing object key")) return "a name in double quotes";
  if (says("while parsing object separator")) return "':' after the name";
  if (says("while parsing object ")) return "',' or '}'";
  if (says("while parsing array ")) return "',' or ']'";
  return "a value (a number, true, false, null, a text in double quotes, an array or an object)";
}

/// The parser's own words for a string, number or comment that is wrong within; empty for anything else.
std::string fault_within(std::string_view what) {
  const auto begin = what.find(" - invalid ");
  if (begin == what.npos) return "";
  const auto fault = what.substr(begin + 3, what.find("; last read: ") - begin - 3);
  return fault == "invalid literal" ? "" : std::string(fault);
}

/// Follows the parser's events and throws at the first thing that is not taken.
class Checker : public nlohmann::json_sax<json> {
 public:
  explicit Checker(std::string_view text) : text_(text), come_to_(text.data()) {}

  void run() {
    json::sax_parse(Cursor(text_.data(), &come_to_), Cursor(text_.data() + text_.size(), &come_to_), this);
  }

  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t, const string_t&) override { return true; }
  bool string(string_t&) override { return true; }
  bool binary(binary_t&) override { return true; }

  bool start_object(std::size_t) override { return open(); }
  bool end_object() override { return close(); }
  bool start_array(std::size_t) override { return open(); }
  bool end_array() override { return close(); }

  bool key(string_t& key) override {
    if (keys_.back().insert(key).second) return true;
    fail(quoted_before(come_to()), "key " + quote(key, kShown) + " is given twice: leave one");
  }

  bool parse_error(std::size_t position, const std::string& token, const json::exception& error) override {
    const std::string_view what = error.what();
    const std::size_t end = std::min(position, text_.size());
    // Of strings and numbers `token` is all, of others it is more.
    const std::size_t begin = end - std::min(token.size(), end);
    const auto says = [&](std::string_view words) { return what.find(words) != what.npos; };
    if (says("number overflow")) {
      fail(begin, "the number " + printable(token, kShown) + " is beyond what a double can hold");
    }
    if (const std::string fault = fault_within(what); !fault.empty()) {
      // Of a string that is not closed its beginning helps; of others the place within.
      fail(says("missing closing") || end == 0 ? begin : end - 1, printable(fault, kShown));
    }
    const std::string expected = "expected " + expectation(what);
    if (says("unexpected end of input")) fail(text_.size(), expected + ", but the text ends");
    const bool is_exact = says("unexpected string") || says("unexpected number");
    const std::string_view found = is_exact ? text_.substr(begin, end - begin) : word_at(end - 1);
    fail(static_cast<std::size_t>(found.data() - text_.data()), expected + ", found " + quote(found, kShown));
  }

 private:
  bool open() {
    if (keys_.size() == kMaxDepth) {
      fail(come_to() - 1, "it is nested more than " + std::to_string(kMaxDepth) + " deep");
    }
    keys_.emplace_back();
    return true;
  }
  bool close() {
    keys_.pop_back();
    return true;
  }

  [[nodiscard]] std::size_t come_to() const { return static_cast<std::size_t>(come_to_ - text_.data()); }

  /// Where the string begins whose closing quote stands before `end`.
  [[nodiscard]] std::size_t quoted_before(std::size_t end) const {
    std::size_t begin = end - 2;
    const auto is_escaped = [&] {
      const auto before = text_.substr(0, begin).find_last_not_of('\\');
      return (begin - 1 - before) % 2 == 1;
    };
    while (text_[begin] != '"' || is_escaped()) --begin;
    return begin;
  }

  /// The character at a place, or the word in which it is: the parser stops at the first letter that does not
  /// fit.
  [[nodiscard]] std::string_view word_at(std::size_t at) const {
    const auto is_letter = [&](std::size_t i) {
      const char c = text_[i];
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
    };
    std::size_t begin = at, end = at + 1;
    if (!is_letter(at)) return text_.substr(at, 1);
    while (begin > 0 && is_letter(begin - 1)) --begin;
    while (end < text_.size() && is_letter(end)) ++end;
    return text_.substr(begin, end - begin);
  }

  /// `at` as line and column, both counted from 1, the column in characters of UTF-8.
  [[noreturn]] void fail(std::size_t at, const std::string& what) const {
    const std::string_view before = text_.substr(0, at);
    const std::string_view line = before.substr(before.rfind('\n') + 1);
    const auto column = std::ranges::count_if(line, [](char c) { return (c & '\xC0') != '\x80'; });
    throw JsonTextError("line " + std::to_string(std::ranges::count(before, '\n') + 1) + ", column " +
                        std::to_string(column + 1) + ": " + what);
  }

  std::string_view text_;
  const char* come_to_;
  /// Of each array or object that is open, the keys so far.
  std::vector<std::set<std::string>> keys_;
};

}  // namespace

void check_json(std::string_view text) {
  Checker(text).run();
}

std::string read_json_object_text(const std::filesystem::path& file, const std::string& advice) {
  std::string text;
  try {
    const auto content = read_file(file);
    text.assign(content.begin(), content.end());
    check_json(text);
  } catch (const IoError& error) {
    throw DataError(error.what());
  } catch (const JsonTextError& error) {
    throw DataError(quote(file.string()) + " is not valid JSON: " + error.what() + "; " + advice);
  }
  // The first bracket of any kind, or a value that has none.
  if (text[text.find_first_of("{[\"0123456789-tfn")] != '{') {
    throw DataError(quote(file.string()) + " is not a JSON object, which begins with {; " + advice);
  }
  return text;
}

}  // namespace ensyn
