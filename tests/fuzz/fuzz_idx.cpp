/// \file
/// Fuzzes gzip and IDX. The first byte of an input says what the rest is: 0 a file as it is; 1 the content of
/// a gzip file, compressed here so that its checksum holds; 2 two files, images and labels, the first as long
/// as the next two bytes say.
#include <zlib.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "ensyn/dataset.h"
#include "ensyn/error.h"
#include "fuzz/fuzz_support.h"
#include "host/data/idx.h"
#include "host/io/gzip.h"

namespace ensyn::fuzz {
namespace {

/// Little, so that a bomb costs the fuzzer nothing.
constexpr std::uint64_t kLimit = 1 << 20;

void parse(std::vector<std::uint8_t> content) {
  const auto size = content.size();
  const auto array = parse_idx(std::move(content), "input");
  std::size_t product = 1;
  for (const auto length : array.sizes) {
    product *= length;
  }
  require(product == array.values.size() && product > 0 && product < size, "sizes and values agree");
}

void file_as_it_is(std::span<const std::uint8_t> input) {
  auto content = gunzip_if_gzip({input.begin(), input.end()}, "input", kLimit);
  require(content.size() <= kLimit || !is_gzip(input), "the limit holds");
  parse(std::move(content));
}

void compressed_here(std::span<const std::uint8_t> input) {
  z_stream stream{};
  require(deflateInit2(&stream, 1, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK, "deflateInit");
  std::vector<std::uint8_t> packed(deflateBound(&stream, static_cast<uLong>(input.size())));
  stream.next_in = const_cast<Bytef*>(input.data());
  stream.avail_in = static_cast<uInt>(input.size());
  stream.next_out = packed.data();
  stream.avail_out = static_cast<uInt>(packed.size());
  require(deflate(&stream, Z_FINISH) == Z_STREAM_END, "deflate");
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  auto content = gunzip_if_gzip(std::move(packed), "input", kLimit);
  require(content.size() == input.size() &&
              (input.empty() || std::memcmp(content.data(), input.data(), input.size()) == 0),
          "what was compressed comes back");
  parse(std::move(content));
}

void pair_of_files(std::span<const std::uint8_t> input) {
  if (input.size() < 2) {
    return;
  }
  const auto length = std::min<std::size_t>(input[0] + 256u * input[1], input.size() - 2);
  const MemoryFile images(input.subspan(2, length)), labels(input.subspan(2 + length));
  const auto data = Dataset::from_idx(images.path(), labels.path());
  require(data.bytes().size() == data.size() * static_cast<std::size_t>(data.feature_count()),
          "features and examples agree");
  require(data.labels().size() == data.size(), "labels and examples agree");
  for (const auto label : data.labels()) {
    require(label < data.classes(), "labels are in range");
  }
}

}  // namespace
}  // namespace ensyn::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) {
    return 0;
  }
  const std::span<const std::uint8_t> rest(data + 1, size - 1);
  try {
    switch (data[0] % 3) {
      case 0:
        ensyn::fuzz::file_as_it_is(rest);
        break;
      case 1:
        ensyn::fuzz::compressed_here(rest);
        break;
      default:
        ensyn::fuzz::pair_of_files(rest);
        break;
    }
  } catch (const ensyn::DataError&) {
    // The only error that content may cause.
  }
  return 0;
}
