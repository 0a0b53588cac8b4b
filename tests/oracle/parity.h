/// \file
/// What the parity tests share: cases, data, and the translation between the product's types and the
/// oracle's.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "ensyn/config.h"
#include "ensyn/dataset.h"
#include "ensyn/population.h"
#include "oracle/oracle.h"

namespace parity {

/// A population, the size of its training set, and how that is stored.
struct Case {
  std::string name;
  ensyn::PopulationConfig config;
  std::size_t examples = 67;
  bool holds_bytes = false;
};

/// Architectures, batches, costs and populations that are awkward in one way each, in single or double
/// precision. Learning rates and sigmas are larger than the paper's, so that ten steps show noise and costs;
/// one case has the paper's own.
std::vector<Case> cases(ensyn::Precision precision);

/// The case of that name.
Case case_named(const std::string& name, ensyn::Precision precision);

/// `count` examples of about unit variance, some features exactly 0. Equal arguments give equal data.
ensyn::Dataset make_data(const ensyn::Architecture& architecture, std::size_t count, bool holds_bytes = false,
                         unsigned seed = 1);
ensyn::Dataset make_data(const Case& test);

ensyn::ExecutionConfig on_cpu(const std::string& instruction_set = "auto", int threads = 2);

/// What the parity tests test: the CPU with two threads, or a GPU where ENSYN_TEST_DEVICE=cuda.
ensyn::ExecutionConfig under_test();

oracle::Data to_oracle(const ensyn::Dataset& data);
oracle::Settings to_oracle(const ensyn::PopulationConfig& config, int member, std::size_t examples);
/// The parameters of one member as they stand.
oracle::Parameters to_oracle(const ensyn::Population& population, int member);

/// Rounding unit of a precision: 2^-24 or 2^-53.
double rounding_unit(ensyn::Precision precision);

/// Columns of the widest layer: the longest sum in a step is over these or over the minibatch.
int longest_sum(const ensyn::PopulationConfig& config);

/// All elements, layer by layer.
std::vector<double> flat(const oracle::Layers& layers);
double largest(const std::vector<double>& values);

}  // namespace parity
