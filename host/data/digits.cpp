/// \file
/// The built-in digits: data/digits.csv.gz, embedded by the build (cmake/EnsynEmbed.cmake).
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "ensyn/dataset.h"
#include "ensyn/error.h"
#include "host/io/gzip.h"

namespace ensyn {

extern const std::uint8_t kDigitsCsvGz[];
extern const std::size_t kDigitsCsvGzSize;

namespace {

constexpr int kFeatures = 64;
constexpr std::size_t kTrainExamples = 1437;
constexpr std::size_t kTestExamples = 360;
/// Mean and standard deviation of value / 16 over the 1,437 x 64 values of the training set.
constexpr Normalization kNormalization{16.0, 0.3054, 0.3755};

/// The numbers of a text in which each is followed by a comma or the line's end.
std::vector<std::uint8_t> parse_numbers(std::string_view text) {
  std::vector<std::uint8_t> numbers;
  const char* const end = text.data() + text.size();
  for (const char* at = text.data(); at != end;) {
    std::uint8_t value = 0;
    const auto [after, status] = std::from_chars(at, end, value);
    if (status != std::errc{} || after == end) {
      throw DataError("the built-in digits are damaged; build the library again");
    }
    numbers.push_back(value);
    at = after + 1;
  }
  return numbers;
}

}  // namespace

TrainTest load_digits() {
  const auto csv = gunzip(std::span(kDigitsCsvGz, kDigitsCsvGzSize), "built-in digits");
  const auto numbers = parse_numbers({reinterpret_cast<const char*>(csv.data()), csv.size()});
  constexpr std::size_t kRow = kFeatures + 1;
  std::vector<std::uint8_t> features, labels;
  for (std::size_t row = 0; row + kRow <= numbers.size(); row += kRow) {
    const auto* const first = numbers.data() + row;
    features.insert(features.end(), first, first + kFeatures);
    labels.push_back(first[kFeatures]);
  }
  const auto all =
      Dataset::from_bytes(std::move(features), std::move(labels), kFeatures, 10, kNormalization, "digits");
  return {all.subset(0, kTrainExamples), all.subset(kTrainExamples, kTestExamples)};
}

}  // namespace ensyn
