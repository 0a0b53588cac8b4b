#include "ensyn/dataset.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <mutex>
#include <optional>
#include <string_view>
#include <utility>

#include "ensyn/error.h"
#include "host/base/message.h"
#include "host/data/digest.h"
#include "host/data/idx.h"
#include "host/io/file.h"
#include "host/io/gzip.h"

namespace ensyn {

/// A window on shared buffers: subsets and copies hold no examples of their own.
struct Dataset::Storage {
  struct Buffers {
    std::vector<std::uint8_t> bytes;
    std::vector<float> floats;
    std::vector<std::uint8_t> labels;
    std::vector<float> targets;
  };
  std::shared_ptr<const Buffers> buffers;
  std::size_t first = 0;
  std::size_t count = 0;
  int feature_count = 0;
  int classes = 0;
  Normalization normalization;
  std::string name;
  int target_count = 0;

  /// Computed by who asks first; copies share it.
  struct LazyDigest {
    std::once_flag computed;
    std::string text;
  };
  std::shared_ptr<LazyDigest> digest = std::make_shared<LazyDigest>();

  [[nodiscard]] std::size_t width() const noexcept { return static_cast<std::size_t>(feature_count); }
};

namespace {

namespace fs = std::filesystem;

constexpr int kNamedClasses = 10;  ///< of digits, MNIST and its kin
constexpr int kMaxClasses = 256;
constexpr Normalization kFashionMnist{255.0, 0.2860, 0.3530};

[[noreturn]] void fail(const std::string& source, const std::string& what) {
  throw DataError("data set " + quote(source) + ": " + what);
}

void check_count(const char* what, int count, const std::string& source) {
  if (count < 1) fail(source, std::string(what) + " = " + std::to_string(count) + ": it must be at least 1");
}

void check_shape(std::size_t features, std::size_t examples, int feature_count, const std::string& source) {
  check_count("feature_count", feature_count, source);
  if (examples == 0) {
    fail(source, "it is empty; give at least one example");
  }
  const auto width = static_cast<std::size_t>(feature_count);
  if (features / width != examples || features % width != 0) {
    fail(source, std::to_string(features) + " feature values do not make " + std::to_string(examples) +
                     " examples (one for each label or set of targets) of " + std::to_string(width) +
                     " features");
  }
}

void check_classes(int classes, const std::string& source) {
  if (classes < 2 || classes > kMaxClasses) {
    fail(source, "classes = " + std::to_string(classes) + ": it must be from 2 to 256");
  }
}

void check_finite(std::span<const float> values, const char* what, int width, const std::string& source) {
  const auto bad = std::find_if(values.begin(), values.end(), [](float x) { return !std::isfinite(x); });
  if (bad == values.end()) return;
  const auto at = static_cast<std::size_t>(bad - values.begin());
  const auto columns = static_cast<std::size_t>(width);
  fail(source, "example " + std::to_string(at / columns) + ", " + what + " " + std::to_string(at % columns) +
                   " (counted from 0) is " + shown(static_cast<double>(*bad)) +
                   "; replace it with a finite number or leave the example out");
}

void check_labels(std::span<const std::uint8_t> labels, int classes, const std::string& source) {
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (labels[i] >= classes) {
      fail(source, "example " + std::to_string(i) + " (counted from 0) has label " +
                       std::to_string(labels[i]) + ", but labels go from 0 to " +
                       std::to_string(classes - 1));
    }
  }
}

void check_normalization(const Normalization& value, const std::string& source) {
  if (!(value.maximum > 0) || !std::isfinite(value.maximum)) {
    fail(source, "normalisation maximum = " + shown(value.maximum) + ": it must be a number above 0");
  }
  if (!std::isfinite(value.mean)) {
    fail(source, "normalisation mean = " + shown(value.mean) + ": it must be a finite number");
  }
  if (!(value.sd > 0) || !std::isfinite(value.sd)) {
    fail(source, "normalisation sd = " + shown(value.sd) + ": it must be a number above 0");
  }
  for (const double byte : {0.0, 255.0}) {
    const double input = (byte / value.maximum - value.mean) / value.sd;
    if (!(std::abs(input) <= static_cast<double>(std::numeric_limits<float>::max()))) {
      fail(source, "normalisation maximum = " + shown(value.maximum) + ", mean = " + shown(value.mean) +
                       ", sd = " + shown(value.sd) + " makes byte " + shown(byte) +
                       " overflow; check the three");
    }
  }
}

struct IdxPair {
  std::vector<std::uint8_t> features, labels;
  std::vector<std::size_t> shape;  ///< of an image, such as 28 x 28
  int feature_count = 0;
};

/// `28 x 28`
std::string shape_text(const std::vector<std::size_t>& shape) {
  std::string text;
  for (const auto size : shape) {
    text += (text.empty() ? "" : " x ") + std::to_string(size);
  }
  return text;
}

IdxArray read_idx(const fs::path& file) {
  const auto source = file.string();
  return parse_idx(gunzip_if_gzip(read_file(file), source), source);
}

IdxPair read_idx_pair(const fs::path& images_file, const fs::path& labels_file) {
  auto images = read_idx(images_file);
  auto labels = read_idx(labels_file);
  if (images.sizes.size() < 2) {
    throw DataError(quote(images_file.string()) +
                    ": it has 1 dimension, but images have 2 or more; check "
                    "that image and label files are not exchanged");
  }
  if (labels.sizes.size() != 1) {
    throw DataError(quote(labels_file.string()) + ": it has " + std::to_string(labels.sizes.size()) +
                    " dimensions, but labels have 1; check that image and label files are not exchanged");
  }
  if (images.sizes[0] != labels.sizes[0]) {
    throw DataError(quote(images_file.string()) + " has " + std::to_string(images.sizes[0]) +
                    " images, but " + quote(labels_file.string()) + " has " +
                    std::to_string(labels.sizes[0]) + " labels; use two files that belong together");
  }
  const auto width = images.values.size() / images.sizes[0];
  if (width > static_cast<std::size_t>(std::numeric_limits<int>::max())) {
    throw DataError(quote(images_file.string()) + ": an image has " + std::to_string(width) +
                    " values, which is beyond 2^31; crop or split the images");
  }
  return {std::move(images.values),
          std::move(labels.values),
          {images.sizes.begin() + 1, images.sizes.end()},
          static_cast<int>(width)};
}

/// `classes` 0: as many as the labels need, and at least two.
int classes_of(const IdxPair& pair, const fs::path& labels_file, int classes) {
  if (classes == 0) {
    return std::max(2, 1 + *std::max_element(pair.labels.begin(), pair.labels.end()));
  }
  check_classes(classes, labels_file.string());
  check_labels(pair.labels, classes, labels_file.string());
  return classes;
}

/// The file as it is or with `.gz`; nothing when there is neither. A folder of that name, as some programs
/// make one when they unpack, is no file.
std::optional<fs::path> find_file(const fs::path& folder, const char* name) {
  for (const char* ending : {"", ".gz"}) {
    auto file = folder / (std::string(name) + ending);
    std::error_code code;
    const auto status = fs::status(file, code);
    if (fs::exists(status) && !fs::is_directory(status)) {
      return file;
    }
  }
  return std::nullopt;
}

constexpr const char* kTrainImages = "train-images-idx3-ubyte";
constexpr const char* kTrainLabels = "train-labels-idx1-ubyte";
constexpr const char* kTestImages = "t10k-images-idx3-ubyte";
constexpr const char* kTestLabels = "t10k-labels-idx1-ubyte";
constexpr const char* kFolderFiles[] = {kTrainImages, kTrainLabels, kTestImages, kTestLabels};

fs::path need_file(const fs::path& folder, const char* name) {
  if (auto file = find_file(folder, name)) {
    return *file;
  }
  for (const char* ending : {"", ".gz"}) {
    const auto path = folder / (std::string(name) + ending);
    std::error_code ignored;
    if (fs::is_directory(path, ignored)) {
      throw IoError(quote(path.string()) + " is a folder, not an IDX file; put the file in its place");
    }
  }
  throw IoError(
      "folder " + quote(folder.string()) + " has no " + name + " and no " + name +
      ".gz; put the four IDX files (train and t10k, images and labels) there or name another folder");
}

void check_test_labels(std::span<const std::uint8_t> labels, int classes, const fs::path& file) {
  const auto largest = std::max_element(labels.begin(), labels.end());
  if (*largest < classes) return;
  throw DataError(quote(file.string()) + ": example " + std::to_string(largest - labels.begin()) +
                  " (counted from 0) has label " + std::to_string(*largest) + ", but the training set has " +
                  std::to_string(classes) + " classes, labels from 0 to " + std::to_string(classes - 1) +
                  "; ask for " + std::to_string(*largest + 1) + " classes, or correct the files");
}

TrainTest load_folder(const fs::path& folder, Normalization normalization, int classes,
                      const std::string& name) {
  std::error_code code;
  if (!fs::is_directory(folder, code)) {
    throw io_error("read data folder", folder, code ? code.value() : ENOTDIR);
  }
  const auto train_labels = need_file(folder, kTrainLabels);
  const auto test_labels = need_file(folder, kTestLabels);
  const auto test_images = need_file(folder, kTestImages);
  auto train = read_idx_pair(need_file(folder, kTrainImages), train_labels);
  auto test = read_idx_pair(test_images, test_labels);
  classes = classes_of(train, train_labels, classes);
  check_test_labels(test.labels, classes, test_labels);
  if (train.shape != test.shape) {
    throw DataError(quote(test_images.string()) + ": its images are " + shape_text(test.shape) +
                    ", but those of the training set are " + shape_text(train.shape) +
                    "; use files that belong together");
  }
  const auto make = [&](IdxPair& pair) {
    return Dataset::from_bytes(std::move(pair.features), std::move(pair.labels), pair.feature_count, classes,
                               normalization, name);
  };
  return {make(train), make(test)};
}

bool has_any_file(const fs::path& folder) {
  return std::any_of(std::begin(kFolderFiles), std::end(kFolderFiles),
                     [&](const char* name) { return find_file(folder, name).has_value(); });
}

TrainTest load_downloaded(const std::string& name, Normalization normalization, const std::string& advice) {
  const char* const variable = std::getenv("ENSYN_DATA_DIR");
  std::vector<fs::path> folders;
  std::string looked = "ENSYN_DATA_DIR (not set)";
  if (variable != nullptr && *variable != '\0') {
    folders.push_back(fs::path(variable) / name);
    looked = quote(folders.back().string()) + " (ENSYN_DATA_DIR)";
  }
  for (const char* parent : {"/usr/share/datasets", "./data"}) {
    folders.push_back(fs::path(parent) / name);
    looked += ", " + quote(folders.back().string());
  }
  for (const auto& folder : folders) {
    // A folder with some of the files is the one that was meant; what it lacks is then an error.
    if (has_any_file(folder)) {
      return load_folder(folder, normalization, kNamedClasses, name);
    }
  }
  throw IoError("data set " + name + " was not found; looked in " + looked + "; " + advice);
}

}  // namespace

