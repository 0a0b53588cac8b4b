// The contract's words and normals against NVIDIA's generator, which runs on the host without a device. Skips
// where the toolkit was not found when this was built.

#include <gtest/gtest.h>

#if ENSYN_HAVE_CURAND

#  include <curand.h>

#  include <algorithm>
#  include <cmath>
#  include <cstddef>
#  include <cstdint>
#  include <span>
#  include <vector>

#  include "ensyn/noise.h"
#  include "oracle/oracle.h"

namespace {

constexpr std::uint64_t kSeed = 0xC0FFEE123456789A;
/// cuRAND deals its blocks out to this many subsequences in turn: block g is number g / 65536 of subsequence
/// g % 65536. In the contract's terms the former is the quad and the latter the step.
constexpr std::size_t kSubsequences = 65536;
constexpr std::size_t kRounds = 4;
constexpr std::size_t kCount = 4 * kSubsequences * kRounds;

class CurandTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(curandCreateGeneratorHost(&generator_, CURAND_RNG_PSEUDO_PHILOX4_32_10), CURAND_STATUS_SUCCESS);
    ASSERT_EQ(curandSetPseudoRandomGeneratorSeed(generator_, kSeed), CURAND_STATUS_SUCCESS);
  }
  void TearDown() override { EXPECT_EQ(curandDestroyGenerator(generator_), CURAND_STATUS_SUCCESS); }

  curandGenerator_t generator_ = nullptr;
};

ensyn::NoiseKey key_of(std::size_t subsequence) {
  return {kSeed, 0, subsequence, 0, ensyn::Purpose::training};
}

TEST_F(CurandTest, WordsAreTheSame) {
  std::vector<unsigned int> words(kCount);
  ASSERT_EQ(curandGenerate(generator_, words.data(), words.size()), CURAND_STATUS_SUCCESS);
  std::size_t different = 0;
  for (std::size_t block = 0; block < kCount / 4; ++block) {
    const auto got = ensyn::noise_words(key_of(block % kSubsequences), block / kSubsequences);
    different += std::equal(got.begin(), got.end(), &words[4 * block]) ? 0 : 1;
  }
  EXPECT_EQ(different, 0U);
}

TEST_F(CurandTest, NormalsAgree) {
  std::vector<float> normals(kCount);
  ASSERT_EQ(curandGenerateNormal(generator_, normals.data(), normals.size(), 0, 1), CURAND_STATUS_SUCCESS);
  ensyn::ExecutionConfig execution;
  execution.device = ensyn::DeviceKind::cpu;
  execution.threads = 1;
  double worst_far = 0;
  double worst_near = 0;
  // Columns 2b, 2b+1 of two rows are quad b: one call gives kRounds quads of one subsequence.
  for (std::size_t subsequence = 0; subsequence < kSubsequences; subsequence += 7) {
    std::vector<float> ours(4 * kRounds);
    ensyn::noise_normals(key_of(subsequence), 2, 2 * kRounds, std::span(ours), execution);
    for (std::size_t quad = 0; quad < kRounds; ++quad) {
      const auto words = ensyn::noise_words(key_of(subsequence), quad);
      for (std::size_t element = 0; element < 4; ++element) {
        const std::size_t index = 4 * (quad * kSubsequences + subsequence) + element;
        const float got = ours[element / 2 * 2 * kRounds + 2 * quad + element % 2];
        const double u = oracle::uniform(words[element / 2 * 2], oracle::Uniform::exact);
        double& worst = std::sqrt(-2 * std::log(u)) > 0.02 ? worst_far : worst_near;
        worst = std::max(worst, std::abs(static_cast<double>(got) - normals[index]));
      }
    }
  }
  EXPECT_GT(worst_far, 0);  // something was compared
  EXPECT_LE(worst_far, 1e-5);
  EXPECT_LE(worst_near, 1e-3);
}

}  // namespace

#else

TEST(CurandTest, NeedsTheToolkit) {
  GTEST_SKIP() << "the CUDA toolkit was not found, so cuRAND was not compared";
}

#endif
