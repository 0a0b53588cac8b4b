#include "oracle/compare.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <vector>

namespace compare {

namespace {

std::vector<double> spread(std::span<const double> want, Tolerance tolerance) {
  std::vector<double> result;
  for (const double value : want) {
    // An infinite reference must not make an infinite allowance, which would let any finite value pass.
    result.push_back(std::isinf(value) ? 0 : tolerance.absolute + tolerance.relative * std::abs(value));
  }
  return result;
}

}  // namespace

Comparison compare(std::span<const double> got, std::span<const double> want,
                   std::span<const double> tolerances) {
  Comparison result;
  for (std::size_t i = 0; i < want.size(); ++i) {
    const double error = std::abs(got[i] - want[i]);
    if (!(error <= tolerances[i])) {
      ++result.bad;
    }
    double ratio = error == 0 ? 0 : error / tolerances[i];
    if (std::isnan(ratio)) {
      ratio = std::numeric_limits<double>::infinity();
    }
    if (ratio > result.worst_ratio) {
      result.worst = i;
      result.worst_ratio = ratio;
    }
  }
  return result;
}

Comparison compare(std::span<const double> got, std::span<const double> want, Tolerance tolerance) {
  return compare(got, want, spread(want, tolerance));
}

::testing::AssertionResult all_close(std::span<const double> got, std::span<const double> want,
                                     std::span<const double> tolerances, Reference reference) {
  if (got.size() != want.size() || tolerances.size() != want.size()) {
    return ::testing::AssertionFailure() << got.size() << " values compared with " << want.size() << ", with "
                                         << tolerances.size() << " tolerances";
  }
  if (want.empty()) {
    return ::testing::AssertionFailure() << "nothing to compare";
  }
  if (reference == Reference::not_zero &&
      std::all_of(want.begin(), want.end(), [](double value) { return value == 0; })) {
    return ::testing::AssertionFailure() << "the reference is all zeros";
  }
  const Comparison found = compare(got, want, tolerances);
  if (found.bad == 0) {
    return ::testing::AssertionSuccess();
  }
  return ::testing::AssertionFailure()
         << found.bad << " of " << want.size() << " elements are beyond their tolerance; the worst is ["
         << found.worst << "]: got " << got[found.worst] << ", want " << want[found.worst]
         << ", error / tolerance = " << found.worst_ratio;
}

::testing::AssertionResult all_close(std::span<const double> got, std::span<const double> want,
                                     Tolerance tolerance, Reference reference) {
  return all_close(got, want, spread(want, tolerance), reference);
}

}  // namespace compare
