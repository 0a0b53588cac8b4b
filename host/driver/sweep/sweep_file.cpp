#include "host/driver/sweep/sweep_file.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iterator>
#include <limits>
#include <sstream>
#include <system_error>

#include "host/driver/files/csv.h"
#include "host/driver/files/results.h"
#include "host/io/file.h"

namespace ensyn::driver {
namespace {

constexpr std::string_view kHeader =
    "rho,c,noise,seed,lambda,lr,hidden,accuracy_sample,accuracy_mean,accuracy_average,nll_sample,nll_mean,"
    "nll_average,sigma_rms,reliability_sum,reliability_cost,magnitude_cost,steps,diverged_at";
constexpr std::size_t kKeyColumns = 7;

/// The first `kKeyColumns` cells of a row that has more.
std::string key_of(std::string_view line) {
  std::size_t end = line.find(',');
  for (std::size_t i = 1; i < kKeyColumns; ++i) end = line.find(',', end + 1);
  return std::string(line.substr(0, end));
}

/// FNV-1a, 64 bits.
std::uint64_t digest(std::string_view text) {
  std::uint64_t hash = 14695981039346656037U;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211U;
  return hash;
}

std::string missing_columns(std::string_view header) {
  const auto present = cells_of(header);
  std::string missing;
  for (const std::string_view column : cells_of(kHeader)) {
    if (std::ranges::find(present, column) != present.end()) continue;
    missing += (missing.empty() ? "" : ", ") + std::string(column);
  }
  return missing;
}

}  // namespace

std::string result_cells(const Evaluation& evaluation, const Energy& energy, std::uint64_t steps) {
  nlohmann::ordered_json values = accuracy_json(evaluation);
  values.update(energy_json(energy));
  values.erase("prior_cost");  // what sweeps compare is energy
  std::string cells;
  for (const auto& [name, value] : values.items()) {
    const auto x = value.get<double>();
    cells += (std::isfinite(x) ? exact(x) : "") + ",";
  }
  return cells + std::to_string(steps) + ",";
}

std::string divergence_cells(std::uint64_t step) {
  const std::size_t empty = cells_of(kHeader).size() - kKeyColumns - 1;
  return std::string(empty, ',') + std::to_string(step);
}

SweepFile::SweepFile(std::filesystem::path file, std::filesystem::path journal, const Grid& grid)
    : file_(std::move(file)), journal_(std::move(journal)), grid_(grid), rows_(grid.size()) {}

void SweepFile::fail(std::size_t line, const std::string& what) const {
  throw DataError(file_.string() + " line " + std::to_string(line) + " " + what);
}

void SweepFile::read() {
  std::error_code ignored;
  if (!std::filesystem::exists(file_, ignored)) return;
  std::ifstream stream(file_, std::ios::binary);
  const std::string content{std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
  if (!stream) throw DataError(file_.string() + " cannot be read: is it a folder, or another user's?");
  for (std::size_t i = 0; i < grid_.size(); ++i) networks_.emplace(grid_.key(i), i);
  read_journal();
  std::size_t line_number = 1;
  for (std::size_t begin = 0; begin < content.size(); ++line_number) {
    const std::size_t end = content.find('\n', begin);
    if (end == std::string::npos) {
      fail(line_number,
           "is cut off in the middle: delete it, and its network will be trained again, or restore the file");
    }
    const std::string line = content.substr(begin, end - begin);
    if (line_number > 1) {
      take_row(line, line_number);
    } else if (line != kHeader) {
      const std::string missing = missing_columns(line);
      fail(1, (missing.empty() ? "has other columns than this version's" : "lacks the columns " + missing) +
                  ": was the file written by another version, or changed? Restore it, or start anew with "
                  "--overwrite");
    }
    begin = end + 1;
  }
  networks_.clear();
}

void SweepFile::take_row(const std::string& line, std::size_t number) {
  check_cells(line, number);
  const auto found = networks_.find(key_of(line));
  if (found == networks_.end()) {
    fail(number, "is of no network of this sweep (" + key_of(line) +
                     "): restore the line as ensyn wrote it, or delete it");
  }
  const std::size_t network = found->second;
  if (has(network)) fail(number, "is of a network that has a line already: delete the wrong one");
  const auto [known, is_new] = digests_.emplace(network, digest(line));
  if (known->second != digest(line) || (journaled_ && is_new)) {
    fail(number, "is not as ensyn wrote it: restore it, or delete it, and its network will be trained again");
  }
  rows_[network] = line;
  ++count_;
}

void SweepFile::check_cells(const std::string& line, std::size_t number) const {
  const auto cells = cells_of(line), columns = cells_of(kHeader);
  if (cells.size() != columns.size()) {
    fail(number, "has " + std::to_string(cells.size()) + " cells instead of " +
                     std::to_string(columns.size()) +
                     ": restore it, or delete it, and its network will be trained again");
  }
  for (std::size_t i = kKeyColumns; i < cells.size(); ++i) {
    if (cells[i].empty() || number_of(cells[i])) continue;
    fail(number, "has '" + std::string(cells[i]) + "' for " + std::string(columns[i]) +
                     ", which is no number: restore it, or delete it, and its network will be trained again");
  }
  // A network was trained to its end, or diverged; then nothing else is known of it.
  const std::size_t diverged = cells.size() - 1, steps = diverged - 1;
  const bool trained = !cells[steps].empty() && cells[diverged].empty();
  const bool only_divergence =
      !cells[diverged].empty() && std::all_of(cells.begin() + kKeyColumns, cells.end() - 1,
                                              [](std::string_view cell) { return cell.empty(); });
  if (trained || only_divergence) return;
  fail(number,
       "has neither results and steps, nor diverged_at alone: restore it, or delete it, and its network will "
       "be trained again");
}

void SweepFile::read_journal() {
  std::ifstream stream(journal_);
  std::string line;
  for (std::size_t number = 1; std::getline(stream, line); ++number) {
    std::istringstream cells(line);
    std::size_t network = 0;
    std::uint64_t value = 0;
    const bool whole = cells >> network >> value && cells.eof() && !stream.eof();
    if (!whole || network >= grid_.size() || !digests_.emplace(network, value).second) {
      throw DataError(journal_.string() + " line " + std::to_string(number) +
                      " is damaged: restore the file, or delete it, and the rows of " + file_.string() +
                      " are taken as they stand");
    }
  }
  journaled_ = !digests_.empty();
}

void SweepFile::add(const std::vector<SweepResult>& results) {
  for (const auto& [network, cells] : results) {
    if (!has(network)) ++count_;
    rows_[network] = grid_.key(network) + "," + cells;
    digests_[network] = digest(rows_[network]);
  }
  // The journal goes first: after a kill between the two it knows of a row that is not there, which is as
  // good as a row that is not there.
  std::string journal;
  for (const auto& [network, value] : digests_) {
    journal += std::to_string(network) + " " + std::to_string(value) + "\n";
  }
  write_file(journal_, journal);
  std::string content = std::string(kHeader) + "\n";
  for (const std::string& row : rows_) {
    if (!row.empty()) content += row + "\n";
  }
  write_file(file_, content);
}

double SweepFile::value(std::size_t network, std::string_view column) const {
  const auto columns = cells_of(kHeader);
  const auto at = std::ranges::find(columns, column) - columns.begin();
  return number_of(cells_of(rows_[network])[static_cast<std::size_t>(at)])
      .value_or(std::numeric_limits<double>::quiet_NaN());
}

}  // namespace ensyn::driver
