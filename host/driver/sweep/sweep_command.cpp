/// \file
/// `ensyn sweep`: trains a grid of networks, or goes on with one.
#include "host/driver/sweep/sweep_command.h"

#include <iostream>
#include <memory>
#include <optional>
#include <utility>

#include "host/driver/sweep/ranks.h"
#include "host/driver/sweep/sweep.h"
#include "host/driver/sweep/sweep_settings.h"

namespace ensyn::driver {
namespace {

struct SweepFlags : CommonFlags {
  bool overwrite = false;
};

void sweep(const SweepFlags& flags) {
  Values values;
  flags.overlay(values, sweep_options());
  const SweepSettings settings = sweep_settings(values);
  const std::unique_ptr<Ranks> ranks = join_ranks();
  const SweepReport report = run_sweep(settings, {.overwrite = flags.overwrite,
                                                  .announces = flags.prints_text(),
                                                  .shows_progress = !flags.quiet,
                                                  .ranks = ranks.get()});
  if (ranks->rank() == 0) {
    if (flags.json) std::cout << report.summary.dump(2) << '\n';
    if (flags.prints_text()) std::cout << report.text;
  }
  ranks->finish();
}

}  // namespace

Command sweep_command() {
  const auto flags = std::make_shared<SweepFlags>();
  return {"sweep",
          "trains a grid of networks, or goes on with one that was stopped",
          sweep_options(),
          *flags,
          {{"--overwrite", &flags->overwrite, "replace the sweep in --out"}},
          std::nullopt,
          [flags] { sweep(*flags); }};
}

}  // namespace ensyn::driver
