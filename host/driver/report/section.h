/// \file
/// What the families of figures give to the report.
#pragma once

#include <string>
#include <vector>

#include "host/driver/report/figure.h"
#include "host/driver/report/html.h"
#include "host/driver/report/runs.h"

namespace ensyn::driver::report {

/// A figure that was not made, and why.
struct Missing {
  std::string figure, reason;
};

struct Section {
  std::string title;
  std::vector<std::string> paragraphs;  ///< plain text
  std::vector<Figure> figures;
  std::vector<NumberTable> tables;
  std::vector<Missing> missing;
  bool only_theory = false;                ///< whether it would be the same of any runs
  Notes left_out = {};                     ///< what the figures and tables that there are do without
  std::vector<std::string> findings = {};  ///< what the pictures show, in sentences with their numbers
};

/// Figures 2 and 3: accuracy, sigma and reliability cost of sweep.csv.
[[nodiscard]] Section tradeoff_section(const std::vector<Run>& runs, const Reference& reference);
/// Figure 5 and appendices 5 and 6: sigma^2 of single synapses.
[[nodiscard]] Section signatures_section(const std::vector<Run>& runs, const Reference& reference);

/// Figure 1, of `ensyn biophysics`.
[[nodiscard]] Section mechanisms_section(const std::vector<Run>& runs);
/// Figure 6, of `ensyn experiments`.
[[nodiscard]] Section experiments_section(const std::vector<Run>& runs);
/// Figure 7, of `ensyn bayes`; its analytic panels also where there are signatures.
[[nodiscard]] Section posterior_section(const std::vector<Run>& runs);
/// Appendix 4, of `ensyn regression`.
[[nodiscard]] Section regression_section(const std::vector<Run>& runs);

/// `1/2` for 0.5, `2/3`, `4/3`, and otherwise the number in at most four digits.
[[nodiscard]] std::string rho_text(double rho);
/// A number in `digits` significant digits; empty for NaN.
[[nodiscard]] std::string significant(double value, int digits = 4);
/// A number with `decimals`; empty for NaN.
[[nodiscard]] std::string fixed(double value, int decimals);

}  // namespace ensyn::driver::report
