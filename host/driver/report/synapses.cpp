#include "host/driver/report/synapses.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "ensyn/error.h"
#include "ensyn/signatures.h"
#include "host/driver/files/npy.h"

namespace ensyn::driver::report {
namespace {

constexpr double kLearningRate = 1e-4;  ///< the paper's eta_base

std::vector<std::string> columns() {
  std::vector<std::string> names = {"rho",          "c",         "layer",     "n",
                                    "sigma_median", "sigma_p05", "sigma_p95", "curvature_median"};
  for (const Quantity& quantity : kQuantities) {
    for (const char* kind : {"spearman_", "slope_", "equilibrium_slope_", "unconverged_slope_"}) {
      names.push_back(kind + std::string(quantity.name));
    }
    names.push_back("slope_" + std::string(quantity.name) + "_low");
    names.push_back("slope_" + std::string(quantity.name) + "_high");
  }
  return names;
}

std::string array_name(const SignatureRun& run, std::size_t layer, const std::string& name) {
  return run.prefix + "layer" + std::to_string(layer) + "." + name + ".npy";
}

NpyArray read_array(const SignatureRun& run, std::size_t layer, const std::string& name) {
  const auto file = run.run.folder / array_name(run, layer, name);
  try {
    return read_npy(file);
  } catch (const IoError& error) {
    throw DataError(std::string(error.what()) + "; run ensyn signatures again to make it");
  }
}

[[noreturn]] void fail_shape(const SignatureRun& run, std::size_t layer, const std::string& name) {
  throw DataError((run.run.folder / array_name(run, layer, name)).string() +
                  " does not have the shape of the layer's sigma: run ensyn signatures again to make both");
}

/// The quantity of each synapse, as many as there are sigmas.
std::vector<double> quantity_values(const SignatureRun& run, std::size_t layer, std::size_t quantity,
                                    const NpyArray& sigma) {
  const std::size_t count = sigma.values.size();
  if (quantity == 2) {
    const NpyArray rate = read_array(run, layer, "input_rate");
    const std::size_t inputs = sigma.shape.back();
    if (rate.values.size() != inputs) fail_shape(run, layer, "input_rate");
    std::vector<double> values(count);
    for (std::size_t i = 0; i < count; ++i) values[i] = rate.values[i % inputs];
    return values;
  }
  const char* name = quantity == 1 ? "mean_absolute_gradient" : kQuantities[quantity].name;
  NpyArray array = read_array(run, layer, name);
  if (array.values.size() != count) fail_shape(run, layer, name);
  if (quantity == 1) {
    for (double& value : array.values) value = kLearningRate / value;
  }
  return std::move(array.values);
}

}  // namespace

bool sigmas_differ(const SignatureRun& run, std::size_t layer) {
  return ensyn::sigmas_differ(value(run.table, layer - 1, "sigma_p05"),
                              value(run.table, layer - 1, "sigma_p95"));
}

double relation_value(const SignatureRun& run, std::size_t layer, const std::string& column) {
  return sigmas_differ(run, layer) ? value(run.table, layer - 1, column) : kNone;
}

std::vector<SignatureRun> read_signature_runs(const std::vector<Run>& runs, Notes& left_out) {
  std::vector<SignatureRun> result;
  for (const Run& run : runs) {
    const Table table = read_table(run.folder / "signatures.csv", columns(), left_out);
    if (!table.rows.empty() && table.text(0, "rho").empty()) {
      left_out.push_back(run.name +
                         ", whose signatures.csv tells no rho: the theory's slopes, and so the figures, "
                         "are of one cost with one exponent");
      continue;
    }
    for (const char* protocol : {"published", "equilibrium"}) {
      SignatureRun one{run, table, protocol == std::string("published") ? "" : "equilibrium."};
      const std::size_t column = table.index_of("protocol");
      std::erase_if(one.table.rows, [&](const auto& row) { return row[column] != protocol; });
      one.layers = one.table.rows.size();
      if (one.layers == 0) continue;
      one.rho = setting_value(one.table, 0, "rho");
      one.c = setting_value(one.table, 0, "c", true);
      result.push_back(std::move(one));
    }
  }
  std::ranges::stable_sort(result, [](const SignatureRun& one, const SignatureRun& other) {
    return std::pair(one.rho, one.c) < std::pair(other.rho, other.c);
  });
  return result;
}

Cloud read_cloud(const SignatureRun& run, std::size_t layer, std::size_t quantity) {
  const NpyArray sigma = read_array(run, layer, "sigma");
  if (sigma.shape.size() != 2 || sigma.values.empty()) fail_shape(run, layer, "sigma");
  const std::vector<double> values = quantity_values(run, layer, quantity, sigma);
  Cloud cloud;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const bool drawable = std::isfinite(values[i]) && values[i] > 0 && sigma.values[i] > 0;
    if (!drawable) continue;
    cloud.x.push_back(values[i]);
    cloud.variance.push_back(sigma.values[i] * sigma.values[i]);
  }
  return cloud;
}

}  // namespace ensyn::driver::report
