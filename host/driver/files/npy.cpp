#include "host/driver/files/npy.h"

#include <array>
#include <bit>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

#include "ensyn/error.h"
#include "host/base/message.h"
#include "host/io/file.h"

namespace ensyn::driver {
namespace {

static_assert(std::endian::native == std::endian::little, "values are written as they lie in memory");

constexpr std::string_view kMagic = "\x93NUMPY";
/// Magic, version, and two bytes for the length of the header, which is padded to fill up 64 bytes.
constexpr std::size_t kPrefix = 10;
constexpr std::size_t kAlignment = 64;

/// Number of elements, unless it is beyond what a file can hold.
std::optional<std::size_t> count_of(const std::vector<std::size_t>& shape) {
  constexpr std::size_t kMost = std::size_t{1} << 48;
  std::size_t count = 1;
  for (const std::size_t extent : shape) {
    if (extent != 0 && count > kMost / extent) return std::nullopt;
    count *= extent;
  }
  return count;
}

/// What follows `'key': ` in the header.
std::string_view value_of(std::string_view header, std::string_view key) {
  const std::string quoted = "'" + std::string(key) + "':";
  const std::size_t at = header.find(quoted);
  if (at == header.npos) return {};
  header.remove_prefix(at + quoted.size());
  while (header.starts_with(' ')) header.remove_prefix(1);
  return header;
}

/// `(3, 4)`, `(3,)` or `()`.
std::optional<std::vector<std::size_t>> shape_from(std::string_view text) {
  if (!text.starts_with('(') || text.find(')') == text.npos) return std::nullopt;
  text = text.substr(1, text.find(')') - 1);
  std::vector<std::size_t> shape;
  while (!text.empty()) {
    if (text.front() == ' ' || text.front() == ',') {
      text.remove_prefix(1);
      continue;
    }
    std::size_t extent = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), extent);
    if (error != std::errc()) return std::nullopt;
    shape.push_back(extent);
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  }
  return shape;
}

}  // namespace

void write_npy(const std::filesystem::path& file, std::span<const double> values,
               const std::vector<std::size_t>& shape) {
  if (count_of(shape) != values.size()) throw std::logic_error("values and shape do not agree");
  std::string header = "{'descr': '<f8', 'fortran_order': False, 'shape': (";
  for (const std::size_t extent : shape) header += std::to_string(extent) + ",";
  if (shape.size() > 1) header.pop_back();
  header += "), }";
  header.append(kAlignment - 1 - (kPrefix + header.size()) % kAlignment, ' ');
  header += '\n';
  std::string content(kMagic);
  content += {'\x01', '\x00', static_cast<char>(header.size() & 0xff), static_cast<char>(header.size() >> 8)};
  content += header;
  content.append(reinterpret_cast<const char*>(values.data()), values.size_bytes());
  write_file(file, content);
}

NpyArray read_npy(const std::filesystem::path& file) {
  const auto bytes = read_file(file);
  std::string_view content(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const auto fail = [&](const std::string& what) -> void {
    throw DataError(quote(file.string()) + " " + what + ": give an array that ensyn or numpy.save wrote");
  };
  if (content.size() < kPrefix || !content.starts_with(kMagic)) fail("is not an .npy file");
  if (content[6] != 1) fail("is of .npy version " + std::to_string(content[6]) + ", not 1");
  const std::size_t length = static_cast<std::size_t>(bytes[8]) | static_cast<std::size_t>(bytes[9]) << 8;
  if (content.size() < kPrefix + length) fail("is cut off");
  const std::string_view header = content.substr(kPrefix, length);
  content.remove_prefix(kPrefix + length);
  if (!value_of(header, "descr").starts_with("'<f8'")) fail("does not hold doubles (<f8)");
  if (!value_of(header, "fortran_order").starts_with("False")) fail("is not in C order");
  const auto shape = shape_from(value_of(header, "shape"));
  const auto count = shape ? count_of(*shape) : std::nullopt;
  if (!count) fail("has no shape that can be read");
  if (content.size() != *count * sizeof(double)) {
    fail("has " + std::to_string(content.size()) + " bytes of values where its shape asks for " +
         std::to_string(*count * sizeof(double)));
  }
  NpyArray array{*shape, std::vector<double>(*count)};
  // memcpy may not be given the null pointer of an empty vector.
  if (!content.empty()) std::memcpy(array.values.data(), content.data(), content.size());
  return array;
}

}  // namespace ensyn::driver
