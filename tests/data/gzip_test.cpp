#include "host/io/gzip.h"

#include <numeric>

#include "data/support.h"

namespace ensyn {
namespace {

using test::Bytes;
using test::bytes_of;
using test::expect_error;
using test::gzip;

/// Pseudo-random bytes, which do not compress.
Bytes noise(std::size_t count) {
  Bytes bytes(count);
  std::uint32_t state = 1;
  for (auto& byte : bytes) {
    state = state * 1664525 + 1013904223;
    byte = static_cast<std::uint8_t>(state >> 24);
  }
  return bytes;
}

TEST(Gzip, DecompressesWhatItRecognises) {
  for (const std::size_t size : {0u, 1u, 65536u, 65537u, 300000u}) {
    const auto content = noise(size);
    EXPECT_EQ(gunzip_if_gzip(gzip(content), "f"), content) << size;
  }
  EXPECT_EQ(gunzip(gzip(Bytes(10'000'000, 7)), "f"), Bytes(10'000'000, 7));
}

TEST(Gzip, PlainContentPassesThrough) {
  for (const auto& content : {Bytes{}, Bytes{0x1f}, Bytes{0, 0, 8, 1}, bytes_of("text"), Bytes{0x8b, 0x1f}}) {
    EXPECT_EQ(gunzip_if_gzip(content, "f"), content);
  }
}

TEST(Gzip, SeveralMembersFollowEachOther) {
  auto content = gzip(bytes_of("one "));
  for (const char* more : {"", "two ", "three"}) {
    const auto member = gzip(bytes_of(more));
    content.insert(content.end(), member.begin(), member.end());
  }
  EXPECT_EQ(gunzip(content, "f"), bytes_of("one two three"));
}

TEST(Gzip, EveryTruncationIsAnError) {
  const auto content = gzip(noise(500));
  for (std::size_t size = 2; size < content.size(); ++size) {
    const Bytes part(content.begin(), content.begin() + static_cast<std::ptrdiff_t>(size));
    expect_error<DataError>([&] { (void)gunzip_if_gzip(part, "a.gz"); }, {"'a.gz'", "truncated"});
  }
  expect_error<DataError>([] { (void)gunzip({}, "a.gz"); }, {"'a.gz'", "truncated"});
}

TEST(Gzip, CorruptContentIsAnError) {
  const auto good = gzip(noise(500));
  // Method, deflate data, CRC and length.
  for (const std::size_t at : {std::size_t{2}, std::size_t{100}, good.size() - 8, good.size() - 4}) {
    auto bad = good;
    bad[at] ^= 0x55;
    expect_error<DataError>([&] { (void)gunzip_if_gzip(bad, "a.gz"); }, {"'a.gz'", "corrupt"});
  }
}

TEST(Gzip, TrailingBytesAreAnError) {
  for (const auto& rest : {Bytes{0, 1}, Bytes{0x1f}, bytes_of("garbage")}) {
    auto content = gzip(bytes_of("text"));
    content.insert(content.end(), rest.begin(), rest.end());
    expect_error<DataError>([&] { (void)gunzip(content, "a.gz"); },
                            {"'a.gz'", "followed by " + std::to_string(rest.size())});
  }
  auto content = gzip(bytes_of("text"));
  const Bytes half_header{0x1f, 0x8b, 8};
  content.insert(content.end(), half_header.begin(), half_header.end());
  expect_error<DataError>([&] { (void)gunzip(content, "a.gz"); }, {"'a.gz'", "truncated"});
}

TEST(Gzip, ZerosBehindAreIgnored) {
  for (const std::size_t zeros : {1u, 511u}) {
    auto content = gzip(bytes_of("text"));
    content.resize(content.size() + zeros);
    EXPECT_EQ(gunzip(content, "a.gz"), bytes_of("text"));
  }
  const auto member = gzip(bytes_of("more"));
  auto content = gzip(bytes_of("text"));
  content.push_back(0);
  content.insert(content.end(), member.begin(), member.end());
  expect_error<DataError>([&] { (void)gunzip(content, "a.gz"); },
                          {"'a.gz'", "followed by " + std::to_string(member.size() + 1)});
}

TEST(Gzip, ABombStopsAtTheLimit) {
  const auto bomb = gzip(Bytes(50'000'000, 0));
  EXPECT_LT(bomb.size(), 100'000u);
  expect_error<DataError>([&] { (void)gunzip(bomb, "bomb", 1'000'000); }, {"'bomb'", "1000000 bytes"});
  EXPECT_EQ(gunzip(gzip(Bytes(1000, 3)), "f", 1000), Bytes(1000, 3));
  expect_error<DataError>([&] { (void)gunzip(gzip(Bytes(1001, 3)), "f", 1000); }, {"1000 bytes"});
}

}  // namespace
}  // namespace ensyn
