/// \file
/// Examples in memory, labelled or with real targets: IDX files (MNIST and its kin), arrays of the caller's,
/// or the built-in digits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "ensyn/export.h"

namespace ensyn {

/// How stored bytes become network inputs: x = (byte / maximum - mean) / sd.
struct Normalization {
  double maximum = 255.0;  ///< byte that stands for 1; > 0
  double mean = 0.1307;
  double sd = 0.3081;  ///< > 0
  friend bool operator==(const Normalization&, const Normalization&) = default;
};

/// An immutable set of N examples of D features with labels in [0, classes), or with T real targets each.
/// Copies share their storage. Examples are kept either as bytes, normalised where they are used, or as
/// floats, used as they are.
class ENSYN_API Dataset {
 public:
  /// \param features row-major N x D bytes, N = labels.size() >= 1.
  /// \param classes number of classes, 2..256; every label is below it.
  /// \throws DataError on an empty set, sizes that do not agree, a label out of range, a bad normalisation.
  static Dataset from_bytes(std::vector<std::uint8_t> features, std::vector<std::uint8_t> labels,
                            int feature_count, int classes, Normalization normalization = {},
                            std::string name = "array");

  /// As `from_bytes`, for features that are already network inputs. \throws DataError also on NaN or
  /// infinity, naming the example and feature.
  static Dataset from_floats(std::vector<float> features, std::vector<std::uint8_t> labels, int feature_count,
                             int classes, std::string name = "array");

  /// Examples with real targets, for a gaussian likelihood.
  /// \param features row-major N x D, network inputs as they are.
  /// \param targets row-major N x T, N >= 1.
  /// \throws DataError on an empty set, sizes that do not agree, NaN or infinity.
  static Dataset from_targets(std::vector<float> features, std::vector<float> targets, int feature_count,
                              int target_count, std::string name = "array");

  /// Reads one pair of IDX files (images: unsigned bytes of 2 or more dimensions; labels: unsigned bytes of
  /// 1), plain or gzip whatever their names say.
  /// \param classes number of classes, every label below it; 0 takes the largest label + 1, and at least 2.
  /// \throws IoError when a file cannot be read, DataError when its content is not what IDX prescribes.
  static Dataset from_idx(const std::filesystem::path& images, const std::filesystem::path& labels,
                          Normalization normalization = {}, int classes = 0);

  [[nodiscard]] std::size_t size() const noexcept;   ///< N
  [[nodiscard]] int feature_count() const noexcept;  ///< D
  [[nodiscard]] int classes() const noexcept;        ///< 0 where there are targets
  [[nodiscard]] int target_count() const noexcept;   ///< T, 0 where there are labels
  [[nodiscard]] const std::string& name() const noexcept;
  [[nodiscard]] bool holds_bytes() const noexcept;
  [[nodiscard]] const Normalization& normalization() const noexcept;    ///< meaningful when holds_bytes()
  [[nodiscard]] std::span<const std::uint8_t> bytes() const noexcept;   ///< N x D, empty unless holds_bytes()
  [[nodiscard]] std::span<const float> floats() const noexcept;         ///< N x D, empty when holds_bytes()
  [[nodiscard]] std::span<const std::uint8_t> labels() const noexcept;  ///< N, empty where there are targets
  [[nodiscard]] std::span<const float> targets() const noexcept;  ///< N x T, empty where there are labels

  /// Eight hexadecimal digits that tell this data set from others: equal for equal examples, labels or
  /// targets, classes and normalisation, whatever the name; the same on every machine and in every version.
  /// Computed when first asked for, in about half a nanosecond a byte. Not for telling apart what somebody
  /// made alike on purpose.
  [[nodiscard]] const std::string& digest() const;

  /// The examples [first, first + count). \throws DataError when the range is empty or beyond the end.
  [[nodiscard]] Dataset subset(std::size_t first, std::size_t count) const;

  struct Storage;

 private:
  explicit Dataset(std::shared_ptr<const Storage> storage) noexcept;
  std::shared_ptr<const Storage> storage_;
};

/// A training and a test set of one kind.
struct TrainTest {
  Dataset train;
  Dataset test;
};

/// Reads `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`, `t10k-images-idx3-ubyte` and
/// `t10k-labels-idx1-ubyte` from a folder, each plain or with `.gz`.
/// \param classes of both sets, every label below it; 0 takes the largest label of the training set + 1, and
/// at least 2. \throws IoError; DataError, also where the test set has a label beyond the classes
[[nodiscard]] ENSYN_API TrainTest load_idx_folder(const std::filesystem::path& folder,
                                                  Normalization normalization = {}, int classes = 0);

/// The built-in digits: 1,797 images of 8 x 8 (values 0..16) from UCI's optical recognition of handwritten
/// digits (E. Alpaydin, C. Kaynak; CC BY 4.0), the first 1,437 for training and the last 360 for test.
[[nodiscard]] ENSYN_API TrainTest load_digits();

/// `digits`, `mnist` or `fashion-mnist`; the latter two are looked for in the folders where Debian's packages
/// and the environment variable ENSYN_DATA_DIR (a folder holding `mnist/` and `fashion-mnist/`) put them.
/// \throws ConfigError on another name, IoError when no folder has the files (the text says where it looked).
[[nodiscard]] ENSYN_API TrainTest load_named_dataset(const std::string& name);

}  // namespace ensyn
