/// \file
/// All of ensyn's public API.
#pragma once

#include "ensyn/biophysics.h"
#include "ensyn/config.h"
#include "ensyn/dataset.h"
#include "ensyn/device.h"
#include "ensyn/equilibrium.h"
#include "ensyn/error.h"
#include "ensyn/evaluation.h"
#include "ensyn/network.h"
#include "ensyn/noise.h"
#include "ensyn/noise_law.h"
#include "ensyn/ops.h"
#include "ensyn/population.h"
#include "ensyn/signatures.h"
#include "ensyn/statistics.h"
#include "ensyn/theory.h"
#include "ensyn/version.h"
