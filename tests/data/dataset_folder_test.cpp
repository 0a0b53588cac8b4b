#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>

#include "data/support.h"
#include "ensyn/dataset.h"

namespace ensyn {
namespace {

namespace fs = std::filesystem;
using test::Bytes;
using test::expect_error;
using test::gzip;
using test::idx;
using test::put;
using test::TempFolder;

/// Writes the four files: three training examples and one test example of 2 x 2 bytes.
void put_set(const fs::path& folder) {
  fs::create_directories(folder);
  put(folder / "train-images-idx3-ubyte.gz", gzip(idx({3, 2, 2}, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12})));
  put(folder / "train-labels-idx1-ubyte", idx({3}, {0, 1, 9}));
  put(folder / "t10k-images-idx3-ubyte", idx({1, 2, 2}, {1, 0, 0, 1}));
  put(folder / "t10k-labels-idx1-ubyte.gz", gzip(idx({1}, {4})));
}

TEST(DatasetFolder, ReadsTheFourFiles) {
  const TempFolder folder;
  put_set(folder.path());
  const auto [train, test] = load_idx_folder(folder.path());
  EXPECT_EQ(train.size(), 3u);
  EXPECT_EQ(test.size(), 1u);
  EXPECT_EQ(train.feature_count(), 4);
  EXPECT_EQ(train.classes(), 10);
  EXPECT_EQ(train.normalization(), (Normalization{255, 0.1307, 0.3081}));
  EXPECT_EQ(train.labels()[2], 9);
  EXPECT_EQ(test.labels()[0], 4);
  EXPECT_EQ(load_idx_folder(folder.path(), {255, 0, 1}).test.normalization(), (Normalization{255, 0, 1}));
}

TEST(DatasetFolder, TrainAndTestHaveTheSameClasses) {
  const TempFolder folder;
  put_set(folder.path());
  put(folder / "train-labels-idx1-ubyte", idx({3}, {0, 1, 12}));
  EXPECT_EQ(load_idx_folder(folder.path()).test.classes(), 13);
  EXPECT_EQ(load_idx_folder(folder.path(), {}, 20).train.classes(), 20);
  expect_error<DataError>([&] { (void)load_idx_folder(folder.path(), {}, 12); },
                          {"train-labels-idx1-ubyte", "label 12", "0 to 11"});
  put(folder / "train-labels-idx1-ubyte", idx({3}, {0, 1, 1}));
  expect_error<DataError>([&] { (void)load_idx_folder(folder.path()); },
                          {"t10k-labels-idx1-ubyte.gz", "label 4", "2 classes", "ask for 5"});
  EXPECT_EQ(load_idx_folder(folder.path(), {}, 5).test.classes(), 5);
  put_set(folder.path());
  put(folder / "t10k-labels-idx1-ubyte.gz", idx({1}, {10}));
  expect_error<DataError>([&] { (void)load_idx_folder(folder.path()); },
                          {"t10k-labels-idx1-ubyte.gz", "label 10", "0 to 9"});
}

TEST(DatasetFolder, TrainAndTestHaveTheSameImages) {
  const TempFolder folder;
  put_set(folder.path());
  put(folder / "t10k-images-idx3-ubyte", idx({1, 2, 3}, {1, 0, 0, 1, 0, 0}));
  expect_error<DataError>([&] { (void)load_idx_folder(folder.path()); },
                          {"t10k-images-idx3-ubyte", "are 2 x 3", "training set are 2 x 2"});
  // As many values, but of images that have another shape.
  for (const auto& sizes : {std::vector<std::uint32_t>{1, 1, 4}, {1, 4, 1}, {1, 4}, {1, 2, 2, 1}}) {
    put(folder / "t10k-images-idx3-ubyte", idx(sizes, {1, 0, 0, 1}));
    expect_error<DataError>([&] { (void)load_idx_folder(folder.path()); },
                            {"t10k-images-idx3-ubyte", "training set are 2 x 2"});
  }
}

TEST(DatasetFolder, AFolderNamedAsAFileHidesNoFile) {
  const TempFolder folder;
  put_set(folder.path());
  fs::create_directory(folder / "train-images-idx3-ubyte");
  EXPECT_EQ(load_idx_folder(folder.path()).train.size(), 3u);
  fs::remove(folder / "train-images-idx3-ubyte.gz");
  expect_error<IoError>([&] { (void)load_idx_folder(folder.path()); },
                        {"train-images-idx3-ubyte'", "is a folder, not an IDX file"});
}

TEST(DatasetFolder, MissingFolderAndFiles) {
  const TempFolder folder;
  const auto missing = folder / "nowhere";
  expect_error<IoError>([&] { (void)load_idx_folder(missing); },
                        {missing.string(), "No such file or directory"});
  expect_error<IoError>([&] { (void)load_idx_folder(folder.path()); },
                        {folder.path().string(), "train-", "-ubyte.gz", "four IDX files"});
  put(folder / "file", {1});
  expect_error<IoError>([&] { (void)load_idx_folder(folder / "file"); }, {"Not a directory"});
  put_set(folder.path());
  fs::remove(folder / "t10k-images-idx3-ubyte");
  expect_error<IoError>([&] { (void)load_idx_folder(folder.path()); }, {"no t10k-images-idx3-ubyte"});
}

TEST(Digits, AreBuiltIn) {
  const auto [train, test] = load_digits();
  EXPECT_EQ(train.size(), 1437u);
  EXPECT_EQ(test.size(), 360u);
  EXPECT_EQ(train.feature_count(), 64);
  EXPECT_EQ(test.feature_count(), 64);
  EXPECT_EQ(train.classes(), 10);
  EXPECT_EQ(test.classes(), 10);
  EXPECT_EQ(train.name(), "digits");
  // The first rows of the file.
  EXPECT_EQ(Bytes(train.bytes().begin(), train.bytes().begin() + 8), (Bytes{0, 0, 5, 13, 9, 1, 0, 0}));
  EXPECT_EQ(Bytes(train.labels().begin(), train.labels().begin() + 10),
            (Bytes{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}));
  for (const auto& data : {train, test}) {
    EXPECT_EQ(*std::max_element(data.bytes().begin(), data.bytes().end()), 16);
    Bytes counts(10);
    for (const auto label : data.labels()) {
      ++counts[label];
    }
    EXPECT_GE(*std::min_element(counts.begin(), counts.end()), 30);
  }
}

TEST(Digits, NormalizationIsThatOfTheTrainingSet) {
  const auto train = load_digits().train;
  double sum = 0, squares = 0;
  for (const double value : train.bytes()) {
    sum += value / 16;
    squares += value * value / 256;
  }
  const auto count = static_cast<double>(train.bytes().size());
  const double mean = sum / count;
  EXPECT_EQ(train.normalization().maximum, 16);
  EXPECT_NEAR(train.normalization().mean, mean, 5e-5);
  EXPECT_NEAR(train.normalization().sd, std::sqrt(squares / count - mean * mean), 5e-5);
}

/// Sets ENSYN_DATA_DIR and the current folder, and puts both back.
class NamedDataset : public testing::Test {
 protected:
  void SetUp() override {
    if (const char* value = ::getenv("ENSYN_DATA_DIR")) {
      before_ = value;
    }
    ::unsetenv("ENSYN_DATA_DIR");
    fs::create_directory(folder_ / "here");
    fs::current_path(folder_ / "here");
  }
  void TearDown() override {
    fs::current_path(folder_before_);
    ::unsetenv("ENSYN_DATA_DIR");
    if (before_) {
      ::setenv("ENSYN_DATA_DIR", before_->c_str(), 1);
    }
  }
  void set_variable(const fs::path& value) const { ::setenv("ENSYN_DATA_DIR", value.c_str(), 1); }

