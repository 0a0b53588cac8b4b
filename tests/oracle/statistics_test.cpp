// Statistics of the normals that training sees. Seeds are fixed; each threshold is a number of standard
// errors of the statistic itself, kSigmas of them, which a right generator exceeds once in 3e7 comparisons.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <span>
#include <string>
#include <vector>

#include "ensyn/noise.h"

namespace {

using ensyn::NoiseKey;
using ensyn::Purpose;

constexpr double kSigmas = 5.5;
constexpr int kRows = 4096;
constexpr int kColumns = 4096;

template <class T>
std::vector<T> normals(const NoiseKey& key, int rows = kRows, int columns = kColumns) {
  ensyn::ExecutionConfig execution;
  execution.device = ensyn::DeviceKind::cpu;
  std::vector<T> out(static_cast<std::size_t>(rows) * static_cast<std::size_t>(columns));
  ensyn::noise_normals(key, rows, columns, std::span(out), execution);
  return out;
}

/// (k - 1)!! for even k, 0 for odd: the k-th moment of a standard normal.
double moment(int k) {
  double result = k % 2 == 0 ? 1 : 0;
  for (int i = k - 1; i > 1; i -= 2) {
    result *= i;
  }
  return result;
}

template <class T>
void check_moments(const std::vector<T>& values) {
  const auto count = static_cast<double>(values.size());
  std::vector<double> sums(9);
  for (const T value : values) {
    double power = 1;
    for (int k = 1; k <= 8; ++k) {
      power *= value;
      sums[static_cast<std::size_t>(k)] += power;
    }
  }
  for (int k = 1; k <= 8; ++k) {
    const double error = std::sqrt((moment(2 * k) - moment(k) * moment(k)) / count);
    EXPECT_NEAR(sums[static_cast<std::size_t>(k)] / count, moment(k), kSigmas * error) << "moment " << k;
  }
}

TEST(StatisticsTest, MomentsOfFloats) {
  check_moments(normals<float>({1, 2, 3, 4, Purpose::training}));
}
TEST(StatisticsTest, MomentsOfDoubles) {
  check_moments(normals<double>({5, 6, 7, 8, Purpose::evaluation}, 1024, 4096));
}

TEST(StatisticsTest, DistributionByKolmogorovAndSmirnov) {
  std::vector<float> values = normals<float>({11, 0, 1, 2, Purpose::training});
  std::sort(values.begin(), values.end());
  const auto count = static_cast<double>(values.size());
  double largest = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double expected = 0.5 * std::erfc(-values[i] / std::numbers::sqrt2);
    const auto below = static_cast<double>(i);
    largest = std::max({largest, expected - below / count, (below + 1) / count - expected});
  }
  // sqrt(n) D exceeds x with probability 2 exp(-2 x^2): 4e-8 at 2.98.
  EXPECT_LT(std::sqrt(count) * largest, 2.98);
}

TEST(StatisticsTest, TailsToFiveSigma) {
  const std::vector<float> values = normals<float>({12, 3, 4, 0, Purpose::training});
  const auto count = static_cast<double>(values.size());
  for (const double bound : {0.5, 1.0, 2.0, 3.0, 4.0, 5.0}) {
    const double share = 0.5 * std::erfc(bound / std::numbers::sqrt2);
    const double error = std::sqrt(count * share * (1 - share));
    const auto above = std::count_if(values.begin(), values.end(), [&](float x) { return x > bound; });
    const auto below = std::count_if(values.begin(), values.end(), [&](float x) { return x < -bound; });
    EXPECT_NEAR(static_cast<double>(above), count * share, kSigmas * error) << "above " << bound;
    EXPECT_NEAR(static_cast<double>(below), count * share, kSigmas * error) << "below " << -bound;
    EXPECT_GT(above, 0);
  }
  // The smallest uniform, 2^-33, puts the largest radius at sqrt(66 ln 2).
  EXPECT_LT(*std::max_element(values.begin(), values.end()), std::sqrt(66 * std::numbers::ln2) + 1e-5);
}

