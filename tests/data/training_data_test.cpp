// Which training data a model is of: the digest of a data set, and checkpoints that are loaded with others.

#include <cmath>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "data/checkpoint_support.h"
#include "data/support.h"
#include "ensyn/dataset.h"
#include "ensyn/network.h"
#include "ensyn/population.h"
#include "host/io/safetensors.h"

namespace ensyn {
namespace {

using test::Bytes;
using test::expect_error;
using test::TempFolder;

const Bytes kBytes{1, 2, 3, 4, 5, 255}, kLabels{0, 3};
const std::vector<float> kFloats{1, -2, 0.5, 4, 5, 6}, kTargets{0.25, -1};

TEST(Digest, IsWhatTheFormatSays) {
  // Computed with Python's zlib and struct, by the description in host/data/digest.h.
  EXPECT_EQ(Dataset::from_bytes(kBytes, kLabels, 3, 4).digest(), "f97d0a0c");
  EXPECT_EQ(Dataset::from_floats(kFloats, kLabels, 3, 4).digest(), "ce844840");
  EXPECT_EQ(Dataset::from_targets(kFloats, kTargets, 3, 1).digest(), "35e2bf15");
}

TEST(Digest, DependsOnEverythingThatTrainingSees) {
  const std::vector<Dataset> sets{
      Dataset::from_bytes(kBytes, kLabels, 3, 4),
      Dataset::from_bytes({1, 2, 3, 4, 6, 255}, kLabels, 3, 4),
      Dataset::from_bytes({4, 5, 255, 1, 2, 3}, kLabels, 3, 4),
      Dataset::from_bytes(kBytes, {3, 0}, 3, 4),
      Dataset::from_bytes(kBytes, kLabels, 3, 5),
      Dataset::from_bytes(kBytes, {0, 3, 1}, 2, 4),
      Dataset::from_bytes(kBytes, kLabels, 3, 4, {254, 0.1307, 0.3081}),
      Dataset::from_bytes(kBytes, kLabels, 3, 4, {255, 0.1308, 0.3081}),
      Dataset::from_bytes(kBytes, kLabels, 3, 4, {255, 0.1307, 0.3082}),
      Dataset::from_floats(kFloats, kLabels, 3, 4),
      Dataset::from_floats({1, -2, 0.5, 4, 5, std::nextafterf(6, 7)}, kLabels, 3, 4),
      Dataset::from_targets(kFloats, kTargets, 3, 1),
      Dataset::from_targets(kFloats, {0.25, 1}, 3, 1),
      Dataset::from_targets(kFloats, {0.25, -1, 0.25, -1}, 3, 2),
  };
  std::set<std::string> digests;
  for (const Dataset& set : sets) digests.insert(set.digest());
  EXPECT_EQ(digests.size(), sets.size());
}

TEST(Digest, IsOfTheExamplesAlone) {
  const Dataset set = Dataset::from_bytes(kBytes, kLabels, 3, 4);
  EXPECT_EQ(Dataset::from_bytes(kBytes, kLabels, 3, 4, {}, "other name").digest(), set.digest());
  EXPECT_EQ(set.subset(0, 2).digest(), set.digest());
  EXPECT_EQ(set.subset(1, 1).digest(), Dataset::from_bytes({4, 5, 255}, {3}, 3, 4).digest());
  EXPECT_NE(set.subset(1, 1).digest(), set.subset(0, 1).digest());
}

/// A network of 3 inputs and 4 classes, and the examples it is trained on.
class TrainedNetwork : public testing::Test {
 protected:
  static Dataset examples(std::size_t count, std::uint8_t last = 7) {
    Bytes features, labels;
    for (std::size_t i = 0; i < count; ++i) {
      for (std::size_t f = 0; f < 3; ++f) features.push_back(static_cast<std::uint8_t>(40 * i + 9 * f));
      labels.push_back(static_cast<std::uint8_t>(i % 4));
    }
    features.back() = last;
    return Dataset::from_bytes(features, labels, 3, 4);
  }

  TrainedNetwork() {
    config_.architecture.sizes = {3, 5, 4};
    config_.batch = 4;
    config_.members.resize(2);
    Population population(config_, examples(12));
    population.train_steps(5);
    population.save(file_);
    five_steps_ = population.parameters(1, 0).mu;
    population.train_steps(2);
    seven_steps_ = population.parameters(1, 0).mu;
  }

  /// The file as an early version wrote it.
  void forget_digest() const {
    Checkpoint checkpoint = read_checkpoint(file_);
    checkpoint.train_digest.clear();
    write_checkpoint(file_, checkpoint);
  }

  TempFolder folder_;
  std::filesystem::path file_ = folder_ / "model.safetensors";
  PopulationConfig config_;
  std::vector<double> five_steps_, seven_steps_;
};

TEST_F(TrainedNetwork, NotesItsTrainingSet) {
  EXPECT_EQ(read_checkpoint_info(file_).train_digest, examples(12).digest());
  EXPECT_EQ(read_safetensors_header(file_).metadata.at("train_digest"), examples(12).digest());
}

TEST_F(TrainedNetwork, GoesOnWithTheSameData) {
  Population same = Population::load(file_, examples(12));
  same.train_steps(2);
  EXPECT_EQ(same.parameters(1, 0).mu, seven_steps_);
}

TEST_F(TrainedNetwork, OtherDataAreRefused) {
  const Dataset other = examples(12, 8);
  const std::vector<std::function<void()>> loads{[&] { (void)Population::load(file_, other); },
                                                 [&] { (void)Population::load(file_, other, {}, {1}); },
                                                 [&] { (void)Network::load(file_, other); }};
  for (const auto& load : loads) {
    expect_error<DataError>(load, {file_.string(), examples(12).digest(), other.digest(), "'array'"});
  }
  expect_error<DataError>([&] { (void)Population::load(file_, examples(13)); }, {"12 examples", "13"});
}

TEST_F(TrainedNetwork, FilesOfEarlyVersionsLoad) {
  forget_digest();
  EXPECT_EQ(read_checkpoint_info(file_).train_digest, "");
  Population old = Population::load(file_, examples(12));
  old.train_steps(2);
  EXPECT_EQ(old.parameters(1, 0).mu, seven_steps_);
  old.save(file_);
  EXPECT_EQ(read_checkpoint_info(file_).train_digest, examples(12).digest());
}

TEST_F(TrainedNetwork, OtherDataOnPurpose) {
  for (const std::size_t count : {4, 12, 30}) {
    Population tuned = Population::load_with_other_data(file_, examples(count, 8));
    EXPECT_EQ(tuned.step(), 5u);
    EXPECT_EQ(tuned.steps_per_epoch(), count / 4);
    EXPECT_EQ(tuned.parameters(1, 0).mu, five_steps_);
    EXPECT_EQ(tuned.metrics().front().examples, 0u);
    tuned.train_steps(2);
    EXPECT_NE(tuned.parameters(1, 0).mu, seven_steps_);
    tuned.save(folder_ / "tuned");
    // What it went on with is from now on its training set.
    EXPECT_NO_THROW((void)Population::load(folder_ / "tuned", examples(count, 8)));
    expect_error<DataError>([&] { (void)Population::load(folder_ / "tuned", examples(count, 9)); },
                            {"tuned"});
  }
  expect_error<ConfigError>([&] { (void)Population::load_with_other_data(file_, examples(3)); }, {"batch"});
  expect_error<ConfigError>([&] { (void)Network::load_with_other_data(file_, examples(12)); }, {"2 members"});
}

}  // namespace
}  // namespace ensyn
