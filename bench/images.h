/// \file
/// Made-up images of MNIST's size, the same for all benchmarks of whole steps.
#pragma once

#include <cstddef>

#include "ensyn/dataset.h"

namespace bench {

/// `count` images whose brightness depends on their class, so that training has something to learn. Made
/// once: a later call gets what the first asked for.
[[nodiscard]] const ensyn::Dataset& images(std::size_t count);

}  // namespace bench
