/// \file
/// What the tests of this folder share.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <zlib.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <iterator>
#include <stdexcept>
#include <string>
#include <string_view>
#include <typeinfo>
#include <vector>

#include "ensyn/error.h"

namespace ensyn::test {

using Bytes = std::vector<std::uint8_t>;

inline Bytes bytes_of(std::string_view text) {
  return Bytes(text.begin(), text.end());
}

/// A fresh folder, removed with all in it.
class TempFolder {
 public:
  TempFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "ensyn-test-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) {
      throw std::runtime_error("no temporary folder");
    }
    path_ = name;
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  ~TempFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] std::filesystem::path operator/(std::string_view name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

inline std::size_t entries_in(const std::filesystem::path& folder) {
  return static_cast<std::size_t>(
      std::distance(std::filesystem::directory_iterator(folder), std::filesystem::directory_iterator()));
}

/// Not the library's own writer, which is under test.
inline std::filesystem::path put(const std::filesystem::path& file, const Bytes& content) {
  std::ofstream stream(file, std::ios::binary);
  stream.write(reinterpret_cast<const char*>(content.data()), static_cast<std::streamsize>(content.size()));
  if (!stream.flush()) {
    throw std::runtime_error("cannot write " + file.string());
  }
  return file;
}

inline Bytes get(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return Bytes(std::istreambuf_iterator<char>(stream), {});
}

/// The text of the exception that `call` throws, which must be exactly an `Expected`, on one line, and hold
/// each of `parts`.
template <typename Expected, typename Call>
std::string expect_error(Call&& call, std::initializer_list<std::string> parts) {
  try {
    call();
  } catch (const std::exception& error) {
    const std::string text = error.what();
    EXPECT_TRUE(typeid(error) == typeid(Expected)) << typeid(error).name() << ": " << text;
    for (const auto& part : parts) {
      EXPECT_THAT(text, testing::HasSubstr(part));
    }
    EXPECT_EQ(text.find_first_of("\n\r"), text.npos) << text;
    EXPECT_LT(text.size(), 1000u) << text;
    return text;
  }
  ADD_FAILURE() << "no exception was thrown";
  return {};
}

/// An IDX file of unsigned bytes.
inline Bytes idx(const std::vector<std::uint32_t>& sizes, const Bytes& values) {
  Bytes content{0, 0, 8, static_cast<std::uint8_t>(sizes.size())};
  for (const auto size : sizes) {
    for (int shift = 24; shift >= 0; shift -= 8) {
      content.push_back(static_cast<std::uint8_t>(size >> shift));
    }
  }
  content.insert(content.end(), values.begin(), values.end());
  return content;
}

/// One gzip member.
inline Bytes gzip(const Bytes& content) {
  z_stream stream{};
  if (deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
    throw std::runtime_error("zlib");
  }
  Bytes out(deflateBound(&stream, static_cast<uLong>(content.size())));
  stream.next_in = const_cast<Bytef*>(content.data());
  stream.avail_in = static_cast<uInt>(content.size());
  stream.next_out = out.data();
  stream.avail_out = static_cast<uInt>(out.size());
  const int status = deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  if (status != Z_STREAM_END) {
    throw std::runtime_error("zlib");
  }
  return out;
}

/// A safetensors file of any header and data, right or wrong.
inline Bytes safetensors(std::string_view header, const Bytes& data = {}) {
  const std::uint64_t length = header.size();
  Bytes content(sizeof length + header.size() + data.size());
  std::memcpy(content.data(), &length, sizeof length);
  const auto rest = std::copy(header.begin(), header.end(), content.begin() + sizeof length);
  std::copy(data.begin(), data.end(), rest);
  return content;
}

}  // namespace ensyn::test
