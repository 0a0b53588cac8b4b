#include "host/data/idx.h"

#include "data/support.h"

namespace ensyn {
namespace {

using test::Bytes;
using test::expect_error;
using test::idx;

TEST(Idx, ReadsSizesAndValues) {
  const auto array = parse_idx(idx({2, 1, 3}, {1, 2, 3, 4, 5, 255}), "f");
  EXPECT_EQ(array.sizes, (std::vector<std::size_t>{2, 1, 3}));
  EXPECT_EQ(array.values, (Bytes{1, 2, 3, 4, 5, 255}));
  EXPECT_EQ(parse_idx(idx({4}, {0, 9, 8, 7}), "f").sizes, (std::vector<std::size_t>{4}));
}

void expect_bad(const Bytes& content, std::initializer_list<std::string> parts) {
  const auto text = expect_error<DataError>([&] { (void)parse_idx(content, "dir/images"); }, parts);
  EXPECT_THAT(text, testing::StartsWith("'dir/images': "));
}

TEST(Idx, BadMagic) {
  expect_bad({}, {"0 bytes"});
  expect_bad({0, 0, 8}, {"3 bytes"});
  expect_bad({'P', 'N', 'G', 1, 0, 0, 0, 1, 5}, {"two zero bytes"});
  expect_bad({0, 1, 8, 1, 0, 0, 0, 1, 5}, {"two zero bytes"});
  expect_bad({0, 0, 7, 1, 0, 0, 0, 1, 5}, {"element type 7", "does not exist", "get the file again"});
  expect_bad({0, 0, 8, 0, 5}, {"no dimensions"});
}

TEST(Idx, SoundFilesOfOtherTypesAreNotCalledDamaged) {
  for (const auto& [type, name] : {std::pair{9, "signed bytes"},
                                   {11, "16-bit whole"},
                                   {12, "32-bit whole"},
                                   {13, "32-bit floating"},
                                   {14, "64-bit floating"}}) {
    const Bytes content{0, 0, static_cast<std::uint8_t>(type), 1, 0, 0, 0, 1, 5};
    expect_bad(content, {name, "type " + std::to_string(type), "convert the file to unsigned bytes"});
    const auto text = expect_error<DataError>([&] { (void)parse_idx(content, "f"); }, {});
    EXPECT_THAT(text, testing::Not(testing::HasSubstr("get the file again")));
  }
  const auto text =
      expect_error<DataError>([] { (void)parse_idx(idx({0}, {}), "f"); }, {"at least one element"});
  EXPECT_THAT(text, testing::Not(testing::HasSubstr("get the file again")));
}

TEST(Idx, SizesThatDoNotFit) {
  expect_bad({0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0}, {"truncated", "3 dimensions"});
  expect_bad({0, 0, 8, 255}, {"truncated", "255 dimensions"});
  expect_bad(idx({0, 28, 28}, {}), {"empty", "dimension 0"});
  expect_bad(idx({2, 0}, {}), {"empty", "dimension 1"});
  expect_bad(idx({2, 3}, {1, 2, 3, 4, 5}), {"promises 6 bytes", "but 5 follow"});
  expect_bad(idx({2, 3}, {1, 2, 3, 4, 5, 6, 7}), {"promises 6 bytes", "but 7 follow"});
  expect_bad(idx({0xffffffff}, {1}), {"promises 4294967295 bytes"});
}

TEST(Idx, DimensionsThatOverflow) {
  expect_bad(idx({0xffffffff, 0xffffffff, 0xffffffff}, {1, 2}), {"overflow"});
  // 2^32 * 2^32 would be 0 in 64 bits.
  expect_bad(idx({0x80000000, 0x80000000, 4}, {}), {"overflow"});
}

}  // namespace
}  // namespace ensyn
