#include "host/driver/files/run_folder.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <regex>
#include <string_view>
#include <system_error>
#include <vector>

#include "host/base/message.h"
#include "host/driver/files/csv.h"
#include "host/io/file.h"
#include "host/io/json_text.h"

namespace ensyn::driver {
namespace {

constexpr std::string_view kHeader =
    "epoch,step,train_nll,train_accuracy,test_accuracy_sample,test_accuracy_mean,test_nll_sample,"
    "test_nll_mean,sigma_rms,reliability_sum,reliability_cost,magnitude_cost";
constexpr std::size_t kFirstTestColumn = 4;

std::string to_csv(const EpochRow& row) {
  std::string text = std::to_string(row.epoch) + "," + std::to_string(row.step);
  const auto add = [&](double value) { text += "," + exact(value); };
  add(row.training.nll);
  add(row.training.accuracy);
  if (row.test) {
    add(row.test->sample.accuracy);
    add(row.test->mean.accuracy);
    add(row.test->sample.nll);
    add(row.test->mean.nll);
  } else {
    text += ",,,,";
  }
  add(row.energy.sigma_rms);
  add(row.energy.reliability_sum);
  add(row.energy.reliability_cost);
  add(row.energy.magnitude_cost);
  return text;
}

}  // namespace

bool RunFolder::holds_run() const {
  std::error_code ignored;
  return std::ranges::any_of(std::array{config(), metrics(), summary(), model()},
                             [&](const auto& file) { return std::filesystem::exists(file, ignored); });
}

void RunFolder::remove_run() const {
  // Of whichever command it was: tables of one beside the settings of another would be taken for its own.
  // With what a killed process may have left of write_file's temporary files.
  static const std::regex pattern(
      R"((config\.json|summary\.json|evaluation\.json|metrics\.csv|(model|equilibrium)\.safetensors|)"
      R"((equilibrium\.)?layer[0-9]+\.[a-z_]+\.npy|)"
      R"((sweep|sweep_bands|signatures|bayes|bayes_summary|regression|regression_data|biophysics|)"
      R"(biophysics_histograms|experiments|experiments_points)\.csv)(\.tmp-.*)?)");
  std::error_code error;
  std::vector<std::filesystem::path> files;
  if (std::filesystem::exists(config(), error)) files.push_back(config());
  for (const auto& entry : std::filesystem::directory_iterator(path, error)) {
    if (std::regex_match(entry.path().filename().string(), pattern)) files.push_back(entry.path());
  }
  for (const auto& file : files) {
    std::filesystem::remove(file, error);
    if (error) throw IoError("cannot remove " + file.string() + ": " + error.message());
  }
}

void remove_leftovers(const std::vector<std::filesystem::path>& files) {
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(files.front().parent_path(), ignored)) {
    const std::string name = entry.path().filename().string();
    for (const auto& file : files) {
      // The ending is write_file's.
      if (name.starts_with(file.filename().string() + ".tmp-"))
        std::filesystem::remove(entry.path(), ignored);
    }
  }
}

void check_vacant(const std::filesystem::path& folder, bool overwrite) {
  if (overwrite || !RunFolder{folder}.holds_run()) return;
  throw ConfigError(folder.string() +
                    " already holds a run: replace it with --overwrite, or choose another --out");
}

void create_folder(const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (!error && !std::filesystem::is_directory(folder, error) && !error) {
    error = std::make_error_code(std::errc::not_a_directory);
  }
  if (error) {
    throw IoError("output folder " + folder.string() + " cannot be made: " + error.message() +
                  "; choose another with --out");
  }
}

nlohmann::ordered_json read_json(const std::filesystem::path& file) {
  return read_json_object<nlohmann::ordered_json>(file, "restore it, or start anew with --overwrite");
}

void write_json(const std::filesystem::path& file, const nlohmann::ordered_json& content) {
  write_file(file, content.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n");
}

void MetricsFile::keep(std::uint64_t epochs, std::uint64_t steps_per_epoch) {
  rows_.clear();
  if (epochs == 0) return;
  std::ifstream stream(file_);
  std::string line;
  if (!std::getline(stream, line) || line != kHeader) {
    throw DataError(file_.string() +
                    " is missing or not a metrics.csv: restore it, or start anew with --overwrite");
  }
  for (std::uint64_t epoch = 1; epoch <= epochs; ++epoch) {
    if (!std::getline(stream, line)) fail(epoch + 1, "is missing, the row of epoch " + std::to_string(epoch));
    if (stream.eof()) fail(epoch + 1, "does not end: the file was cut off");
    check_row(line, epoch, epoch * steps_per_epoch);
    rows_.push_back(line);
  }
}

/// \throws DataError where the row is none that `add` could have written
void MetricsFile::check_row(const std::string& row, std::uint64_t epoch, std::uint64_t step) const {
  const std::size_t line = epoch + 1;
  const auto cells = cells_of(row), columns = cells_of(kHeader);
  if (cells.size() != columns.size()) {
    fail(line, "has " + std::to_string(cells.size()) + " cells instead of " + std::to_string(columns.size()));
  }
  if (cells[0] != std::to_string(epoch)) {
    fail(line,
         "should be that of epoch " + std::to_string(epoch) + ", but begins with " + quote(cells[0], 100));
  }
  if (cells[1] != std::to_string(step)) {
    fail(line, "should end at step " + std::to_string(step) + ", but says " + quote(cells[1], 100));
  }
  for (std::size_t i = 2; i < cells.size(); ++i) {
    // Test results are there every so many epochs, all of them or none.
    const bool untested = columns[i].starts_with("test_") && cells[kFirstTestColumn].empty();
    const bool may_be_infinite = columns[i].starts_with("test_nll") || columns[i].starts_with("reliability");
    const bool infinite = cells[i].empty() || cells[i] == "inf" || cells[i] == "-inf";
    if (untested ? cells[i].empty() : number_of(cells[i]) || (may_be_infinite && infinite)) continue;
    fail(line, "has " + quote(cells[i], 100) + " for " + std::string(columns[i]) +
                   (untested ? ", but none for test_accuracy_sample" : ", which is no number"));
  }
}

void MetricsFile::fail(std::size_t line, const std::string& what) const {
  throw DataError(file_.string() + " line " + std::to_string(line) + " " + what +
                  ": restore the file, or start anew with --overwrite");
}

void MetricsFile::add(const EpochRow& row) {
  rows_.push_back(to_csv(row));
  std::string content = std::string(kHeader) + "\n";
  for (const std::string& line : rows_) content += line + "\n";
  write_file(file_, content);
}

}  // namespace ensyn::driver
