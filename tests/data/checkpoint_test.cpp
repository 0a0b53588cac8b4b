#include "host/population/checkpoint.h"

#include <cmath>
#include <limits>

#include "data/checkpoint_support.h"
#include "data/support.h"
#include "ensyn/noise.h"
#include "ensyn/population.h"
#include "host/io/safetensors.h"

namespace ensyn {
namespace {

using test::entries_in;
using test::expect_error;
using test::get;
using test::make_checkpoint;
using test::TempFolder;

constexpr auto kHeterogeneous = NoiseKind::heterogeneous;
constexpr auto kHomogeneous = NoiseKind::homogeneous;

void expect_equal(const Checkpoint& got, const Checkpoint& expected) {
  EXPECT_EQ(got.config, expected.config);
  EXPECT_EQ(got.step, expected.step);
  EXPECT_EQ(got.train_examples, expected.train_examples);
  EXPECT_EQ(got.train_digest, expected.train_digest);
  ASSERT_EQ(got.members.size(), expected.members.size());
  for (std::size_t m = 0; m < got.members.size(); ++m) {
    EXPECT_TRUE(got.members[m].epoch == expected.members[m].epoch) << m;
    EXPECT_TRUE(got.members[m].shared_phi == expected.members[m].shared_phi) << m;
    EXPECT_TRUE(got.members[m].layers == expected.members[m].layers) << m;
  }
}

TEST(Checkpoint, RoundTripsExactly) {
  const TempFolder folder;
  const std::vector<std::vector<NoiseKind>> populations{
      {kHeterogeneous},
      {kHomogeneous},
      {NoiseKind::per_layer},
      {kHeterogeneous, kHomogeneous, NoiseKind::per_neuron, NoiseKind::per_layer, kHeterogeneous}};
  for (const auto precision : {Precision::single_precision, Precision::double_precision}) {
    for (const auto& kinds : populations) {
      const auto checkpoint = make_checkpoint(kinds, precision);
      write_checkpoint(folder / "model", checkpoint);
      expect_equal(read_checkpoint(folder / "model"), checkpoint);
    }
  }
  EXPECT_EQ(entries_in(folder.path()), 1u);
}

TEST(Checkpoint, ExtremeValuesSurvive) {
  const TempFolder folder;
  auto checkpoint = make_checkpoint({kHeterogeneous}, Precision::double_precision);
  auto& layer = checkpoint.members[0].layers[0];
  layer.mu = std::vector<double>(layer.mu.size(), std::numeric_limits<double>::max());
  layer.mu[1] = -0.0;
  layer.mu_moment2[0] = 5e-324;
  layer.phi[0] = -700;
  layer.phi[1] = 1e300;
  checkpoint.members[0].epoch = {100, 100, std::nextafter(1e10, 2e10)};
  checkpoint.step = std::uint64_t{1} << 40;
  write_checkpoint(folder / "model", checkpoint);
  const auto read = read_checkpoint(folder / "model");
  expect_equal(read, checkpoint);
  EXPECT_TRUE(std::signbit(read.members[0].layers[0].mu[1]));
}

TEST(Checkpoint, TheSameStateGivesTheSameFile) {
  const TempFolder folder;
  const auto checkpoint = make_checkpoint({kHeterogeneous, kHomogeneous});
  write_checkpoint(folder / "a", checkpoint);
  write_checkpoint(folder / "b", read_checkpoint(folder / "a"));
  EXPECT_EQ(get(folder / "a"), get(folder / "b"));
}

TEST(Checkpoint, NamesShapesAndMetadata) {
  const TempFolder folder;
  write_checkpoint(folder / "one", make_checkpoint({kHeterogeneous}));
  const auto one = read_safetensors_header(folder / "one");
  EXPECT_EQ(one.tensors.size(), 14u);
  for (const char* name : {"layer1.mu", "layer1.mu.moment1", "layer1.mu.moment2", "layer1.phi",
                           "layer1.phi.moment1", "layer1.phi.moment2", "layer1.sigma"}) {
    ASSERT_TRUE(one.tensors.contains(name)) << name;
    EXPECT_EQ(one.tensors.at(name).shape, (std::vector<std::uint64_t>{2, 5}));
    EXPECT_EQ(one.tensors.at(name).type, TensorType::f32);
  }
  EXPECT_EQ(one.metadata.at("format"), "ensyn");
  EXPECT_EQ(one.metadata.at("format_version"), "1");
  EXPECT_EQ(one.metadata.at("noise_contract"), std::to_string(kNoiseContract));
  EXPECT_EQ(one.metadata.at("train_examples"), "100");
  EXPECT_EQ(one.metadata.at("train_digest"), "0123abcd");
  EXPECT_EQ(one.metadata.at("epoch_sums"), R"([{"examples":15,"correct":7,"nll":0.1}])");

  write_checkpoint(folder / "two",
                   make_checkpoint({kHomogeneous, kHeterogeneous}, Precision::double_precision));
  const auto two = read_safetensors_header(folder / "two");
  EXPECT_EQ(two.tensors.size(), 3u * 2 + 4 + 14);
  for (const char* name : {"m0.phi", "m0.phi.moment1", "m0.phi.moment2", "m0.sigma"}) {
    ASSERT_TRUE(two.tensors.contains(name)) << name;
    EXPECT_EQ(two.tensors.at(name).shape, (std::vector<std::uint64_t>{1}));
    EXPECT_EQ(two.tensors.at(name).type, TensorType::f64);
  }
  EXPECT_EQ(two.tensors.at("m0.layer0.mu").shape, (std::vector<std::uint64_t>{4, 4}));
  EXPECT_FALSE(two.tensors.contains("m0.layer0.phi"));
  EXPECT_TRUE(two.tensors.contains("m1.layer0.phi"));
}

TEST(Checkpoint, SigmaIsSoftplusOfPhi) {
  const TempFolder folder;
  const auto checkpoint = make_checkpoint({kHeterogeneous, kHomogeneous}, Precision::double_precision);
  write_checkpoint(folder / "model", checkpoint);
  const auto content = get(folder / "model");
  const auto header = read_safetensors_header(folder / "model");
  std::vector<double> sigma(16), shared(1);
  decode_tensor(content, header, header.tensors.at("m0.layer0.sigma"), sigma);
  decode_tensor(content, header, header.tensors.at("m1.sigma"), shared);
  for (std::size_t i = 0; i < sigma.size(); ++i) {
    EXPECT_DOUBLE_EQ(sigma[i], std::log1p(std::exp(checkpoint.members[0].layers[0].phi[i])));
  }
  EXPECT_DOUBLE_EQ(shared[0], std::log1p(std::exp(checkpoint.members[1].shared_phi.value[0])));
}

TEST(Checkpoint, InfoNeedsNoTensors) {
  const TempFolder folder;
  const auto checkpoint = make_checkpoint({kHeterogeneous, kHomogeneous});
  write_checkpoint(folder / "model", checkpoint);
  const auto info = read_checkpoint_info(folder / "model");
  EXPECT_EQ(info.config, checkpoint.config);
  EXPECT_EQ(info.step, checkpoint.step);
  EXPECT_EQ(info.train_examples, 100u);
  EXPECT_EQ(info.train_digest, "0123abcd");
  EXPECT_EQ(info.noise_contract, kNoiseContract);
}

TEST(Checkpoint, WhatCannotBeReadBackIsNotWritten) {
  const TempFolder folder;
  const auto file = folder / "model";
  const auto good = make_checkpoint({kHeterogeneous, kHomogeneous});
  write_checkpoint(file, good);
  auto bad = good;
  bad.members[0].layers[1].mu[3] = std::nan("");
  expect_error<DataError>([&] { write_checkpoint(file, bad); },
                          {file.string(), "m0.layer1.mu", "nan", "element 3"});
  bad = good;
  bad.members[1].shared_phi.value = {-HUGE_VAL};
  expect_error<DataError>([&] { write_checkpoint(file, bad); }, {"m1.phi", "-inf"});
  bad = good;
  bad.members[0].layers[0].phi_moment1[0] = 1e39;  // beyond float
  expect_error<DataError>([&] { write_checkpoint(file, bad); }, {"m0.layer0.phi.moment1", "F32", "1e+39"});
  bad = good;
  bad.members[0].layers[0].mu_moment2[0] = -1e-9;
  expect_error<DataError>([&] { write_checkpoint(file, bad); }, {"m0.layer0.mu.moment2", "negative"});
  bad = good;
  bad.members[1].epoch.nll = HUGE_VAL;
  expect_error<DataError>([&] { write_checkpoint(file, bad); }, {"the loss of network 1", "inf"});
  expect_equal(read_checkpoint(file), good);
  EXPECT_EQ(entries_in(folder.path()), 1u);
}

TEST(Checkpoint, FoldersThatCannotBeWritten) {
  const TempFolder folder;
  const auto checkpoint = make_checkpoint({kHeterogeneous});
  expect_error<IoError>([&] { write_checkpoint(folder / "missing/model", checkpoint); },
                        {(folder / "missing/model").string(), "No such file or directory"});
  expect_error<IoError>([&] { write_checkpoint(folder.path(), checkpoint); }, {"Is a directory"});
  EXPECT_EQ(entries_in(folder.path()), 0u);
}

}  // namespace
}  // namespace ensyn
