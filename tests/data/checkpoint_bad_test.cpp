#include <cmath>
#include <functional>
#include <limits>
#include <nlohmann/json.hpp>

#include "data/checkpoint_support.h"
#include "data/support.h"
#include "ensyn/population.h"
#include "host/io/safetensors.h"

namespace ensyn {
namespace {

using nlohmann::json;
using test::Bytes;
using test::bytes_of;
using test::expect_error;
using test::get;
using test::make_checkpoint;
using test::put;
using test::safetensors;
using test::TempFolder;

/// A valid checkpoint taken apart, to be put together with something wrong.
class BadCheckpoint : public testing::Test {
 protected:
  BadCheckpoint() { load({NoiseKind::heterogeneous, NoiseKind::homogeneous}); }

  void load(const std::vector<NoiseKind>& kinds, Precision precision = Precision::single_precision) {
    write_checkpoint(file_, make_checkpoint(kinds, precision));
    const auto content = get(file_);
    const auto start = read_safetensors_header(file_).data_offset;
    header_ = json::parse(content.begin() + 8, content.begin() + static_cast<std::ptrdiff_t>(start));
    data_.assign(content.begin() + static_cast<std::ptrdiff_t>(start), content.end());
  }

  [[nodiscard]] Bytes content() const { return safetensors(header_.dump(), data_); }

  json& metadata(const std::string& key) { return header_["__metadata__"][key]; }

  /// Replaces something in the configuration.
  void set_config(const json::json_pointer& where, const json& value) {
    auto config = json::parse(metadata("config").get<std::string>());
    config[where] = value;
    metadata("config") = config.dump();
  }

  template <typename T>
  void set_value(const std::string& tensor, std::size_t index, T value) {
    const auto begin = header_[tensor]["data_offsets"][0].get<std::size_t>();
    std::memcpy(data_.data() + begin + index * sizeof value, &value, sizeof value);
  }

  /// Both readers must say so; `parts` also in the header-only one.
  void expect_bad(std::initializer_list<std::string> parts) {
    put(file_, content());
    expect_bad_file(parts);
  }
  void expect_bad_file(std::initializer_list<std::string> parts) {
    for (const auto& text : {expect_error<DataError>([&] { (void)read_checkpoint(file_); }, parts),
                             expect_error<DataError>([&] { (void)read_checkpoint_info(file_); }, parts)}) {
      EXPECT_THAT(text, testing::HasSubstr(file_.string()));
    }
  }
  /// Only reading the tensors can tell.
  void expect_bad_values(std::initializer_list<std::string> parts) {
    put(file_, content());
    const auto text = expect_error<DataError>([&] { (void)read_checkpoint(file_); }, parts);
    EXPECT_THAT(text, testing::HasSubstr(file_.string()));
    EXPECT_NO_THROW((void)read_checkpoint_info(file_));
  }

  TempFolder folder_;
  std::filesystem::path file_ = folder_ / "model.safetensors";
  json header_;
  Bytes data_;
};

TEST_F(BadCheckpoint, TheUnchangedOneIsGood) {
  put(file_, content());
  EXPECT_NO_THROW((void)read_checkpoint(file_));
  EXPECT_NO_THROW((void)read_checkpoint_info(file_));
  // Other tools may add a remark of theirs.
  metadata("remark") = "kept";
  put(file_, content());
  EXPECT_NO_THROW((void)read_checkpoint(file_));
}

TEST_F(BadCheckpoint, EveryTruncationIsAnError) {
  const auto whole = get(file_);
  for (std::size_t size = 0; size < whole.size(); size += size + 100 < whole.size() ? 37 : 1) {
    put(file_, Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)));
    expect_bad_file({});
  }
}

TEST_F(BadCheckpoint, HeaderLengths) {
  auto whole = get(file_);
  for (std::size_t i = 0; i < 8; ++i) {
    whole[i] = 0xff;
  }
  put(file_, whole);
  expect_bad_file({"18446744073709551615"});
  whole[7] = 0x7f;
  put(file_, whole);
  expect_bad_file({"header length"});
}

