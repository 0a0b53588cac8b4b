// The laws of noise: formulas against the oracle and finite differences, the binomial law's distribution over
// all 2^32 words, and statistics of the weights that training draws. Seeds are fixed; statistical thresholds
// are kSigmas standard errors, as in statistics_test.cpp.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "ensyn/detail/arithmetic.h"
#include "host/cpu/kernels.h"
#include "oracle/oracle.h"

namespace {

namespace detail = ensyn::detail;
using ensyn::NoiseLaw;
using oracle::Law;

constexpr double kSigmas = 5.5;

template <class T>
constexpr double kEpsilon = static_cast<double>(std::numeric_limits<T>::epsilon());

template <class T>
class LawsTest : public ::testing::Test {};
using Numbers = ::testing::Types<float, double>;
TYPED_TEST_SUITE(LawsTest, Numbers);

const std::vector<double> kMus{1e-9, -1e-7, 1e-4, -0.01, 0.1, -0.3, 1, 3};
const std::vector<double> kSds{1e-4, 0.01, 0.3, 3};
const std::vector<double> kNormals{-5, -2.1, -0.3, 0, 0.7, 1.9, 4.4, 6.6};

TYPED_TEST(LawsTest, LogNormalWeightsAndSlopesAgreeWithTheOracle) {
  using T = TypeParam;
  for (const double mu : kMus) {
    for (const double sigma : kSds) {
      for (const double xi : kNormals) {
        const T m = static_cast<T>(mu), sd = static_cast<T>(sigma), x = static_cast<T>(xi);
        const auto got = detail::log_normal_weight(m, sd, x);
        const oracle::Weight want = oracle::draw_weight(Law::log_normal, 0, m, sd, x);
        const double y = std::pow(sd / std::max(std::abs(static_cast<double>(m)), 1e-6 * sd), 2);
        const double s = std::sqrt(std::log1p(y)), growth = want.value / m;
        // Roundings of the exponent are errors relative to the result; a few more are made on the way.
        const double relative = (16 + 4 * s * (std::abs(xi) + s)) * kEpsilon<T>;
        const double common = growth * (std::abs(xi) + s) / (s * (1 + y));
        SCOPED_TRACE(std::to_string(mu) + " " + std::to_string(sigma) + " " + std::to_string(xi));
        EXPECT_NEAR(got.value, want.value, relative * std::abs(want.value));
        EXPECT_NEAR(got.mu_slope, want.mu_slope, relative * (growth + common * y));
        EXPECT_NEAR(got.sigma_slope, want.sigma_slope, relative * common * std::sqrt(y));
      }
    }
  }
}

TEST(LogNormalTest, SlopesAreThoseOfFiniteDifferences) {
  for (const double mu : {0.02, -0.1, 0.3, -2.0}) {
    for (const double sigma : {0.002, 0.1, 0.5, 2.0}) {
      for (const double xi : kNormals) {
        const auto value = [&](double m, double sd) { return detail::log_normal_weight(m, sd, xi).value; };
        const auto got = detail::log_normal_weight(mu, sigma, xi);
        const double h = 1e-4 * std::abs(mu), k = 1e-4 * sigma;
        const double by_mu = (value(mu + h, sigma) - value(mu - h, sigma)) / (2 * h);
        const double by_sigma = (value(mu, sigma + k) - value(mu, sigma - k)) / (2 * k);
        // Truncation is h^2 f'''/6: 1e-8 relative to slopes of this size, with their powers of s and xi.
        const double size = 1 + std::abs(got.mu_slope) + std::abs(got.sigma_slope) + std::abs(got.value / mu);
        EXPECT_NEAR(got.mu_slope, by_mu, 3e-6 * size) << mu << " " << sigma << " " << xi;
        EXPECT_NEAR(got.sigma_slope, by_sigma, 3e-6 * size) << mu << " " << sigma << " " << xi;
      }
    }
  }
}

TYPED_TEST(LawsTest, LogNormalIsGaussianToFirstOrder) {
  using T = TypeParam;
  for (const double mu : {0.1, -0.1}) {
    for (const double ratio : {1e-2, 1e-3, 1e-5, 1e-9, 1e-20}) {
      for (const double xi : kNormals) {
        const double sigma = static_cast<T>(ratio * std::abs(mu));
        const auto got =
            detail::log_normal_weight(static_cast<T>(mu), static_cast<T>(sigma), static_cast<T>(xi));
        // A ratio below 1e-15 is taken for that.
        // A ratio below 1e-15 is taken for 1e-15.
        const double used = std::max(ratio, 1e-15), squares = 1 + xi * xi;
        EXPECT_NEAR(got.value, mu + sigma * xi,
                    std::abs(mu) * (used * used * squares + 1e-15 * std::abs(xi) + 4 * kEpsilon<T>));
        EXPECT_NEAR(got.sigma_slope, xi, 2 * used * squares + 8 * kEpsilon<T> * (1 + std::abs(xi)));
        EXPECT_NEAR(got.mu_slope, 1, 2 * used * used * squares + 8 * kEpsilon<T>);
      }
    }
  }
}

TYPED_TEST(LawsTest, AllIsFiniteEverywhereAndNanStaysNan) {
  using T = TypeParam;
  const T least = std::numeric_limits<T>::denorm_min(), nan = std::numeric_limits<T>::quiet_NaN();
  const auto is_finite = [](const detail::Weight<T>& w) {
    return std::isfinite(w.value) && std::isfinite(w.mu_slope) && std::isfinite(w.sigma_slope);
  };
  for (const T mu : {T(0), -T(0), least, -least, T(1e-30), T(1e-10), T(-1e-3), T(1), T(-1e10)}) {
    for (const T sigma : {T(0), least, T(1e-37), T(1e-20), T(1e-4), T(1), T(1e9)}) {
      for (const T xi : {T(-6.7), T(0), T(6.7)}) {
        EXPECT_TRUE(is_finite(detail::log_normal_weight(mu, sigma, xi))) << mu << " " << sigma << " " << xi;
      }
      for (const int n : {1, 5, 64}) {
        for (const T word : {T(0), T(1), T(0x80000000), T(0xFFFFFFFF)}) {
          EXPECT_TRUE(is_finite(detail::binomial_weight(mu, sigma, word, n))) << mu << " " << sigma;
        }
      }
    }
  }
  EXPECT_EQ(detail::log_normal_weight(T(0), T(0.5), T(2)).value, T(0));
  EXPECT_TRUE(std::isnan(detail::log_normal_weight(nan, T(1), T(1)).value));
  EXPECT_TRUE(std::isnan(detail::log_normal_weight(T(1), nan, T(1)).value));
  EXPECT_TRUE(std::isnan(detail::binomial_weight(nan, T(1), T(1), 5).value));
  EXPECT_TRUE(std::isnan(detail::binomial_weight(T(1), nan, T(1), 5).value));
}

// ---- the binomial law over all its words ------------------------------------------------------------------

/// Means for sigma = 1 and n vesicles whose probability of release is p.
double mu_of(int n, double p) {
  return std::sqrt(n * p / (1 - p));
}

/// Number of vesicles counted (the rarer of released and failed).
template <class T>
int count_of(T mu, T word, int n, const oracle::Release& chance) {
  const double noise = static_cast<double>(detail::binomial_weight(mu, T(1), word, n).sigma_slope);
  const double r = chance.rarer, deviation = (chance.failures != (mu < 0) ? -noise : noise);
  const double count = n * r + deviation * std::sqrt(n * r * (1 - r));
  EXPECT_NEAR(count, std::round(count), 1e-3) << "n " << n << ", mu " << mu;
  return static_cast<int>(std::lround(count));
}

/// Share of all words for which more than k are counted. The count falls as the word grows.
template <class T>
double tail_of(T mu, int n, const oracle::Release& chance, int k) {
  std::uint64_t below = 0, above = std::uint64_t{1} << 32;  // words < below have it, words >= above do not
  while (below < above) {
    const std::uint64_t middle = (below + above) / 2;
    const T word = static_cast<T>(static_cast<std::uint32_t>(middle));
    if (count_of(mu, word, n, chance) > k) {
      below = middle + 1;
    } else {
      above = middle;
    }
  }
  return static_cast<double>(below) * std::exp2(-32.0);
}

TYPED_TEST(LawsTest, BinomialHasItsDistributionOverAllWords) {
  using T = TypeParam;
  for (const int n : {1, 2, 5, 17, 64}) {
    for (const double p : {0.0, 1e-5, 0.0011, 0.01, 0.2, 0.49, 0.51, 0.9, 0.999, 1 - 1e-6}) {
      for (const double sign : {1.0, -1.0}) {
        const T mu = static_cast<T>(sign * mu_of(n, p));
        const oracle::Release chance = oracle::release(n, mu, 1);
        const double r = chance.rarer;
        SCOPED_TRACE("n " + std::to_string(n) + ", p " + std::to_string(p));
        EXPECT_EQ(chance.is_clamped, p < 0.001);
        EXPECT_EQ(chance.failures, p > 0.5);
        double mean = 0, square = 0, before = 1, mean_error = 0, square_error = 0;
        const double scale = 1 / std::sqrt(n * r * (1 - r)), first = oracle::binomial_tail(n, r, 0);
        for (int k = 0; k <= n; ++k) {
          const double tail = k < n ? tail_of(mu, n, chance, k) : 0;
          const double want = k < n ? oracle::binomial_tail(n, r, k) : 0;
          // Words come in steps of 2^-32, and where they are above 2^-8 in steps of a float.
          const double error = std::exp2(-32.0) + std::min((4 + n) * kEpsilon<T> * first, want);
          EXPECT_NEAR(tail, want, error) << "more than " << k;
          const double deviation = (k - n * r) * scale;
          mean += (before - tail) * deviation;
          square += (before - tail) * deviation * deviation;
          before = tail;
          // What moves over from count k to k + 1.
          mean_error += error * scale;
          square_error += error * scale * (2 * std::abs(deviation) + scale);
        }
        EXPECT_NEAR(mean, 0, mean_error);
        EXPECT_NEAR(square, 1, square_error);
        // Where words resolve the rarer event, the variance is right to a part in a thousand.
        if (n * r > 1e-5) {
          EXPECT_NEAR(square, 1, 1e-3);
        }
      }
    }
  }
}

TYPED_TEST(LawsTest, BinomialWeightsAreQuantaTimesReleases) {
  using T = TypeParam;
  const double mu = -0.3, sigma = 0.2;
  for (const int n : {1, 3, 10}) {
    for (std::uint32_t i = 0; i < 1000; ++i) {
      const std::uint32_t word = i * 4294967U + 1234567U;
      const auto got =
          detail::binomial_weight(static_cast<T>(mu), static_cast<T>(sigma), static_cast<T>(word), n);
      const oracle::Weight want =
          oracle::draw_weight(Law::binomial, n, static_cast<T>(mu), static_cast<T>(sigma),
                              oracle::uniform(word, oracle::Uniform::exact));
      if (want.margin < 100 * kEpsilon<T>) continue;
      const double size = std::abs(mu) + sigma * std::abs(want.sigma_slope);
      EXPECT_NEAR(got.value, want.value, 16 * kEpsilon<T> * size);
      EXPECT_NEAR(got.sigma_slope, want.sigma_slope, 16 * kEpsilon<T> * (1 + std::abs(want.sigma_slope)));
      EXPECT_EQ(got.mu_slope, T(1));
      EXPECT_EQ(got.value == 0, want.value == 0);
    }
  }
}

// ---- weights that the kernels draw ------------------------------------------------------------------------

/// Weights of rows first_row to first_row + 3 of a layer, row by row, all of the given mu and sigma.
template <class T>
struct Drawing {
  NoiseLaw law;
  int vesicles = 5;
  int columns = 1;
  int first_row = 0;
  std::vector<T> mu, sigma;  ///< one for each column
  ensyn::NoiseKey key{21, 3, 4, 2, ensyn::Purpose::training};

