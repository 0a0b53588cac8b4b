#include "host/driver/sweep/sweep_bands.h"

#include <cmath>
#include <string>
#include <vector>

#include "ensyn/statistics.h"

namespace ensyn::driver {
namespace {

constexpr const char* kBandQuantities[] = {"accuracy_sample", "sigma_rms", "reliability_sum"};

void add_band(std::vector<std::string>& cells, const std::vector<double>& values) {
  if (values.empty()) {
    cells.insert(cells.end(), 3, "");
    return;
  }
  const Band band = mean_band(values);
  const bool spread = values.size() > 1;
  cells.insert(cells.end(),
               {exact(band.mean), spread ? exact(band.low) : "", spread ? exact(band.high) : ""});
}

}  // namespace

Table sweep_bands(const SweepSettings& settings, const Grid& grid, const SweepFile& rows) {
  Table table;
  table.columns = {"rho", "c", "noise", "lambda", "lr", "hidden", "seeds"};
  for (const char* quantity : kBandQuantities) {
    for (const char* part : {"_mean", "_low", "_high"}) table.columns.push_back(std::string(quantity) + part);
  }
  const std::size_t seeds = settings.seeds.size();
  for (std::size_t cell = 0; cell < grid.size(); cell += seeds) {
    std::vector<std::string> cells = grid.cell_key(cell);
    std::size_t good = 0;
    for (std::size_t i = 0; i < seeds; ++i) good += std::isnan(rows.value(cell + i, "diverged_at")) ? 1 : 0;
    cells.push_back(std::to_string(good));
    for (const char* quantity : kBandQuantities) {
      std::vector<double> values;
      for (std::size_t i = 0; i < seeds; ++i) {
        const double value = rows.value(cell + i, quantity);
        if (!std::isnan(value)) values.push_back(value);
      }
      add_band(cells, values);
    }
    table.rows.emplace_back(cells);
  }
  return table;
}

}  // namespace ensyn::driver
