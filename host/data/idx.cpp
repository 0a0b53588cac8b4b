#include "host/data/idx.h"

#include <limits>
#include <optional>
#include <string_view>
#include <utility>

#include "ensyn/error.h"
#include "host/base/message.h"

namespace ensyn {
namespace {

constexpr std::uint8_t kUnsignedByte = 0x08;
constexpr std::size_t kPrefix = 4;

[[noreturn]] void fail(const std::string& source, const std::string& what,
                       const std::string& advice = "get the file again or name an IDX file") {
  throw DataError(quote(source) + ": " + what + "; " + advice);
}

/// An element type of the format, in words; nothing where there is none of that number.
std::optional<std::string_view> type_name(std::uint8_t type) {
  switch (type) {
    case kUnsignedByte:
      return "unsigned bytes";
    case 0x09:
      return "signed bytes";
    case 0x0b:
      return "16-bit whole numbers";
    case 0x0c:
      return "32-bit whole numbers";
    case 0x0d:
      return "32-bit floating-point numbers";
    case 0x0e:
      return "64-bit floating-point numbers";
    default:
      return std::nullopt;
  }
}

/// A file of another type is sound: what to do is another thing than where it is damaged.
void check_type(std::uint8_t type, const std::string& source) {
  if (type == kUnsignedByte) {
    return;
  }
  const auto name = type_name(type);
  const std::string number = std::to_string(type);
  if (!name) {
    fail(source, "its IDX header has the element type " + number + ", which does not exist");
  }
  fail(source,
       "its elements are " + std::string(*name) + " (IDX element type " + number +
           "), which are not read: only unsigned bytes (type 8) are",
       "convert the file to unsigned bytes");
}

std::size_t big_endian(const std::uint8_t* bytes) {
  return static_cast<std::size_t>(bytes[0]) << 24 | static_cast<std::size_t>(bytes[1]) << 16 |
         static_cast<std::size_t>(bytes[2]) << 8 | static_cast<std::size_t>(bytes[3]);
}

std::vector<std::size_t> parse_sizes(const std::vector<std::uint8_t>& content, const std::string& source) {
  if (content.size() < kPrefix) {
    fail(source, "it has " + std::to_string(content.size()) + " bytes, too few for an IDX header");
  }
  if (content[0] != 0 || content[1] != 0) {
    fail(source, "it does not start with the two zero bytes of IDX");
  }
  check_type(content[2], source);
  const std::size_t dimensions = content[3];
  if (dimensions == 0) {
    fail(source, "its IDX header has no dimensions");
  }
  if (content.size() < kPrefix + 4 * dimensions) {
    fail(source, "it is truncated within its IDX header of " + std::to_string(dimensions) + " dimensions");
  }
  std::vector<std::size_t> sizes(dimensions);
  for (std::size_t i = 0; i < dimensions; ++i) {
    sizes[i] = big_endian(content.data() + kPrefix + 4 * i);
  }
  return sizes;
}

}  // namespace

IdxArray parse_idx(std::vector<std::uint8_t> content, const std::string& source) {
  auto sizes = parse_sizes(content, source);
  std::size_t elements = 1;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    if (sizes[i] == 0) {
      fail(source, "it is empty: dimension " + std::to_string(i) + " has size 0",
           "name a file with at least one element");
    }
    if (elements > std::numeric_limits<std::size_t>::max() / sizes[i]) {
      fail(source, "its IDX dimensions overflow: their product is beyond 2^64");
    }
    elements *= sizes[i];
  }
  const auto header = kPrefix + 4 * sizes.size();
  if (content.size() - header != elements) {
    fail(source, "its IDX header promises " + std::to_string(elements) + " bytes of data, but " +
                     std::to_string(content.size() - header) + " follow");
  }
  content.erase(content.begin(), content.begin() + static_cast<std::ptrdiff_t>(header));
  return {std::move(sizes), std::move(content)};
}

}  // namespace ensyn
