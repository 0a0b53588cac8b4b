// The noise contract: words, normals and the order of minibatches, against the oracle, bit for bit where the
// contract says so.

#include "ensyn/noise.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "ensyn/device.h"
#include "ensyn/error.h"
#include "oracle/compare.h"
#include "oracle/oracle.h"

namespace {

using ensyn::NoiseKey;
using ensyn::Purpose;

constexpr std::uint64_t kLastStep = (std::uint64_t{1} << 40) - 1;
constexpr std::uint64_t kLastQuad = (std::uint64_t{1} << 40) - 1;
constexpr std::uint32_t kLastStream = (1U << 24) - 1;
constexpr std::uint32_t kLastTensor = (1U << 12) - 1;

/// Keys at every edge of the counter, and where one half of it carries into the next.
std::vector<NoiseKey> awkward_keys() {
  return {
      {},
      {42, 3, 1234567, 2, Purpose::training},
      {std::numeric_limits<std::uint64_t>::max(), kLastStream, kLastStep, kLastTensor, Purpose::user},
      {std::numeric_limits<std::uint64_t>::max() - 1, 0, 0xFFFFFFFF, 1, Purpose::evaluation},
      {0x100000000, 1, 0x100000000, 0, Purpose::initial_mu},
      {0xFFFFFFFF, 0x800000, 1, 0x800, Purpose::shuffling},
      {1, 2, 3, 4, Purpose::stochastic_rounding},
  };
}

oracle::Draw draw_of(const NoiseKey& key) {
  return {key.seed, key.stream, key.step, key.tensor, static_cast<std::uint64_t>(key.purpose)};
}

ensyn::ExecutionConfig on_cpu(const std::string& instruction_set, int threads) {
  ensyn::ExecutionConfig execution;
  execution.device = ensyn::DeviceKind::cpu;
  execution.instruction_set = instruction_set;
  execution.threads = threads;
  return execution;
}

struct Shape {
  int rows, columns;
};
constexpr Shape kShapes[] = {{1, 1},  {1, 2},  {2, 1},  {2, 2},  {3, 5},    {4, 31},    {5, 33},
                             {31, 3}, {33, 4}, {1, 70}, {70, 1}, {10, 101}, {100, 101}, {20, 785}};

template <class T>
std::vector<T> product_normals(const NoiseKey& key, Shape shape, const ensyn::ExecutionConfig& execution) {
  const auto count = static_cast<std::size_t>(shape.rows) * static_cast<std::size_t>(shape.columns);
  // Sentinels on both sides show a write outside; NaN inside shows one left out.
  constexpr std::size_t kGuard = 64;
  constexpr T kSentinel = T(-12345);
  std::vector<T> buffer(count + 2 * kGuard, kSentinel);
  const std::span<T> inside = std::span(buffer).subspan(kGuard, count);
  std::fill(inside.begin(), inside.end(), std::numeric_limits<T>::quiet_NaN());
  ensyn::noise_normals(key, shape.rows, shape.columns, inside, execution);
  for (std::size_t i = 0; i < kGuard; ++i) {
    EXPECT_EQ(buffer[i], kSentinel);
    EXPECT_EQ(buffer[kGuard + count + i], kSentinel);
  }
  return {inside.begin(), inside.end()};
}

TEST(NoiseWordsTest, StartWithThePublishedVector) {
  EXPECT_EQ(ensyn::noise_words({}, 0), (oracle::Block{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
}

TEST(NoiseWordsTest, AgreeWithTheOracle) {
  for (const NoiseKey& key : awkward_keys()) {
    for (const std::uint64_t quad : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{0xFFFFFFFF},
                                     std::uint64_t{0x100000000}, kLastQuad - 1, kLastQuad}) {
      EXPECT_EQ(ensyn::noise_words(key, quad), oracle::words(draw_of(key), quad)) << key.seed << " " << quad;
    }
  }
}

TEST(NoiseWordsTest, RejectsWhatDoesNotFitTheCounter) {
  EXPECT_THROW(static_cast<void>(ensyn::noise_words({}, kLastQuad + 1)), ensyn::ConfigError);
  EXPECT_THROW(static_cast<void>(ensyn::noise_words({0, kLastStream + 1}, 0)), ensyn::ConfigError);
  EXPECT_THROW(static_cast<void>(ensyn::noise_words({0, 0, kLastStep + 1}, 0)), ensyn::ConfigError);
  EXPECT_THROW(static_cast<void>(ensyn::noise_words({0, 0, 0, kLastTensor + 1}, 0)), ensyn::ConfigError);
  EXPECT_THROW(static_cast<void>(ensyn::noise_words({0, 0, 0, 0, static_cast<Purpose>(256)}, 0)),
               ensyn::ConfigError);
}

TEST(NoiseNormalsTest, RejectsSizesAndInstructionSetsThatAreNot) {
  std::vector<float> out(6);
  EXPECT_THROW(ensyn::noise_normals({}, 2, 4, std::span<float>(out)), ensyn::ConfigError);
  EXPECT_THROW(ensyn::noise_normals({}, 0, 4, std::span<float>(out)), ensyn::ConfigError);
  EXPECT_THROW(ensyn::noise_normals({}, -2, -3, std::span<float>(out)), ensyn::ConfigError);
  EXPECT_THROW(ensyn::noise_normals({0, kLastStream + 1}, 2, 3, std::span<float>(out)), ensyn::ConfigError);
  EXPECT_THROW(ensyn::noise_normals({}, 2, 3, std::span<float>(out), on_cpu("abacus", 1)),
               ensyn::DeviceError);
}

TEST(NoiseNormalsTest, DoubleAgreesWithTheOracle) {
  for (const NoiseKey& key : awkward_keys()) {
    for (const Shape shape : kShapes) {
      const auto want = oracle::normals(draw_of(key), shape.rows, shape.columns, oracle::Uniform::exact);
      const auto got = product_normals<double>(key, shape, on_cpu("auto", 1));
      // Logarithm, root, sine and product: a few units in the last place of numbers up to 6.7.
      EXPECT_TRUE(compare::all_close(got, want.values, {2e-15, 1e-15}))
          << shape.rows << " x " << shape.columns;
    }
  }
}

TEST(NoiseNormalsTest, FloatAgreesWithTheOracle) {
  for (const NoiseKey& key : awkward_keys()) {
    for (const Shape shape : kShapes) {
      const auto single = oracle::normals(draw_of(key), shape.rows, shape.columns, oracle::Uniform::single);
      const auto floats = product_normals<float>(key, shape, on_cpu("auto", 1));
      const std::vector<double> got(floats.begin(), floats.end());
      // As for double, plus the rounding of the angle's word to 24 bits (pi 2^-25 of the radius).
      EXPECT_TRUE(compare::all_close(got, single.values, {1.5e-6, 5e-7}))
          << shape.rows << " x " << shape.columns;
    }
  }
}

TEST(NoiseNormalsTest, FloatKeepsTheContractsBoundAgainstExactArithmetic) {
  const NoiseKey key{99, 7, 12, 3, Purpose::training};
  const Shape shape{1000, 1001};
  const auto floats = product_normals<float>(key, shape, on_cpu("auto", 1));
  std::vector<double> far;
  std::vector<double> far_want;
  std::vector<double> near;
  std::vector<double> near_want;
  for (int row = 0; row < shape.rows; ++row) {
    for (int column = 0; column < shape.columns; ++column) {
      const auto index = static_cast<std::size_t>(row * shape.columns + column);
      const auto word = oracle::word_at(draw_of(key), row, column - column % 2, shape.columns);
      const double radius = std::sqrt(-2 * std::log(oracle::uniform(word, oracle::Uniform::exact)));
      const double want = oracle::normal_at(draw_of(key), row, column, shape.columns, oracle::Uniform::exact);
      (radius > 0.02 ? far : near).push_back(floats[index]);
      (radius > 0.02 ? far_want : near_want).push_back(want);
    }
  }
  EXPECT_GT(near.size(), 50U);
  EXPECT_TRUE(compare::all_close(far, far_want, {1e-5, 0}));
  EXPECT_TRUE(compare::all_close(near, near_want, {1e-3, 0}));
}

template <class T>
void expect_same_bits_everywhere() {
  for (const NoiseKey& key : awkward_keys()) {
    for (const Shape shape : kShapes) {
      const auto reference = product_normals<T>(key, shape, on_cpu(ensyn::instruction_sets().back(), 1));
      for (const std::string& set : ensyn::instruction_sets()) {
        for (const int threads : {1, 3}) {
          EXPECT_EQ(product_normals<T>(key, shape, on_cpu(set, threads)), reference)
              << set << ", " << threads << " threads, " << shape.rows << " x " << shape.columns;
        }
      }
    }
  }
}

TEST(NoiseNormalsTest, FloatIsTheSameOnEveryInstructionSet) {
  expect_same_bits_everywhere<float>();
}
TEST(NoiseNormalsTest, DoubleIsTheSameOnEveryInstructionSet) {
  expect_same_bits_everywhere<double>();
}

TEST(NoiseNormalsTest, EachPartOfTheKeyMatters) {
  const NoiseKey base{5, 6, 7, 8, Purpose::training};
  const Shape shape{4, 4};
  const auto reference = product_normals<double>(base, shape, on_cpu("auto", 1));
  for (const NoiseKey& other :
       {NoiseKey{6, 6, 7, 8, Purpose::training}, NoiseKey{5 + (std::uint64_t{1} << 32), 6, 7, 8},
        NoiseKey{5, 7, 7, 8, Purpose::training}, NoiseKey{5, 6, 8, 8, Purpose::training},
        NoiseKey{5, 6, 7, 9, Purpose::training}, NoiseKey{5, 6, 7, 8, Purpose::evaluation}}) {
    const auto normals = product_normals<double>(other, shape, on_cpu("auto", 1));
    for (std::size_t i = 0; i < normals.size(); ++i) {
      EXPECT_NE(normals[i], reference[i]);
    }
  }
}

TEST(MinibatchOrderTest, AgreesWithTheOracle) {
  for (const std::size_t count : {1U, 2U, 3U, 20U, 67U, 1437U, 60000U}) {
    for (const std::uint64_t epoch : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{49}, kLastStep}) {
      EXPECT_EQ(ensyn::minibatch_order(0xFEDCBA9876543210, 5, epoch, count),
                oracle::order(0xFEDCBA9876543210, 5, epoch, count))
          << count << " examples, epoch " << epoch;
    }
  }
}

TEST(MinibatchOrderTest, RejectsSizesBeyondTheContract) {
  EXPECT_THROW(static_cast<void>(ensyn::minibatch_order(0, 0, 0, 0)), ensyn::ConfigError);
  EXPECT_THROW(static_cast<void>(ensyn::minibatch_order(0, 0, 0, (std::size_t{1} << 31) + 1)),
               ensyn::ConfigError);
}

}  // namespace
