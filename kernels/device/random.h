/// \file
/// cuRAND's device Philox, without the tables of its other generators, which every object file would carry
/// for every architecture. The tests' emulation (tests/simt) has a header of the same name.
#pragma once

#include <curand_philox4x32_x.h>
