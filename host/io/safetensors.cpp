#include "host/io/safetensors.h"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <fstream>
#include <optional>
#include <system_error>
#include <utility>

#include "ensyn/error.h"
#include "host/base/message.h"
#include "host/io/json_text.h"

namespace ensyn {
namespace {

using nlohmann::json;

static_assert(std::endian::native == std::endian::little, "numbers are copied as they lie in memory");

constexpr std::string_view kMetadata = "__metadata__";
constexpr std::size_t kAlignment = 8;
/// How much of a name or value is repeated in an error.
constexpr std::size_t kShown = 100;

[[noreturn]] void fail(const std::string& source, const std::string& what) {
  throw DataError(quote(source) + ": " + what);
}

std::uint64_t size_of(TensorType type) noexcept {
  return type == TensorType::f32 ? 4 : 8;
}

/// a * b, or nothing when that overflows.
std::optional<std::uint64_t> product(std::uint64_t a, std::uint64_t b) noexcept {
  std::uint64_t result = 0;
  if (__builtin_mul_overflow(a, b, &result)) {
    return std::nullopt;
  }
  return result;
}

/// Parses the entry of one tensor; `where` begins its errors.
class EntryParser {
 public:
  EntryParser(const std::string& source, const std::string& tensor)
      : source_(source), where_("tensor " + quote(tensor, kShown)) {}

  [[nodiscard]] TensorEntry parse(const json& entry, std::uint64_t data_size) const {
    if (!entry.is_object()) {
      reject("is not an object");
    }
    for (const auto& [key, value] : entry.items()) {
      if (key != "dtype" && key != "shape" && key != "data_offsets") {
        reject("has the unknown key " + quote(key, kShown));
      }
    }
    TensorEntry result;
    result.type = parse_type(get(entry, "dtype"));
    result.shape = parse_numbers(get(entry, "shape"), "shape");
    const auto offsets = parse_numbers(get(entry, "data_offsets"), "data_offsets");
    if (offsets.size() != 2 || offsets[0] > offsets[1] || offsets[1] > data_size) {
      reject("has data_offsets that are not a range within the " + std::to_string(data_size) +
             " bytes of data; the file may be truncated");
    }
    result.begin = offsets[0];
    result.end = offsets[1];
    std::optional<std::uint64_t> bytes = size_of(result.type);
    for (const auto size : result.shape) {
      bytes = product(*bytes, size);
      if (!bytes) {
        reject("has a shape whose product overflows");
      }
    }
    if (*bytes != result.end - result.begin) {
      reject("needs " + std::to_string(*bytes) + " bytes by its shape, but its data_offsets span " +
             std::to_string(result.end - result.begin));
    }
    return result;
  }

 private:
  [[noreturn]] void reject(const std::string& what) const { fail(source_, where_ + " " + what); }

  [[nodiscard]] const json& get(const json& entry, const char* key) const {
    const auto found = entry.find(key);
    if (found == entry.end()) {
      reject(std::string("has no ") + key);
    }
    return *found;
  }

  [[nodiscard]] TensorType parse_type(const json& value) const {
    if (!value.is_string()) {
      reject("has a dtype that is not a string");
    }
    const auto& text = value.get_ref<const std::string&>();
    for (const auto type : {TensorType::f32, TensorType::f64}) {
      if (text == name(type)) {
        return type;
      }
    }
    reject("has dtype " + quote(text, kShown) + ", not F32 or F64");
  }

  [[nodiscard]] std::vector<std::uint64_t> parse_numbers(const json& value, const std::string& key) const {
    std::vector<std::uint64_t> numbers;
    if (!value.is_array()) {
      reject("has " + key + " that is not an array");
    }
    for (const auto& number : value) {
      if (!number.is_number_unsigned()) {
        reject("has " + key + " with something else than a whole number, 0 or greater");
      }
      numbers.push_back(number.get<std::uint64_t>());
    }
    return numbers;
  }