Dataset::Dataset(std::shared_ptr<const Storage> storage) noexcept : storage_(std::move(storage)) {}

Dataset Dataset::from_bytes(std::vector<std::uint8_t> features, std::vector<std::uint8_t> labels,
                            int feature_count, int classes, Normalization normalization, std::string name) {
  check_classes(classes, name);
  check_shape(features.size(), labels.size(), feature_count, name);
  check_labels(labels, classes, name);
  check_normalization(normalization, name);
  const auto count = labels.size();
  auto buffers = std::make_shared<Storage::Buffers>();
  buffers->bytes = std::move(features);
  buffers->labels = std::move(labels);
  return Dataset(std::make_shared<Storage>(
      Storage{std::move(buffers), 0, count, feature_count, classes, normalization, std::move(name), 0}));
}

Dataset Dataset::from_floats(std::vector<float> features, std::vector<std::uint8_t> labels, int feature_count,
                             int classes, std::string name) {
  check_classes(classes, name);
  check_shape(features.size(), labels.size(), feature_count, name);
  check_labels(labels, classes, name);
  check_finite(features, "feature", feature_count, name);
  const auto count = labels.size();
  auto buffers = std::make_shared<Storage::Buffers>();
  buffers->floats = std::move(features);
  buffers->labels = std::move(labels);
  return Dataset(std::make_shared<Storage>(
      Storage{std::move(buffers), 0, count, feature_count, classes, Normalization{}, std::move(name), 0}));
}

