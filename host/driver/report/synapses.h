/// \file
/// The folders of `ensyn signatures`: per synapse sigma and what it is compared with.
#pragma once

#include <array>
#include <filesystem>
#include <string>
#include <vector>

#include "host/driver/report/runs.h"

namespace ensyn::driver::report {

/// What sigma^2 is drawn against.
struct Quantity {
  const char* name;   ///< in the columns of signatures.csv
  const char* label;  ///< of the axis, gnuplot's enhanced text
};
inline constexpr std::array kQuantities = {Quantity{"curvature", "curvature, mean g^2"},
                                           Quantity{"learning_rate", "learning rate 10^{-4} / mean |g|"},
                                           Quantity{"input_rate", "input rate, mean |x|"},
                                           Quantity{"hessian", "E[H] per example"}};
inline constexpr std::size_t kHessian = 3;  ///< of kQuantities

/// What one run found under one protocol: as published, or at the equilibrium.
struct SignatureRun {
  Run run;
  Table table;         ///< signatures.csv, of which the rows of the protocol
  std::string prefix;  ///< of its arrays: empty, or `equilibrium.`
  double rho = 0, c = 0;
  std::size_t layers = 0;
};

/// Whether the sigmas of a layer, counted from 1, differ enough for a slope or a correlation to say
/// something; so also of runs from before `signatures` asked that itself.
[[nodiscard]] bool sigmas_differ(const SignatureRun& run, std::size_t layer);

/// `spearman_` or `slope_` of a quantity, and what else goes with the sigmas; none where these do not differ.
[[nodiscard]] double relation_value(const SignatureRun& run, std::size_t layer, const std::string& column);

/// Ascending in rho, then c; one for each protocol. Runs without a single rho are left out: of several costs,
/// or variational. \throws DataError on a damaged signatures.csv
[[nodiscard]] std::vector<SignatureRun> read_signature_runs(const std::vector<Run>& runs, Notes& left_out);

/// A cloud of synapses; values that cannot stand on a logarithmic axis are left out.
struct Cloud {
  std::vector<double> x, variance;
};

/// sigma^2 against quantity number `quantity` of one layer, counted from 1. \throws DataError when an array
/// is missing, damaged, or of another shape than that of sigma
[[nodiscard]] Cloud read_cloud(const SignatureRun& run, std::size_t layer, std::size_t quantity);

}  // namespace ensyn::driver::report
