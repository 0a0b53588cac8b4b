/// \file
/// The numbers beside figure 5.
#pragma once

#include <vector>

#include "host/driver/report/html.h"
#include "host/driver/report/synapses.h"

namespace ensyn::driver::report {

/// Levels, slopes and rank correlations per layer, beside the published ones and the theory's.
/// \param beside_published whether the columns of the published numbers are there
[[nodiscard]] std::vector<NumberTable> signature_tables(const std::vector<SignatureRun>& runs,
                                                        const Reference& reference, bool beside_published);

/// The signs of the correlations in the middle layer, or the only one, in a sentence; none without runs.
[[nodiscard]] std::vector<std::string> signature_findings(const std::vector<SignatureRun>& runs);

}  // namespace ensyn::driver::report
