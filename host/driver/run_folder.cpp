#include "host/driver/run_folder.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <system_error>

#include "host/driver/csv.h"
#include "host/io/file.h"

namespace ensyn::driver {
namespace {

constexpr const char* kHeader =
    "epoch,step,train_nll,train_accuracy,test_accuracy_sample,test_accuracy_mean,test_nll_sample,"
    "test_nll_mean,sigma_rms,reliability_sum,reliability_cost,magnitude_cost";

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
  for (const auto& file : {config(), summary(), metrics(), model()}) {
    std::error_code error;
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

void write_json(const std::filesystem::path& file, const nlohmann::ordered_json& content) {
  write_file(file, content.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n");
}

void MetricsFile::keep(std::uint64_t epochs) {
  rows_.clear();
  if (epochs == 0) return;
  std::ifstream stream(file_);
  std::string line;
  if (!std::getline(stream, line) || line != kHeader) {
    throw DataError(file_.string() +
                    " is missing or not a metrics.csv: restore it, or start anew with --overwrite");
  }
  for (std::uint64_t epoch = 1; epoch <= epochs; ++epoch) {
    if (!std::getline(stream, line) || !line.starts_with(std::to_string(epoch) + ",")) {
      throw DataError(file_.string() + " lacks the row of epoch " + std::to_string(epoch) +
                      ": restore it, or start anew with --overwrite");
    }
    rows_.push_back(line);
  }
}

void MetricsFile::add(const EpochRow& row) {
  rows_.push_back(to_csv(row));
  std::string content = std::string(kHeader) + "\n";
  for (const std::string& line : rows_) content += line + "\n";
  write_file(file_, content);
}

}  // namespace ensyn::driver
