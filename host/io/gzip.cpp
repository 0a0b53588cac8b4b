#include "host/io/gzip.h"

#include <zlib.h>

#include <algorithm>
#include <cstddef>
#include <limits>
#include <new>

#include "ensyn/error.h"
#include "host/base/message.h"

namespace ensyn {
namespace {

constexpr std::size_t kFirstChunk = std::size_t{64} << 10;
/// zlib counts in `unsigned`; what is larger goes in pieces.
constexpr std::size_t kMaxPiece = std::size_t{1} << 30;

[[noreturn]] void fail(const std::string& source, const std::string& what) {
  throw DataError(quote(source) + ": " + what);
}

[[noreturn]] void out_of_memory(const std::string& source, std::size_t bytes) {
  throw OutOfMemoryError("not enough memory to decompress " + quote(source) + " (more than " +
                         std::to_string(bytes) + " bytes)");
}

class Inflater {
 public:
  Inflater(std::span<const std::uint8_t> content, const std::string& source, std::uint64_t limit)
      : rest_(content), source_(source), limit_(limit) {
    // 16 asks for a gzip header and its checks instead of zlib's own.
    if (inflateInit2(&stream_, MAX_WBITS + 16) != Z_OK) {
      out_of_memory(source_, 0);
    }
  }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
  ~Inflater() { inflateEnd(&stream_); }

  std::vector<std::uint8_t> run() {
    for (;;) {
      const int status = step();
      if (status == Z_STREAM_END) {
        // Some copies and tapes pad a file with zeros, which gzip itself ignores too.
        if (std::ranges::all_of(rest_, [](std::uint8_t byte) { return byte == 0; })) {
          output_.resize(used_);
          return std::move(output_);
        }
        if (!is_gzip(rest_)) {
          fail(source_, "the gzip data is followed by " + std::to_string(rest_.size()) +
                            " other bytes; get the file again");
        }
        inflateReset(&stream_);
      } else if (status == Z_MEM_ERROR) {
        out_of_memory(source_, used_);
      } else if (status != Z_OK && status != Z_BUF_ERROR) {
        fail(source_, std::string("the gzip data is corrupt (") +
                          (stream_.msg != nullptr ? stream_.msg : "unusable stream") +
                          "); get the file again");
      } else if (rest_.empty() && used_ < output_.size()) {
        // Room left, nothing more to read, and not at the end.
        fail(source_, "the gzip data is truncated; get the file again");
      }
    }
  }

 private:
  /// One call of zlib, with room for at least one byte.
  int step() {
    if (used_ == output_.size()) {
      // Room for one byte beyond the limit shows that the limit is passed.
      const auto wanted = std::max(kFirstChunk, output_.size() * 2);
      output_.resize(static_cast<std::size_t>(std::min<std::uint64_t>(wanted, limit_ + 1)));
    }
    const auto in = std::min(rest_.size(), kMaxPiece);
    const auto room = std::min(output_.size() - used_, kMaxPiece);
    stream_.next_in = const_cast<Bytef*>(rest_.data());  // zlib does not write there
    stream_.avail_in = static_cast<uInt>(in);
    stream_.next_out = output_.data() + used_;
    stream_.avail_out = static_cast<uInt>(room);
    const int status = inflate(&stream_, Z_NO_FLUSH);
    rest_ = rest_.subspan(in - stream_.avail_in);
    used_ += room - stream_.avail_out;
    if (used_ > limit_) {
      fail(source_, "the gzip data expands to more than " + std::to_string(limit_) +
                        " bytes; decompress it yourself if that is right");
    }
    return status;
  }

  z_stream stream_{};
  std::span<const std::uint8_t> rest_;
  const std::string& source_;
  std::uint64_t limit_;
  std::vector<std::uint8_t> output_;
  std::size_t used_ = 0;
};

}  // namespace

bool is_gzip(std::span<const std::uint8_t> content) noexcept {
  return content.size() >= 2 && content[0] == 0x1f && content[1] == 0x8b;
}

std::vector<std::uint8_t> gunzip(std::span<const std::uint8_t> content, const std::string& source,
                                 std::uint64_t limit) {
  if (content.empty()) {
    fail(source, "the gzip data is truncated; get the file again");
  }
  try {
    return Inflater(content, source, limit).run();
  } catch (const std::bad_alloc&) {
    out_of_memory(source, content.size());
  }
}

std::vector<std::uint8_t> gunzip_if_gzip(std::vector<std::uint8_t> content, const std::string& source,
                                         std::uint64_t limit) {
  return is_gzip(content) ? gunzip(content, source, limit) : content;
}

}  // namespace ensyn