  TempFolder folder_;
  fs::path folder_before_ = fs::current_path();
  std::optional<std::string> before_;
};

TEST_F(NamedDataset, Digits) {
  EXPECT_EQ(load_named_dataset("digits").train.size(), 1437u);
}

TEST_F(NamedDataset, IsFoundByTheVariableFirst) {
  put_set("data/mnist");
  put_set(folder_ / "sets/mnist");
  put(folder_ / "sets/mnist/t10k-labels-idx1-ubyte.gz", idx({1}, {7}));
  set_variable(folder_ / "sets");
  EXPECT_EQ(load_named_dataset("mnist").test.labels()[0], 7);
}

TEST_F(NamedDataset, IsFoundInTheCurrentFolder) {
  put_set("data/mnist");
  for (const char* variable : {"", "nowhere"}) {
    set_variable(variable);
    const auto [train, test] = load_named_dataset("mnist");
    EXPECT_EQ(test.labels()[0], 4);
    EXPECT_EQ(train.name(), "mnist");
    EXPECT_EQ(train.classes(), 10);
    EXPECT_EQ(train.normalization(), (Normalization{255, 0.1307, 0.3081}));
  }
}

TEST_F(NamedDataset, FashionMnistHasItsOwnNormalization) {
  put_set(folder_ / "sets/fashion-mnist");
  set_variable(folder_ / "sets");
  const auto [train, test] = load_named_dataset("fashion-mnist");
  EXPECT_EQ(train.name(), "fashion-mnist");
  EXPECT_EQ(train.normalization(), (Normalization{255, 0.2860, 0.3530}));
  EXPECT_EQ(test.normalization(), (Normalization{255, 0.2860, 0.3530}));
}

TEST_F(NamedDataset, AnIncompleteSetIsAnErrorAndNotSkipped) {
  put_set("data/mnist");
  put_set(folder_ / "sets/mnist");
  fs::remove(folder_ / "sets/mnist/train-labels-idx1-ubyte");
  set_variable(folder_ / "sets");
  expect_error<IoError>([] { (void)load_named_dataset("mnist"); },
                        {(folder_ / "sets/mnist").string(), "no train-labels-idx1-ubyte"});
}

TEST_F(NamedDataset, LabelsBeyondTheTenClasses) {
  put_set("data/mnist");
  put("data/mnist/train-labels-idx1-ubyte", idx({3}, {0, 1, 10}));
  expect_error<DataError>([] { (void)load_named_dataset("mnist"); },
                          {"train-labels-idx1-ubyte", "example 2", "label 10"});
}

TEST_F(NamedDataset, NotFoundSaysWhereItLookedAndWhatToDo) {
  if (fs::exists("/usr/share/datasets/mnist")) {
    GTEST_SKIP() << "mnist is installed here";
  }
  expect_error<IoError>(
      [] { (void)load_named_dataset("mnist"); },
      {"mnist", "ENSYN_DATA_DIR (not set)", "'/usr/share/datasets/mnist'", "'./data/mnist'", "--data DIR"});
  set_variable("/nowhere");
  expect_error<IoError>([] { (void)load_named_dataset("mnist"); },
                        {"'/nowhere/mnist' (ENSYN_DATA_DIR)", "'/usr/share/datasets/mnist'"});
}

TEST_F(NamedDataset, FashionMnistNamesItsPackage) {
  if (fs::exists("/usr/share/datasets/fashion-mnist")) {
    GTEST_SKIP() << "fashion-mnist is installed here";
  }
  expect_error<IoError>([] { (void)load_named_dataset("fashion-mnist"); },
                        {"'/usr/share/datasets/fashion-mnist'", "apt install dataset-fashion-mnist",
                         "--data DIR", "ENSYN_DATA_DIR"});
}

TEST_F(NamedDataset, DebiansFashionMnistIsFound) {
  if (!fs::exists("/usr/share/datasets/fashion-mnist")) {
    GTEST_SKIP() << "dataset-fashion-mnist is not installed here";
  }
  const auto [train, test] = load_named_dataset("fashion-mnist");
  EXPECT_EQ(train.size(), 60000u);
  EXPECT_EQ(test.size(), 10000u);
  EXPECT_EQ(train.feature_count(), 784);
  double sum = 0;
  for (const double value : train.bytes()) {
    sum += value;
  }
  EXPECT_NEAR(sum / static_cast<double>(train.bytes().size()) / 255, train.normalization().mean, 1e-4);
}

TEST_F(NamedDataset, UnknownNames) {
  expect_error<ConfigError>([] { (void)load_named_dataset("cifar"); },
                            {"'cifar'", "digits, mnist or fashion-mnist"});
  expect_error<ConfigError>([] { (void)load_named_dataset("../x"); }, {"'../x'"});
}

}  // namespace
}  // namespace ensyn