Dataset Dataset::from_targets(std::vector<float> features, std::vector<float> targets, int feature_count,
                              int target_count, std::string name) {
  check_count("target_count", target_count, name);
  const auto width = static_cast<std::size_t>(target_count);
  const std::size_t count = targets.size() / width;
  if (targets.size() % width != 0) {
    fail(name, std::to_string(targets.size()) + " target values do not make examples of " +
                   std::to_string(width) + " targets");
  }
  check_shape(features.size(), count, feature_count, name);
  check_finite(features, "feature", feature_count, name);
  check_finite(targets, "target", target_count, name);
  auto buffers = std::make_shared<Storage::Buffers>();
  buffers->floats = std::move(features);
  buffers->targets = std::move(targets);
  return Dataset(std::make_shared<Storage>(Storage{std::move(buffers), 0, count, feature_count, 0,
                                                   Normalization{}, std::move(name), target_count}));
}

Dataset Dataset::from_idx(const fs::path& images, const fs::path& labels, Normalization normalization,
                          int classes) {
  auto pair = read_idx_pair(images, labels);
  classes = classes_of(pair, labels, classes);
  return from_bytes(std::move(pair.features), std::move(pair.labels), pair.feature_count, classes,
                    normalization, images.string());
}

std::size_t Dataset::size() const noexcept {
  return storage_->count;
}
int Dataset::feature_count() const noexcept {
  return storage_->feature_count;
}
int Dataset::classes() const noexcept {
  return storage_->classes;
}
int Dataset::target_count() const noexcept {
  return storage_->target_count;
}
const std::string& Dataset::name() const noexcept {
  return storage_->name;
}
bool Dataset::holds_bytes() const noexcept {
  return !storage_->buffers->bytes.empty();
}
const Normalization& Dataset::normalization() const noexcept {
  return storage_->normalization;
}