  [[nodiscard]] std::vector<double> run(const ensyn::cpu::InstructionSet& set) const {
    const ensyn::cpu::LayerShape shape{4, columns};
    ensyn::cpu::Array<T> mus(shape.elements()), sds(shape.elements()), weights(shape.elements());
    const auto stride = static_cast<std::size_t>(shape.stride());
    for (std::size_t row = 0; row < 4; ++row) {
      for (std::size_t c = 0; c < mu.size(); ++c) {
        mus[row * stride + c] = mu[c];
        sds[row * stride + c] = sigma[c];
      }
    }
    const auto stream = ensyn::cpu::NoiseStream::from(key);
    ensyn::cpu::RowGroup<T> group;
    group.blocks = shape.blocks();
    group.first_row = first_row;
    group.columns = columns;
    ensyn::cpu::table_of<T>(set).sample_plain(group, mus.data(), sds.data(),
                                              {&stream, weights.data(), law, vesicles});
    std::vector<double> result;
    for (std::size_t row = 0; row < 4; ++row) {
      for (std::size_t c = 0; c < mu.size(); ++c) result.push_back(weights[row * stride + c]);
    }
    return result;
  }
};

TYPED_TEST(LawsTest, EveryInstructionSetDrawsTheOraclesWeights) {
  using T = TypeParam;
  const auto kind = sizeof(T) == 4 ? oracle::Uniform::single : oracle::Uniform::exact;
  for (const int columns : {1, 3, 5, 31, 33, 785}) {
    Drawing<T> drawing{NoiseLaw::gaussian, 7, columns, 8, {}, {}};
    for (int c = 0; c < columns; ++c) {
      drawing.mu.push_back(static_cast<T>(std::sin(1.0 + c)));
      drawing.sigma.push_back(static_cast<T>(0.4 + 0.3 * std::sin(0.3 * c)));
    }
    const oracle::Draw draw{21, 3, 4, 2, oracle::kTraining};
    for (const auto& [law, of_oracle] : {std::pair{NoiseLaw::gaussian, Law::gaussian},
                                         {NoiseLaw::binomial, Law::binomial},
                                         {NoiseLaw::log_normal, Law::log_normal}}) {
      drawing.law = law;
      const auto& sets = ensyn::cpu::usable_instruction_sets();
      const std::vector<double> got = drawing.run(sets.front());
      for (const auto& set : sets) EXPECT_EQ(drawing.run(set), got) << set.name;
      int compared = 0;
      for (int row = 0; row < 4; ++row) {
        for (int c = 0; c < columns; ++c) {
          const auto at = static_cast<std::size_t>(c);
          const double noise = of_oracle == Law::binomial
                                   ? oracle::uniform(oracle::word_at(draw, 8 + row, c, columns), kind)
                                   : oracle::normal_at(draw, 8 + row, c, columns, kind);
          const oracle::Weight want =
              oracle::draw_weight(of_oracle, 7, drawing.mu[at], drawing.sigma[at], noise);
          if (want.margin < 100 * kEpsilon<T>) continue;
          ++compared;
          // Normals agree to 1e-5 (noise_test.cpp); log-normal weights stretch that by up to w.
          const double error = sizeof(T) == 4 ? 2e-5 : 1e-13;
          EXPECT_NEAR(got[static_cast<std::size_t>(row * columns + c)], want.value,
                      error * (1 + std::abs(want.value) + std::abs(want.sigma_slope)))
              << ensyn::name(law) << " " << row << " " << c;
        }
      }
      EXPECT_GT(compared, 3 * columns);
    }
  }
}

/// Half a million draws of one weight.
template <class T>
std::vector<double> many(NoiseLaw law, int vesicles, double mu, double sigma) {
  constexpr int kColumns = 1 << 17;
  return Drawing<T>{law,
                    vesicles,
                    kColumns,
                    0,
                    std::vector<T>(kColumns, static_cast<T>(mu)),
                    std::vector<T>(kColumns, static_cast<T>(sigma))}
      .run(ensyn::cpu::find_instruction_set("auto"));
}

/// Mean and variance against mu, sigma^2 and a fourth standardised moment.
void check_moments(const std::vector<double>& values, double mu, double sigma, double kurtosis) {
  const auto count = static_cast<double>(values.size());
  double sum = 0, square = 0;
  for (const double value : values) {
    sum += (value - mu) / sigma;
    square += (value - mu) * (value - mu) / (sigma * sigma);
  }
  EXPECT_NEAR(sum / count, 0, kSigmas / std::sqrt(count));
  EXPECT_NEAR(square / count, 1, kSigmas * std::sqrt((kurtosis - 1) / count));
}

/// Chi-square of the counts behind weights of mean mu and standard deviation 1.
void check_counts(const std::vector<double>& values, double mu, int n) {
  const oracle::Release chance = oracle::release(n, mu, 1);
  const double r = chance.rarer, scale = std::sqrt(n * r * (1 - r));
  std::vector<double> observed(static_cast<std::size_t>(n) + 1);
  for (const double value : values) {
    const double count = n * r + (chance.failures ? mu - value : value - mu) * scale;
    ++observed.at(static_cast<std::size_t>(std::lround(count)));
  }
  const auto total = static_cast<double>(values.size());
  double statistic = 0, expected = 0, seen = 0;
  int bins = 0;
  for (int k = n; k >= 0; --k) {
    // Bins of fewer than 20 go together with the next.
    const double above = oracle::binomial_tail(n, r, k);
    const double from = k > 0 ? oracle::binomial_tail(n, r, k - 1) : 1;
    expected += total * (from - above);
    seen += observed[static_cast<std::size_t>(k)];
    if (expected < 20 && k > 0) continue;
    statistic += (seen - expected) * (seen - expected) / expected;
    ++bins;
    expected = seen = 0;
  }
  EXPECT_GT(bins, 1);
  const double degrees = bins - 1;
  EXPECT_LT(statistic, degrees + kSigmas * std::sqrt(2 * degrees) + kSigmas * kSigmas);
}

TYPED_TEST(LawsTest, DrawnBinomialWeightsHaveTheirMomentsAndCounts) {
  for (const int n : {1, 5, 64}) {
    for (const double p : {0.0, 0.0015, 0.3, 0.5001, 0.97, 0.9999}) {
      SCOPED_TRACE("n " + std::to_string(n) + ", p " + std::to_string(p));
      const double mu = mu_of(n, p), r = oracle::release(n, mu, 1).rarer;
      const std::vector<double> values = many<TypeParam>(NoiseLaw::binomial, n, mu, 1);
      check_moments(values, mu, 1, 3 + (1 - 6 * r * (1 - r)) / (n * r * (1 - r)));
      check_counts(values, mu, n);
    }
  }
}

TYPED_TEST(LawsTest, DrawnLogNormalWeightsHaveTheirMoments) {
  for (const double ratio : {1e-3, 0.3, 1.0, 10.0}) {
    for (const double mu : {0.2, -0.2}) {
      const std::vector<double> values = many<TypeParam>(NoiseLaw::log_normal, 0, mu, ratio * std::abs(mu));
      const double variance = std::log1p(ratio * ratio);
      std::vector<double> logs;
      for (const double value : values) logs.push_back(std::log(value / mu));  // NaN for a wrong sign
      // The logarithms of float weights near mu are coarse beside a spread of 1e-3.
      check_moments(logs, -variance / 2, std::sqrt(variance), 3);
      if (ratio > 0.5) continue;  // the weights' own fourth moment is then a matter of few draws
      const double e = std::exp(variance);
      check_moments(values, mu, ratio * std::abs(mu), e * e * e * e + 2 * e * e * e + 3 * e * e - 3);
    }
  }
}

}  // namespace
