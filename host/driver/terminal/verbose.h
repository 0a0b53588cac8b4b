/// \file
/// `--verbose`: what a population computes with, on standard error.
#pragma once

#include "ensyn/population.h"

namespace ensyn::driver {

/// Set once, when the command line has been read; nothing that is computed depends on it.
void set_verbose(bool on) noexcept;

/// Under --verbose one line: where the population computes, how it trains, and why so. To be called where one
/// is made.
void announce(const Population& population);

}  // namespace ensyn::driver