std::span<const std::uint8_t> Dataset::bytes() const noexcept {
  if (!holds_bytes()) {
    return {};
  }
  return std::span(storage_->buffers->bytes)
      .subspan(storage_->first * storage_->width(), storage_->count * storage_->width());
}

std::span<const float> Dataset::floats() const noexcept {
  if (holds_bytes()) {
    return {};
  }
  return std::span(storage_->buffers->floats)
      .subspan(storage_->first * storage_->width(), storage_->count * storage_->width());
}

std::span<const std::uint8_t> Dataset::labels() const noexcept {
  if (target_count() > 0) return {};
  return std::span(storage_->buffers->labels).subspan(storage_->first, storage_->count);
}

std::span<const float> Dataset::targets() const noexcept {
  const auto width = static_cast<std::size_t>(target_count());
  if (width == 0) return {};
  return std::span(storage_->buffers->targets).subspan(storage_->first * width, storage_->count * width);
}

const std::string& Dataset::digest() const {
  Storage::LazyDigest& digest = *storage_->digest;
  std::call_once(digest.computed, [&] { digest.text = digest_of(*this); });
  return digest.text;
}

Dataset Dataset::subset(std::size_t first, std::size_t count) const {
  if (count == 0 || first >= size() || count > size() - first) {
    fail(name(), "a subset of " + std::to_string(count) + " examples from number " + std::to_string(first) +
                     " on is empty or beyond the " + std::to_string(size()) + " examples there are");
  }
  auto part = *storage_;
  part.first += first;
  part.count = count;
  part.digest = std::make_shared<Storage::LazyDigest>();
  return Dataset(std::make_shared<Storage>(std::move(part)));
}

TrainTest load_idx_folder(const fs::path& folder, Normalization normalization, int classes) {
  return load_folder(folder, normalization, classes, folder.string());
}

TrainTest load_named_dataset(const std::string& name) {
  constexpr std::string_view kOptions =
      "set ENSYN_DATA_DIR to the folder that holds it or name its own with --data DIR";
  if (name == "digits") {
    return load_digits();
  }
  if (name == "mnist") {
    return load_downloaded(name, Normalization{}, std::string(kOptions));
  }
  if (name == "fashion-mnist") {
    return load_downloaded(
        name, kFashionMnist,
        "install it with `apt install dataset-fashion-mnist`, or " + std::string(kOptions));
  }
  throw ConfigError("data set " + quote(name) +
                    " is unknown: use digits, mnist or fashion-mnist, or name a "
                    "folder of IDX files with --data DIR");
}

}  // namespace ensyn
