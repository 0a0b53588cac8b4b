/// \file
/// The numbers beside figure 5.
#pragma once

#include <vector>

#include "host/driver/report/html.h"
#include "host/driver/report/synapses.h"

namespace ensyn::driver::report {

/// Levels, slopes and rank correlations per layer, beside the published ones and the theory's.
[[nodiscard]] std::vector<NumberTable> signature_tables(const std::vector<SignatureRun>& runs,
                                                        const Reference& reference);

}  // namespace ensyn::driver::report