TEST_F(BadCheckpoint, MissingAndOtherFiles) {
  expect_error<IoError>([&] { (void)read_checkpoint(folder_ / "none"); }, {"none", "No such file"});
  expect_error<IoError>([&] { (void)read_checkpoint_info(folder_ / "none"); }, {"none", "No such file"});
  expect_error<IoError>([&] { (void)read_checkpoint(folder_.path()); }, {"Is a directory"});
  put(file_, bytes_of("PK\x03\x04 some archive or other, long enough"));
  expect_bad_file({"is it a safetensors file?"});
  put(file_, {});
  expect_bad_file({"0 bytes"});
  put(file_, safetensors(R"({"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", Bytes(4)));
  expect_bad_file({"'format'", "not written by ensyn"});
}

TEST_F(BadCheckpoint, Versions) {
  metadata("format_version") = "2";
  expect_bad({"format_version is 2", "reads 1"});
  metadata("format_version") = "1";
  metadata("noise_contract") = "0";
  expect_bad({"noise_contract is 0", "reads 1"});
  metadata("noise_contract") = "1";
  metadata("format") = "pt";
  expect_bad({"format is 'pt'", "not ensyn"});
}

TEST_F(BadCheckpoint, MissingMetadata) {
  for (const char* key :
       {"format", "format_version", "noise_contract", "step", "train_examples", "config", "epoch_sums"}) {
    load({NoiseKind::homogeneous});
    header_["__metadata__"].erase(key);
    expect_bad({std::string("'") + key + "'"});
  }
  header_.erase("__metadata__");
  expect_bad({"'format'"});
}

TEST_F(BadCheckpoint, Numbers) {
  for (const char* key : {"step", "train_examples", "format_version", "noise_contract"}) {
    for (const char* bad : {"", "-1", "1.5", " 1", "1 ", "0x1", "18446744073709551616", "nan"}) {
      load({NoiseKind::homogeneous});
      metadata(key) = bad;
      expect_bad({"'" + std::string(key) + "'", "'" + std::string(bad) + "'", "whole number"});
    }
  }
  load({NoiseKind::homogeneous});
  metadata("step") = std::to_string((std::uint64_t{1} << 40) + 1);
  expect_bad({"step = 1099511627777"});
  load({NoiseKind::homogeneous});
  metadata("train_examples") = "4";
  expect_bad({"train_examples = 4", "batch size 5"});
  metadata("train_examples") = "0";
  expect_bad({"train_examples = 0"});
}

TEST_F(BadCheckpoint, Digests) {
  for (const char* bad : {"", "0123abc", "0123abcde", "0123ABCD", "0123 bcd"}) {
    load({NoiseKind::homogeneous});
    metadata("train_digest") = bad;
    expect_bad({"'train_digest'", "'" + std::string(bad) + "'", "hexadecimal"});
  }
}

TEST_F(BadCheckpoint, Configurations) {
  metadata("config") = "{";
  expect_bad({"configuration", "not valid JSON"});
  metadata("config") = "[]";
  expect_bad({"configuration", "an object"});
  metadata("config") = std::string(1000, '[');
  expect_bad({"configuration", "nested"});
  const auto check = [&](const char* where, const json& value, std::initializer_list<std::string> parts) {
    load({NoiseKind::heterogeneous, NoiseKind::homogeneous});
    set_config(json::json_pointer(where), value);
    expect_bad(parts);
  };
  check("/bach", 3, {"bad configuration", "'bach' is unknown"});
  check("/batch", 0, {"batch = 0"});
  check("/members/1/costs/0/rho", -1, {"members[1].costs[0].rho = -1"});
  check("/members/0/sigma_init", nullptr, {"members[0].sigma_init is null"});
  check("/members/0/noise", "loud", {"members[0].noise", "'loud'"});
  check("/architecture/sizes/1", 0, {"architecture.sizes[1] = 0"});
  check("/precision", "half", {"precision", "'half'"});
}

TEST_F(BadCheckpoint, ConfigurationsThatDoNotFitTheTensors) {
  const auto check = [&](const char* where, const json& value, std::initializer_list<std::string> parts) {
    load({NoiseKind::heterogeneous, NoiseKind::homogeneous});
    set_config(json::json_pointer(where), value);
    expect_bad(parts);
  };
  check("/architecture/sizes", {3, 5, 2}, {"m0.layer0.mu has shape 4 x 4", "asks for 5 x 4"});
  check("/architecture/sizes", {2147483646, 4, 2}, {"m0.layer0.mu has shape 4 x 4", "4 x 2147483647"});
  check("/architecture/sizes", {3, 2}, {"m0.layer0.mu has shape"});
  check("/architecture/sizes", {3, 4, 2, 2}, {"m0.layer2.mu is missing"});
  check("/architecture/sizes", std::vector<int>(4000, 2), {"too few for 2 networks of 3999 layers"});
  check("/precision", "double", {"m0.layer0.mu has dtype F32", "asks for F64"});
  check("/members/0/noise", "homogeneous", {"m0.phi is missing"});
  check("/members/1/noise", "heterogeneous", {"m1.layer0.phi is missing"});
  load({NoiseKind::heterogeneous, NoiseKind::homogeneous});
  auto config = json::parse(metadata("config").get<std::string>());
  config["members"].erase(1);
  metadata("config") = config.dump();
  metadata("epoch_sums") = R"([{"examples":0,"correct":0,"nll":0}])";
  expect_bad({"layer0.mu is missing"});
  config["members"] = std::vector<json>(1000, json::object());
  metadata("config") = config.dump();
  metadata("epoch_sums") =
      json(std::vector<json>(1000, json::parse(metadata("epoch_sums").get<std::string>())[0])).dump();
  expect_bad({"too few for 1000 networks"});
}

TEST_F(BadCheckpoint, Tensors) {
  const auto renamed = [&](const std::string& from, const std::string& to) {
    load({NoiseKind::homogeneous});
    header_[to] = header_[from];
    header_.erase(from);
  };
  renamed("sigma", "sigma2");
  expect_bad({"tensor sigma is missing"});
  renamed("layer0.mu", "layer2.mu");
  expect_bad({"tensor layer0.mu is missing"});
  load({NoiseKind::homogeneous});
  header_["more\n"] = {{"dtype", "F32"}, {"shape", {1}}, {"data_offsets", {data_.size(), data_.size() + 4}}};
  data_.resize(data_.size() + 4);
  expect_bad({"'more\\x0a' does not belong"});
  load({NoiseKind::homogeneous});
  header_["layer1.mu"]["shape"] = {5, 2};
  expect_bad({"layer1.mu has shape 5 x 2", "asks for 2 x 5"});
  header_["layer1.mu"]["shape"] = {10};
  expect_bad({"layer1.mu has shape 10"});
  load({NoiseKind::homogeneous});
  header_["phi"]["shape"] = json::array();
  expect_bad({"phi has shape scalar", "asks for 1"});
  load({NoiseKind::homogeneous});
  header_["layer1.mu"]["shape"] = {1, 5};
  header_["layer1.mu"]["dtype"] = "F64";
  expect_bad({"layer1.mu has shape 1 x 5"});
}

TEST_F(BadCheckpoint, EpochSums) {
  const json good{{"examples", 15}, {"correct", 7}, {"nll", 0.5}};
  const auto with = [&](const char* key, const json& value) {
    auto changed = good;
    changed[key] = value;
    return changed;
  };
  auto incomplete = good;
  incomplete.erase("nll");
  for (const auto& bad :
       {json(), json(3), json::object(), json::array(), json{good, good}, json{3}, json{json::array()},
        json{incomplete}, json{with("more", 1)}, json{with("examples", -1)}, json{with("examples", 1.5)},
        json{with("examples", 101)}, json{with("correct", 16)}, json{with("nll", nullptr)},
        json{with("nll", "0.5")}}) {
    load({NoiseKind::homogeneous});
    metadata("epoch_sums") = bad.dump();
    expect_bad({"'epoch_sums'"});
  }
  for (const char* bad : {"", "[", "nan", R"([{"examples":1,"examples":1,"correct":1,"nll":1}])"}) {
    load({NoiseKind::homogeneous});
    metadata("epoch_sums") = bad;
    expect_bad({"'epoch_sums'"});
  }
}

TEST_F(BadCheckpoint, ValuesThatCannotBe) {
  for (const float bad : {std::nanf(""), HUGE_VALF, -HUGE_VALF}) {
    for (const char* tensor : {"m0.layer0.mu", "m0.layer1.phi", "m0.layer1.sigma", "m0.layer0.mu.moment1",
                               "m1.layer0.mu.moment2", "m1.phi", "m1.phi.moment1", "m1.sigma"}) {
      load({NoiseKind::heterogeneous, NoiseKind::homogeneous});
      set_value(tensor, 0, bad);
      expect_bad_values({std::string("tensor ") + tensor + " has", "finite", "element 0"});
    }
  }
  for (const char* tensor :
       {"m0.layer0.mu.moment2", "m0.layer1.phi.moment2", "m0.layer1.sigma", "m1.phi.moment2", "m1.sigma"}) {
    load({NoiseKind::heterogeneous, NoiseKind::homogeneous});
    set_value(tensor, 0, -1e-30f);
    expect_bad_values({std::string("tensor ") + tensor + " has a negative value"});
  }
  load({NoiseKind::heterogeneous}, Precision::double_precision);
  set_value("layer1.phi", 9, std::nan(""));
  expect_bad_values({"tensor layer1.phi has", "F64", "element 9"});
}

}  // namespace
}  // namespace ensyn
