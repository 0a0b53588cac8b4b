#include "host/io/safetensors.h"

#include <cmath>
#include <limits>

#include "data/support.h"

namespace ensyn {
namespace {

using test::Bytes;
using test::bytes_of;
using test::expect_error;
using test::put;
using test::safetensors;
using test::TempFolder;

SafetensorsHeader parse(const Bytes& content) {
  return parse_safetensors_header(content, content.size(), "model");
}

std::vector<double> values_of(const Bytes& content, const SafetensorsHeader& header,
                              const std::string& name) {
  const auto& entry = header.tensors.at(name);
  std::vector<double> values(entry.elements());
  decode_tensor(content, header, entry, values);
  return values;
}

TEST(Safetensors, RoundTrip) {
  const std::vector<double> a{0.1, -0.0, 5e-324, 1e308, 1, 2};
  const std::vector<double> b{1.5, -2.25, static_cast<double>(std::numeric_limits<float>::denorm_min())};
  const std::vector<double> c{7};
  const TensorSource tensors[] = {{"z.a", TensorType::f64, {2, 3}, a},
                                  {"b", TensorType::f32, {3, 1}, b},
                                  {"scalar \"\n", TensorType::f32, {}, c},
                                  {"none", TensorType::f64, {0, 5}, {}}};
  const std::map<std::string, std::string> metadata{{"key", "a \"text\"\n"}, {"", "empty"}};
  const auto content = format_safetensors(metadata, tensors);
  const auto header = parse(content);
  EXPECT_EQ(header.metadata, metadata);
  EXPECT_EQ(header.data_offset % 8, 0u);
  ASSERT_EQ(header.tensors.size(), 4u);
  EXPECT_EQ(header.tensors.at("z.a").shape, (std::vector<std::uint64_t>{2, 3}));
  EXPECT_EQ(header.tensors.at("z.a").type, TensorType::f64);
  EXPECT_EQ(header.tensors.at("b").type, TensorType::f32);
  EXPECT_EQ(values_of(content, header, "z.a"), a);
  EXPECT_TRUE(std::signbit(values_of(content, header, "z.a")[1]));
  EXPECT_EQ(values_of(content, header, "b"), b);
  EXPECT_EQ(values_of(content, header, "scalar \"\n"), c);
  EXPECT_TRUE(values_of(content, header, "none").empty());
}

TEST(Safetensors, FloatsAreRoundedToTheirType) {
  const std::vector<double> values{0.1};
  const TensorSource tensors[] = {{"a", TensorType::f32, {1}, values}};
  const auto content = format_safetensors({}, tensors);
  EXPECT_EQ(values_of(content, parse(content), "a")[0], static_cast<double>(0.1f));
}

/// As written by the reference implementation (safetensors 0.8.0 for Python), byte for byte.
TEST(Safetensors, ReadsWhatTheReferenceWrites) {
  const auto content =
      safetensors(R"({"__metadata__":{"k":"v"},"y":{"dtype":"F64","shape":[1],"data_offsets":[0,8]},)"
                  R"("x":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}}   )",
                  {0, 0, 0, 0, 0, 0, 0xf8, 0x3f, 0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0});
  const auto header = parse(content);
  EXPECT_EQ(header.metadata.at("k"), "v");
  EXPECT_EQ(values_of(content, header, "y"), (std::vector<double>{1.5}));
  EXPECT_EQ(values_of(content, header, "x"), (std::vector<double>{1, -2}));
}

TEST(Safetensors, AnEmptyFileOfTensorsIsValid) {
  EXPECT_TRUE(parse(safetensors("{}")).tensors.empty());
  EXPECT_EQ(parse(format_safetensors({}, {})).data_offset % 8, 0u);
}

void expect_bad(const Bytes& content, std::initializer_list<std::string> parts) {
  const auto text = expect_error<DataError>([&] { (void)parse(content); }, parts);
  EXPECT_THAT(text, testing::StartsWith("'model': "));
}

TEST(Safetensors, BadHeaderLengths) {
  expect_bad({}, {"0 bytes"});
  expect_bad({1, 2, 3, 4, 5, 6, 7}, {"7 bytes"});
  expect_bad({100, 0, 0, 0, 0, 0, 0, 0, '{', '}'}, {"truncated", "100 bytes", "only 2"});
  expect_bad(Bytes(20, 0xff), {"18446744073709551615", "limit"});
  expect_bad({0xfd, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, '{', '}'}, {"18446744073709551613"});
  expect_bad({1, 0xe1, 0xf5, 5, 0, 0, 0, 0, '{', '}'}, {"100000001", "limit"});
  expect_bad({0, 0xe1, 0xf5, 5, 0, 0, 0, 0, '{', '}'}, {"truncated", "100000000"});
}

TEST(Safetensors, BadHeaderText) {
  expect_bad(safetensors(""), {"not a JSON object"});
  expect_bad(safetensors("[]"), {"not a JSON object"});
  expect_bad(safetensors(" {}"), {"not a JSON object"});
  expect_bad(safetensors("{"), {"not valid JSON"});
  expect_bad(safetensors("{} x"), {"not valid JSON"});
  expect_bad(safetensors("{\"a\": \"\xff\"}"), {"not valid JSON"});
  expect_bad(safetensors("{\"a\":" + std::string(100'000, '[')), {"nested"});
  expect_bad(safetensors(R"({"a":1})"), {"tensor 'a' is not an object"});
  expect_bad(safetensors(R"({"__metadata__":[]})"), {"__metadata__ is not an object"});
  expect_bad(safetensors(R"({"__metadata__":{"k":1}})"), {"metadata 'k' is not a string"});
  expect_bad(safetensors(R"({"__metadata__":{"k":"1","k":"2"}})"), {"'k' is given twice"});
}

/// One tensor named t; `entry` is the inside of its object.
Bytes one(const std::string& entry, std::size_t data) {
  return safetensors("{\"t\":{" + entry + "}}", Bytes(data));
}

TEST(Safetensors, BadEntries) {
  const std::string type = R"("dtype":"F32",)", shape = R"("shape":[2],)", place = R"("data_offsets":[0,8])";
  EXPECT_NO_THROW((void)parse(one(type + shape + place, 8)));
  expect_bad(one(shape + place, 8), {"'t' has no dtype"});
  expect_bad(one(type + place, 8), {"'t' has no shape"});
  expect_bad(one(R"("dtype":"F32","shape":[2])", 8), {"'t' has no data_offsets"});
  expect_bad(one(type + shape + R"("extra":1,)" + place, 8), {"'t' has the unknown key 'extra'"});
  expect_bad(one(type + type + shape + place, 8), {"'dtype' is given twice"});
  expect_bad(one(R"("dtype":3,)" + shape + place, 8), {"'t' has a dtype that is not a string"});
  expect_bad(one(R"("dtype":"I32",)" + shape + place, 8), {"'t' has dtype 'I32'", "F32 or F64"});
  expect_bad(one(R"("dtype":"F32\n",)" + shape + place, 8), {"'F32\\x0a'"});
  for (const char* bad : {"{}", "2", "null"}) {
    expect_bad(one(type + "\"shape\":" + bad + "," + place, 8), {"'t' has shape that is not an array"});
  }
  for (const char* bad : {"[-2]", "[2.0]", "[\"2\"]", "[null]", "[[2]]", "[18446744073709551616]"}) {
    expect_bad(one(type + "\"shape\":" + bad + "," + place, 8), {"'t' has shape with something else"});
  }
  for (const char* bad : {"[]", "[8]", "[0,8,8]", "[8,0]", "[0,9]", "[0,18446744073709551615]"}) {
    expect_bad(one(type + shape + "\"data_offsets\":" + bad, 8), {"'t' has data_offsets", "8 bytes"});
  }
  expect_bad(one(type + shape + R"("data_offsets":[0,-8])", 8), {"'t' has data_offsets with something else"});
  expect_bad(one(type + shape + R"("data_offsets":"0,8")", 8), {"'t' has data_offsets that is not an array"});
}

TEST(Safetensors, BadSizes) {
  const auto tensor = [](const std::string& type, const std::string& shape) {
    return one("\"dtype\":\"" + type + "\",\"shape\":" + shape + ",\"data_offsets\":[0,8]", 8);
  };
  expect_bad(tensor("F32", "[3]"), {"'t' needs 12 bytes", "span 8"});
  expect_bad(tensor("F64", "[2]"), {"'t' needs 16 bytes"});
  expect_bad(tensor("F32", "[]"), {"'t' needs 4 bytes"});
  expect_bad(tensor("F32", "[2,0]"), {"'t' needs 0 bytes"});
  expect_bad(tensor("F32", "[4294967296,4294967296]"), {"'t'", "overflows"});
  // 2^62 elements of 4 bytes wrap to 0, and one more to 4.
  expect_bad(tensor("F32", "[4611686018427387904]"), {"'t'", "overflows"});
  expect_bad(tensor("F32", "[4611686018427387906]"), {"'t'", "overflows"});
}

TEST(Safetensors, HolesOverlapsAndTrailingData) {
  const auto pair = [](const std::string& first, const std::string& second, std::size_t data) {
    const std::string entry = R"({"dtype":"F32","shape":[1],"data_offsets":)";
    return safetensors("{\"a\":" + entry + first + "},\"b\":" + entry + second + "}}", Bytes(data));
  };
  EXPECT_NO_THROW((void)parse(pair("[4,8]", "[0,4]", 8)));
  expect_bad(pair("[0,4]", "[0,4]", 4), {"'b' start at byte 0", "end at 4"});
  expect_bad(pair("[0,4]", "[2,6]", 6), {"'b' start at byte 2", "end at 4"});
  expect_bad(pair("[0,4]", "[8,12]", 12), {"'b' start at byte 8", "end at 4"});
  expect_bad(pair("[4,8]", "[8,12]", 12), {"'a' start at byte 4", "end at 0"});
  expect_bad(pair("[0,4]", "[4,8]", 9), {"have 8 bytes", "9 follow"});
  expect_bad(pair("[0,4]", "[4,8]", 7), {"data_offsets", "7 bytes", "truncated"});
  expect_bad(safetensors("{}", Bytes(1)), {"have 0 bytes", "1 follow"});
}

TEST(Safetensors, EveryTruncationIsAnError) {
  const std::vector<double> values{1, 2, 3};
  const TensorSource tensors[] = {{"a", TensorType::f32, {3}, values}};
  const auto content = format_safetensors({{"k", "v"}}, tensors);
  for (std::size_t size = 0; size < content.size(); ++size) {
    expect_bad(Bytes(content.begin(), content.begin() + static_cast<std::ptrdiff_t>(size)), {});
  }
}

TEST(Safetensors, ReadsTheHeaderOfAFile) {
  const TempFolder folder;
  const std::vector<double> values(1000, 1.0);
  const TensorSource tensors[] = {{"a", TensorType::f64, {1000}, values}};
  const auto content = format_safetensors({{"k", "v"}}, tensors);
  const auto file = put(folder / "model", content);
  const auto header = read_safetensors_header(file);
  EXPECT_EQ(header.metadata.at("k"), "v");
  EXPECT_EQ(header.tensors.at("a").elements(), 1000u);
  put(file, Bytes(content.begin(), content.end() - 1));
  expect_error<DataError>([&] { (void)read_safetensors_header(file); }, {file.string(), "truncated"});
  put(file, {1, 2});
  expect_error<DataError>([&] { (void)read_safetensors_header(file); }, {file.string(), "2 bytes"});
  expect_error<IoError>([&] { (void)read_safetensors_header(folder / "missing"); },
                        {"missing", "No such file or directory"});
  expect_error<IoError>([&] { (void)read_safetensors_header(folder.path()); }, {"Is a directory"});
}

TEST(Safetensors, ATooLongHeaderIsNotWritten) {
  const std::map<std::string, std::string> metadata{{"k", std::string(100'000'000, 'x')}};
  expect_error<DataError>([&] { (void)format_safetensors(metadata, {}); }, {"limit of 100000000"});
}

}  // namespace
}  // namespace ensyn