/// Correlations of x with y, of their squares, and of x with y^2; each has variance 1 for independent
/// normals.
class Correlation {
 public:
  void add(double x, double y) {
    const double x2 = (x * x - 1) / std::numbers::sqrt2;
    const double y2 = (y * y - 1) / std::numbers::sqrt2;
    sums_[0] += x * y;
    sums_[1] += x2 * y2;
    sums_[2] += x * y2;
    sums_[3] += x2 * y;
    ++count_;
  }

  void expect_none(const std::string& what) const {
    ASSERT_GT(count_, 1000000U);
    const double error = std::sqrt(static_cast<double>(count_));
    const char* const names[] = {"x y", "x^2 y^2", "x y^2", "x^2 y"};
    for (std::size_t i = 0; i < 4; ++i) {
      EXPECT_LT(std::abs(sums_[i]) / error, kSigmas) << names[i] << ", " << what;
    }
  }

 private:
  double sums_[4] = {};
  std::size_t count_ = 0;
};

TEST(StatisticsTest, NeighboursInAMatrixAreIndependent) {
  const std::vector<float> values = normals<float>({13, 0, 0, 0, Purpose::training});
  struct Neighbour {
    int row, column;
  };
  // Blocks are 2 x 2: steps of 1 lie within a block half the time, of 2 in the next.
  for (const Neighbour step : {Neighbour{0, 1}, {1, 0}, {1, 1}, {0, 2}, {2, 0}}) {
    Correlation inside_block;
    Correlation across_blocks;
    for (int row = 0; row + step.row < kRows; ++row) {
      for (int column = 0; column + step.column < kColumns; ++column) {
        const bool is_inside = row / 2 == (row + step.row) / 2 && column / 2 == (column + step.column) / 2;
        const auto here = static_cast<std::size_t>(row * kColumns + column);
        const auto there = static_cast<std::size_t>((row + step.row) * kColumns + column + step.column);
        (is_inside ? inside_block : across_blocks).add(values[here], values[there]);
      }
    }
    const std::string what = std::to_string(step.row) + " down, " + std::to_string(step.column) + " right";
    across_blocks.expect_none(what);
    if (step.row < 2 && step.column < 2) {
      inside_block.expect_none(what + ", within a block");
    }
  }
}

TEST(StatisticsTest, NeighbouringKeysAreIndependent) {
  const NoiseKey base{14, 5, 6, 1, Purpose::training};
  const std::vector<float> reference = normals<float>(base, 1024, 4096);
  const struct {
    std::string name;
    NoiseKey key;
  } others[] = {{"next seed", {15, 5, 6, 1, Purpose::training}},
                {"seed + 2^32", {14 + (std::uint64_t{1} << 32), 5, 6, 1, Purpose::training}},
                {"next stream", {14, 6, 6, 1, Purpose::training}},
                {"next step", {14, 5, 7, 1, Purpose::training}},
                {"next tensor", {14, 5, 6, 2, Purpose::training}},
                {"evaluation", {14, 5, 6, 1, Purpose::evaluation}}};
  for (const auto& [name, key] : others) {
    const std::vector<float> values = normals<float>(key, 1024, 4096);
    Correlation correlation;
    for (std::size_t i = 0; i < values.size(); ++i) {
      correlation.add(reference[i], values[i]);
    }
    correlation.expect_none(name);
  }
}

TEST(StatisticsTest, EveryExampleVisitsEveryPlaceEquallyOften) {
  constexpr std::size_t kCount = 10;
  constexpr int kEpochs = 20000;
  std::vector<double> visits(kCount * kCount);
  for (int epoch = 0; epoch < kEpochs; ++epoch) {
    const auto order = ensyn::minibatch_order(16, 0, static_cast<std::uint64_t>(epoch), kCount);
    for (std::size_t place = 0; place < kCount; ++place) {
      ++visits[place * kCount + order[place]];
    }
  }
  const double expected = kEpochs / static_cast<double>(kCount);
  double sum = 0;
  for (const double count : visits) {
    sum += (count - expected) * (count - expected) / expected;
  }
  // The doubly constrained table sums to (kCount - 1) times a chi-square of (kCount - 1)^2 degrees over
  // kCount.
  const double degrees = (kCount - 1) * (kCount - 1);
  const double statistic = sum * (kCount - 1) / kCount;
  EXPECT_NEAR(statistic, degrees, kSigmas * std::sqrt(2 * degrees));
}

}  // namespace
