#include "host/data/idx.h"

#include <limits>
#include <utility>

#include "ensyn/error.h"
#include "host/io/message.h"

namespace ensyn {
namespace {

constexpr std::uint8_t kUnsignedByte = 0x08;
constexpr std::size_t kPrefix = 4;

[[noreturn]] void fail(const std::string& source, const std::string& what) {
  throw DataError(quote(source) + ": " + what + "; get the file again or name an IDX file");
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
  if (content[2] != kUnsignedByte) {
    fail(source, "its IDX element type is " + std::to_string(content[2]) + ", not 8 (unsigned byte)");
  }
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
      fail(source, "it is empty: dimension " + std::to_string(i) + " has size 0");
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