  const std::string& source_;
  std::string where_;
};

std::map<std::string, std::string> parse_metadata(const json& object, const std::string& source) {
  std::map<std::string, std::string> result;
  if (!object.is_object()) {
    fail(source, "__metadata__ is not an object");
  }
  for (const auto& [key, value] : object.items()) {
    if (!value.is_string()) {
      fail(source, "metadata " + quote(key, kShown) + " is not a string");
    }
    result.emplace(key, value.get_ref<const std::string&>());
  }
  return result;
}

/// The tensors must lie end to end, so that no byte has two meanings or none.
void check_places(const std::map<std::string, TensorEntry>& tensors, std::uint64_t data_size,
                  const std::string& source) {
  std::vector<const std::pair<const std::string, TensorEntry>*> order;
  order.reserve(tensors.size());
  for (const auto& tensor : tensors) {
    order.push_back(&tensor);
  }
  std::sort(order.begin(), order.end(), [](const auto* a, const auto* b) {
    return std::pair(a->second.begin, a->second.end) < std::pair(b->second.begin, b->second.end);
  });
  std::uint64_t at = 0;
  for (const auto* tensor : order) {
    if (tensor->second.begin != at) {
      fail(source, "the data of tensor " + quote(tensor->first, kShown) + " start at byte " +
                       std::to_string(tensor->second.begin) + ", but those before end at " +
                       std::to_string(at) + " (a hole or an overlap)");
    }
    at = tensor->second.end;
  }
  if (at != data_size) {
    fail(source, "its tensors have " + std::to_string(at) + " bytes of data, but " +
                     std::to_string(data_size) + " follow the header");
  }
}

json parse_header_text(std::string_view text, const std::string& source) {
  if (text.empty() || text.front() != '{') {
    fail(source, "its header is not a JSON object; is it a safetensors file?");
  }
  try {
    return parse_json(text);
  } catch (const JsonTextError& error) {
    fail(source, std::string("its header is not valid JSON: ") + error.what());
  }
}

/// Writes `values` as `type` at `to`. \returns where the next ones go
std::uint8_t* encode(std::span<const double> values, TensorType type, std::uint8_t* to) {
  if (type == TensorType::f64) {
    std::copy_n(reinterpret_cast<const std::uint8_t*>(values.data()), values.size_bytes(), to);
    return to + values.size_bytes();
  }
  for (const double value : values) {
    const auto narrow = static_cast<float>(value);
    std::memcpy(to, &narrow, sizeof narrow);
    to += sizeof narrow;
  }
  return to;
}

}  // namespace

std::string_view name(TensorType type) noexcept {
  return type == TensorType::f32 ? "F32" : "F64";
}

std::uint64_t TensorEntry::elements() const noexcept {
  return (end - begin) / size_of(type);
}

std::uint64_t safetensors_header_length(std::span<const std::uint8_t> prefix, std::uint64_t file_size,
                                        const std::string& source) {
  if (prefix.size() < kSafetensorsPrefix || file_size < kSafetensorsPrefix) {
    fail(source, "it has " + std::to_string(file_size) + " bytes, too few for a safetensors file");
  }
  std::uint64_t length = 0;
  std::memcpy(&length, prefix.data(), kSafetensorsPrefix);
  if (length > kMaxSafetensorsHeader) {
    fail(source, "its header length of " + std::to_string(length) +
                     " bytes is beyond the limit of 100000000; is it a safetensors file?");
  }
  if (length > file_size - kSafetensorsPrefix) {
    fail(source, "it is truncated: its header has " + std::to_string(length) + " bytes, but only " +
                     std::to_string(file_size - kSafetensorsPrefix) + " follow");
  }
  return length;
}

SafetensorsHeader parse_safetensors_header(std::span<const std::uint8_t> start, std::uint64_t file_size,
                                           const std::string& source) {
  const auto length = safetensors_header_length(start, file_size, source);
  if (start.size() - kSafetensorsPrefix < length) {
    fail(source, "it became shorter while it was read; try again");
  }
  const auto text = start.subspan(kSafetensorsPrefix, static_cast<std::size_t>(length));
  const auto parsed = parse_header_text({reinterpret_cast<const char*>(text.data()), text.size()}, source);
  SafetensorsHeader header;
  header.data_offset = kSafetensorsPrefix + length;
  const auto data_size = file_size - header.data_offset;
  for (const auto& [key, value] : parsed.items()) {
    if (key == kMetadata) {
      header.metadata = parse_metadata(value, source);
    } else {
      header.tensors.emplace(key, EntryParser(source, key).parse(value, data_size));
    }
  }
  check_places(header.tensors, data_size, source);
  return header;
}

SafetensorsHeader read_safetensors_header(const std::filesystem::path& file) {
  std::error_code code;
  const auto file_size = std::filesystem::file_size(file, code);
  if (code) {
    throw io_error("read", file, code.value());
  }
  errno = 0;
  std::ifstream stream(file, std::ios::binary);
  std::vector<std::uint8_t> start(static_cast<std::size_t>(std::min(file_size, kSafetensorsPrefix)));
  const auto read_rest = [&](std::size_t from) {
    stream.read(reinterpret_cast<char*>(start.data() + from),
                static_cast<std::streamsize>(start.size() - from));
    if (!stream) {
      throw io_error("read", file, errno != 0 ? errno : EIO);
    }
  };
  read_rest(0);
  const auto length = safetensors_header_length(start, file_size, file.string());
  start.resize(static_cast<std::size_t>(kSafetensorsPrefix + length));
  read_rest(kSafetensorsPrefix);
  return parse_safetensors_header(start, file_size, file.string());
}

void decode_tensor(std::span<const std::uint8_t> content, const SafetensorsHeader& header,
                   const TensorEntry& entry, std::span<double> out) {
  const auto* from = content.data() + header.data_offset + entry.begin;
  if (entry.type == TensorType::f64) {
    if (!out.empty()) {
      std::memcpy(out.data(), from, out.size_bytes());
    }
    return;
  }
  for (auto& value : out) {
    float narrow = 0;
    std::memcpy(&narrow, from, sizeof narrow);
    value = static_cast<double>(narrow);
    from += sizeof narrow;
  }
}

std::vector<std::uint8_t> format_safetensors(const std::map<std::string, std::string>& metadata,
                                             std::span<const TensorSource> tensors) {
  auto header = json::object();
  header[std::string(kMetadata)] = metadata;
  std::uint64_t data_size = 0;
  for (const auto& tensor : tensors) {
    const auto end = data_size + tensor.values.size() * size_of(tensor.type);
    header[tensor.name] = {
        {"dtype", name(tensor.type)}, {"shape", tensor.shape}, {"data_offsets", {data_size, end}}};
    data_size = end;
  }
  auto text = header.dump();
  // Spaces after the JSON align the data, for readers that map the file.
  text.resize((text.size() + kAlignment - 1) / kAlignment * kAlignment, ' ');
  const std::uint64_t length = text.size();
  if (length > kMaxSafetensorsHeader) {
    throw DataError("a safetensors header of " + std::to_string(length) +
                    " bytes is beyond the format's limit of 100000000; save fewer tensors in one file");
  }
  std::vector<std::uint8_t> out(kSafetensorsPrefix + text.size() + static_cast<std::size_t>(data_size));
  std::memcpy(out.data(), &length, kSafetensorsPrefix);
  auto* to = std::copy(text.begin(), text.end(), out.data() + kSafetensorsPrefix);
  for (const auto& tensor : tensors) {
    to = encode(tensor.values, tensor.type, to);
  }
  return out;
}

}  // namespace ensyn
