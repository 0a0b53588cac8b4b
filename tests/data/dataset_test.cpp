#include "ensyn/dataset.h"

#include <cmath>
#include <limits>

#include "data/support.h"

namespace ensyn {
namespace {

using test::Bytes;
using test::bytes_of;
using test::expect_error;
using test::gzip;
using test::idx;
using test::put;
using test::TempFolder;

template <typename T>
std::vector<T> copy(std::span<const T> values) {
  return {values.begin(), values.end()};
}

TEST(Dataset, KeepsBytes) {
  const auto data = Dataset::from_bytes({1, 2, 3, 4, 5, 6}, {0, 2}, 3, 3, {16, 0.5, 2}, "mine");
  EXPECT_EQ(data.size(), 2u);
  EXPECT_EQ(data.feature_count(), 3);
  EXPECT_EQ(data.classes(), 3);
  EXPECT_EQ(data.name(), "mine");
  EXPECT_TRUE(data.holds_bytes());
  EXPECT_EQ(data.normalization(), (Normalization{16, 0.5, 2}));
  EXPECT_EQ(copy(data.bytes()), (Bytes{1, 2, 3, 4, 5, 6}));
  EXPECT_TRUE(data.floats().empty());
  EXPECT_EQ(copy(data.labels()), (Bytes{0, 2}));
}

TEST(Dataset, KeepsFloats) {
  const auto data = Dataset::from_floats({-1, 0.5, 3e38f, 4}, {1, 0}, 2, 2);
  EXPECT_EQ(data.name(), "array");
  EXPECT_FALSE(data.holds_bytes());
  EXPECT_TRUE(data.bytes().empty());
  EXPECT_EQ(copy(data.floats()), (std::vector<float>{-1, 0.5, 3e38f, 4}));
  EXPECT_EQ(copy(data.labels()), (Bytes{1, 0}));
}

TEST(Dataset, KeepsTargets) {
  const auto data = Dataset::from_targets({1, 2, 3}, {1, -2, 3, -4, 5, 6}, 1, 2, "mine");
  EXPECT_EQ(data.size(), 3u);
  EXPECT_EQ(data.feature_count(), 1);
  EXPECT_EQ(data.target_count(), 2);
  EXPECT_EQ(data.classes(), 0);
  EXPECT_TRUE(data.labels().empty());
  EXPECT_FALSE(data.holds_bytes());
  EXPECT_EQ(copy(data.targets()), (std::vector<float>{1, -2, 3, -4, 5, 6}));
  const auto part = data.subset(1, 2);
  EXPECT_EQ(copy(part.targets()), (std::vector<float>{3, -4, 5, 6}));
  EXPECT_EQ(copy(part.floats()), (std::vector<float>{2, 3}));
  EXPECT_TRUE(part.labels().empty());
  const auto labelled = Dataset::from_floats({1}, {0}, 1, 2);
  EXPECT_EQ(labelled.target_count(), 0);
  EXPECT_TRUE(labelled.targets().empty());
}

TEST(Dataset, BadTargets) {
  const auto make = [](std::vector<float> features, std::vector<float> targets, int width, int count) {
    return [=] { (void)Dataset::from_targets(features, targets, width, count, "mine"); };
  };
  expect_error<DataError>(make({}, {}, 1, 1), {"'mine'", "empty"});
  expect_error<DataError>(make({1}, {1}, 1, 0), {"target_count = 0"});
  expect_error<DataError>(make({1}, {1}, 0, 1), {"feature_count = 0"});
  expect_error<DataError>(make({1, 2}, {1, 2, 3}, 1, 2), {"3 target values", "2 targets"});
  expect_error<DataError>(make({1, 2}, {1, 2, 3}, 1, 1), {"2 feature values", "3 examples"});
  expect_error<DataError>(make({1, HUGE_VALF}, {1, 2}, 1, 1), {"example 1, feature 0", "inf"});
  expect_error<DataError>(make({1, 2}, {1, 2, 3, std::nanf("")}, 1, 2), {"example 1, target 1", "nan"});
}

TEST(Dataset, CopiesAndSubsetsShareStorage) {
  const auto data = Dataset::from_bytes({1, 2, 3, 4, 5, 6, 7, 8}, {0, 1, 2, 3}, 2, 4);
  const auto same = data;
  EXPECT_EQ(same.bytes().data(), data.bytes().data());
  const auto part = data.subset(1, 3).subset(1, 1);
  EXPECT_EQ(part.size(), 1u);
  EXPECT_EQ(copy(part.bytes()), (Bytes{5, 6}));
  EXPECT_EQ(part.bytes().data(), data.bytes().data() + 4);
  EXPECT_EQ(copy(part.labels()), (Bytes{2}));
  EXPECT_EQ(part.classes(), 4);
  const auto floats = Dataset::from_floats({1, 2, 3}, {0, 1, 0}, 1, 2).subset(2, 1);
  EXPECT_EQ(copy(floats.floats()), (std::vector<float>{3}));
}

TEST(Dataset, SubsetsBeyondTheEnd) {
  const auto data = Dataset::from_bytes({1, 2, 3}, {0, 1, 1}, 1, 2, {}, "mine");
  const auto most = std::numeric_limits<std::size_t>::max();
  EXPECT_NO_THROW((void)data.subset(0, 3));
  expect_error<DataError>([&] { (void)data.subset(0, 0); }, {"'mine'", "0 examples from number 0"});
  expect_error<DataError>([&] { (void)data.subset(3, 1); }, {"from number 3"});
  expect_error<DataError>([&] { (void)data.subset(1, 3); }, {"3 examples from number 1", "the 3 examples"});
  expect_error<DataError>([&] { (void)data.subset(1, most); }, {"'mine'"});
  expect_error<DataError>([&] { (void)data.subset(most, 1); }, {"'mine'"});
  expect_error<DataError>([&] { (void)data.subset(0, 1).subset(0, 2); }, {"the 1 examples"});
}

TEST(Dataset, SizesThatDoNotAgree) {
  const auto make = [](std::size_t features, std::size_t labels, int width, int classes) {
    return [=] {
      (void)Dataset::from_bytes(Bytes(features), Bytes(labels), width, classes, {}, "mine");
      (void)Dataset::from_floats(std::vector<float>(features), Bytes(labels), width, classes, "mine");
    };
  };
  expect_error<DataError>(make(0, 0, 3, 2), {"'mine'", "empty"});
  expect_error<DataError>(make(5, 2, 3, 2), {"'mine'", "5 feature values", "2 examples", "3 features"});
  expect_error<DataError>(make(9, 2, 3, 2), {"9 feature values"});
  expect_error<DataError>(make(6, 2, 0, 2), {"feature_count = 0"});
  expect_error<DataError>(make(6, 2, -3, 2), {"feature_count = -3"});
  expect_error<DataError>(make(6, 2, 3, 1), {"classes = 1", "2 to 256"});
  expect_error<DataError>(make(6, 2, 3, 257), {"classes = 257"});
  expect_error<DataError>(make(1, 3, std::numeric_limits<int>::max(), 2), {"1 feature values"});
  EXPECT_NO_THROW(make(6, 2, 3, 256)());
  expect_error<DataError>([] { (void)Dataset::from_floats(std::vector<float>(5), Bytes(2), 3, 2, "mine"); },
                          {"'mine'", "5 feature values"});
}

TEST(Dataset, LabelsOutOfRange) {
  expect_error<DataError>(
      [] {
        (void)Dataset::from_bytes({1, 2, 3}, {0, 1, 2}, 1, 2, {}, "mine");
      },
      {"'mine'", "example 2", "label 2", "0 to 1"});
  expect_error<DataError>(
      [] {
        (void)Dataset::from_floats({1, 2}, {255, 0}, 1, 255);
      },
      {"example 0", "label 255"});
}

TEST(Dataset, FloatsThatAreNotFinite) {
  for (const float bad : {std::nanf(""), HUGE_VALF, -HUGE_VALF}) {
    expect_error<DataError>(
        [&] {
          (void)Dataset::from_floats({1, 2, 3, 4, bad, 6}, {0, 1, 0}, 2, 2, "mine");
        },
        {"'mine'", "example 2, feature 0", bad != bad ? "nan" : "inf"});
  }
}

TEST(Dataset, BadNormalizations) {
  const double nan = std::nan("");
  const auto make = [](Normalization value) {
    return [=] { (void)Dataset::from_bytes({1}, {0}, 1, 2, value, "mine"); };
  };
  expect_error<DataError>(make({0, 0, 1}), {"'mine'", "maximum = 0"});
  expect_error<DataError>(make({-255, 0, 1}), {"maximum = -255"});
  expect_error<DataError>(make({nan, 0, 1}), {"maximum = nan"});
  expect_error<DataError>(make({HUGE_VAL, 0, 1}), {"maximum = inf"});
  expect_error<DataError>(make({255, nan, 1}), {"mean = nan"});
  expect_error<DataError>(make({255, HUGE_VAL, 1}), {"mean = inf"});
  expect_error<DataError>(make({255, 0, 0}), {"sd = 0"});
  expect_error<DataError>(make({255, 0, -1}), {"sd = -1"});
  expect_error<DataError>(make({255, 0, nan}), {"sd = nan"});
  expect_error<DataError>(make({255, 0, 1e-300}), {"sd = 1e-300", "overflow"});
  expect_error<DataError>(make({1e-300, 0, 1e-300}), {"maximum = 1e-300", "overflow"});
}

class DatasetIdx : public testing::Test {
 protected:
  [[nodiscard]] Dataset read(const Bytes& images, const Bytes& labels, int classes = 0) const {
    return Dataset::from_idx(put(folder_ / "images", images), put(folder_ / "labels", labels),
                             Normalization{16, 0, 1}, classes);
  }
  TempFolder folder_;
};

TEST_F(DatasetIdx, ReadsPlainAndGzipWhateverTheirNames) {
  const auto images = idx({2, 2, 2}, {1, 2, 3, 4, 5, 6, 7, 8});
  const auto labels = idx({2}, {3, 9});
  for (const auto& data :
       {read(images, labels), read(gzip(images), gzip(labels)), read(images, gzip(labels))}) {
    EXPECT_EQ(data.size(), 2u);
    EXPECT_EQ(data.feature_count(), 4);
    EXPECT_EQ(data.classes(), 10);
    EXPECT_EQ(copy(data.bytes()), (Bytes{1, 2, 3, 4, 5, 6, 7, 8}));
    EXPECT_EQ(copy(data.labels()), (Bytes{3, 9}));
    EXPECT_EQ(data.normalization(), (Normalization{16, 0, 1}));
  }
  EXPECT_EQ(read(idx({2, 1}, {1, 2}), labels).feature_count(), 1);
  EXPECT_EQ(read(idx({2, 1, 2, 3}, Bytes(12)), labels).feature_count(), 6);
}

TEST_F(DatasetIdx, NumberOfClasses) {
  const auto images = idx({2, 1}, {1, 2});
  EXPECT_EQ(read(images, idx({2}, {0, 0})).classes(), 2);
  EXPECT_EQ(read(images, idx({2}, {0, 1})).classes(), 2);
  EXPECT_EQ(read(images, idx({2}, {0, 2})).classes(), 3);
  EXPECT_EQ(read(images, idx({2}, {0, 46})).classes(), 47);
  EXPECT_EQ(read(images, idx({2}, {255, 0})).classes(), 256);
  EXPECT_EQ(read(images, idx({2}, {0, 1}), 2).classes(), 2);
  EXPECT_EQ(read(images, idx({2}, {0, 1}), 62).classes(), 62);
  const auto file = (folder_ / "labels").string();
  expect_error<DataError>(
      [&] {
        (void)read(images, idx({2}, {0, 2}), 2);
      },
      {file, "example 1", "label 2", "0 to 1"});
  expect_error<DataError>([&] { (void)read(images, idx({2}, {0, 1}), -1); }, {"classes = -1"});
  expect_error<DataError>([&] { (void)read(images, idx({2}, {0, 0}), 1); }, {"classes = 1"});
  expect_error<DataError>([&] { (void)read(images, idx({2}, {0, 0}), 300); }, {"classes = 300"});
}

TEST_F(DatasetIdx, BadFiles) {
  const auto images = idx({2, 1}, {1, 2});
  const auto labels = idx({2}, {0, 1});
  const auto images_file = (folder_ / "images").string();
  const auto labels_file = (folder_ / "labels").string();
  const auto cut = [](Bytes content) {
    content.resize(content.size() - 5);
    return content;
  };
  expect_error<DataError>(
      [&] {
        (void)read(images, idx({3}, {0, 1, 1}));
      },
      {images_file, "2 images", labels_file, "3 labels"});
  expect_error<DataError>([&] { (void)read(labels, labels); }, {images_file, "1 dimension", "exchanged"});
  expect_error<DataError>([&] { (void)read(images, images); }, {labels_file, "2 dimensions", "exchanged"});
  expect_error<DataError>([&] { (void)read(cut(gzip(images)), labels); }, {images_file, "truncated"});
  expect_error<DataError>([&] { (void)read(images, cut(labels)); }, {labels_file});
  expect_error<DataError>([&] { (void)read(bytes_of("hello there"), labels); }, {images_file, "IDX"});
  expect_error<DataError>([&] { (void)read(images, {}); }, {labels_file, "0 bytes"});
  expect_error<DataError>([&] { (void)read(idx({0, 1}, {}), idx({0}, {})); }, {images_file, "empty"});
  put(images_file, images);
  std::filesystem::remove(labels_file);
  expect_error<IoError>([&] { (void)Dataset::from_idx(images_file, labels_file); },
                        {labels_file, "No such file or directory"});
  expect_error<IoError>([&] { (void)Dataset::from_idx(folder_.path(), labels_file); },
                        {folder_.path().string(), "Is a directory"});
}

}  // namespace
}  // namespace ensyn
