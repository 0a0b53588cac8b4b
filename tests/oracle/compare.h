/// \file
/// Comparison of two arrays of doubles, element by element, written so that NaN fails.
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <span>

namespace compare {

/// |got - want| <= absolute + relative * |want|.
struct Tolerance {
  double absolute = 0;
  double relative = 0;
};

/// Whether an all-zero reference is what the test means. By default it is not: a comparison of nothing with
/// nothing passes too easily.
enum class Reference { not_zero, may_be_zero };

/// What a comparison found.
struct Comparison {
  std::size_t bad = 0;    ///< elements beyond the tolerance
  std::size_t worst = 0;  ///< the one that is worst relative to its tolerance; NaN and Inf are worse than any
  double worst_ratio = 0;  ///< its error divided by its tolerance
};
Comparison compare(std::span<const double> got, std::span<const double> want, Tolerance tolerance);
/// With an absolute tolerance for each element.
Comparison compare(std::span<const double> got, std::span<const double> want,
                   std::span<const double> tolerances);

/// Success, or a message with the worst element, both values and the number of bad elements. Also fails on
/// empty or unequal sizes, and on a reference of zeros unless allowed. An infinity on either side is bad,
/// even one on both.
::testing::AssertionResult all_close(std::span<const double> got, std::span<const double> want,
                                     Tolerance tolerance, Reference reference = Reference::not_zero);
::testing::AssertionResult all_close(std::span<const double> got, std::span<const double> want,
                                     std::span<const double> tolerances,
                                     Reference reference = Reference::not_zero);

}  // namespace compare
