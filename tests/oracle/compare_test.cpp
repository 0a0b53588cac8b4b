// The comparator must be able to fail.

#include "oracle/compare.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

namespace {

using compare::all_close;
using compare::Reference;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr compare::Tolerance kTolerance{1e-6, 1e-6};

TEST(CompareTest, AcceptsEqualAndClose) {
  EXPECT_TRUE(all_close(std::vector{1.0, -2.0, 0.0}, std::vector{1.0, -2.0, 0.0}, compare::Tolerance{}));
  EXPECT_TRUE(all_close(std::vector{1.0 + 1.9e-6}, std::vector{1.0}, kTolerance));
}

TEST(CompareTest, RejectsJustBeyondTolerance) {
  EXPECT_FALSE(all_close(std::vector{1.0 + 2.1e-6}, std::vector{1.0}, kTolerance));
  EXPECT_FALSE(all_close(std::vector{1.0 - 2.1e-6}, std::vector{1.0}, kTolerance));
}

TEST(CompareTest, RejectsNanOnEitherSideAndOnBoth) {
  EXPECT_FALSE(all_close(std::vector{1.0, kNan}, std::vector{1.0, 2.0}, kTolerance));
  EXPECT_FALSE(all_close(std::vector{1.0, 2.0}, std::vector{1.0, kNan}, kTolerance));
  EXPECT_FALSE(all_close(std::vector{1.0, kNan}, std::vector{1.0, kNan}, kTolerance));
}

TEST(CompareTest, RejectsInfinityOnEitherSideAndOnBoth) {
  EXPECT_FALSE(all_close(std::vector{1.0, kInf}, std::vector{1.0, 2.0}, kTolerance));
  EXPECT_FALSE(all_close(std::vector{1.0, 2.0}, std::vector{1.0, -kInf}, kTolerance));
  EXPECT_FALSE(all_close(std::vector{1.0, kInf}, std::vector{1.0, kInf}, kTolerance));
}

TEST(CompareTest, FindsOneBadElementInAMillion) {
  std::vector<double> want(1000000, 1.0);
  std::vector<double> got = want;
  got[765432] = 1.5;
  const auto result = all_close(got, want, kTolerance);
  ASSERT_FALSE(result);
  const std::string text = result.message();
  EXPECT_NE(text.find("1 of 1000000"), std::string::npos) << text;
  EXPECT_NE(text.find("[765432]"), std::string::npos) << text;
  EXPECT_NE(text.find("got 1.5, want 1"), std::string::npos) << text;
}

TEST(CompareTest, ReportsNanAsWorst) {
  const auto result = all_close(std::vector{9.0, kNan, 8.0}, std::vector{1.0, 1.0, 1.0}, kTolerance);
  const std::string text = result.message();
  EXPECT_NE(text.find("3 of 3"), std::string::npos) << text;
  EXPECT_NE(text.find("[1]"), std::string::npos) << text;
}

TEST(CompareTest, RejectsEmptyAndUnequalSizes) {
  EXPECT_FALSE(all_close(std::vector<double>{}, std::vector<double>{}, kTolerance));
  EXPECT_FALSE(all_close(std::vector{1.0}, std::vector{1.0, 1.0}, kTolerance));
  EXPECT_FALSE(all_close(std::vector{1.0, 1.0}, std::vector{1.0}, kTolerance));
}

TEST(CompareTest, HoldsEachElementToItsOwnTolerance) {
  const std::vector<double> want{1.0, 1.0};
  const std::vector<double> got{1.1, 1.1};
  EXPECT_TRUE(all_close(got, want, std::vector{0.2, 0.2}));
  EXPECT_FALSE(all_close(got, want, std::vector{0.2, 0.05}));
  EXPECT_FALSE(all_close(got, want, std::vector{kNan, 0.2}));
  EXPECT_FALSE(all_close(got, want, std::vector{0.2}));
}

TEST(CompareTest, RejectsAnAllZeroReferenceUnlessAllowed) {
  EXPECT_FALSE(all_close(std::vector{0.0, 0.0}, std::vector{0.0, 0.0}, kTolerance));
  EXPECT_TRUE(all_close(std::vector{0.0, 0.0}, std::vector{0.0, 0.0}, kTolerance, Reference::may_be_zero));
  EXPECT_FALSE(all_close(std::vector{0.0, 1.0}, std::vector{0.0, 0.0}, kTolerance, Reference::may_be_zero));
}

}  // namespace
