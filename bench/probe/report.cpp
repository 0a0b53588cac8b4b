#include "report.h"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "host/io/file.h"

namespace probe {
namespace {

constexpr const char* kNotHere = "not on this device";

/// Four digits, without an exponent where people would not write one.
std::string number(double value) {
  char text[64];
  std::snprintf(text, sizeof(text), value >= 1e4 && value < 1e7 ? "%.0f" : "%.4g", value);
  return text;
}

void print(const Row& row) {
  std::printf("%-48s", row.name.c_str());
  if (!row.value) {
    std::printf(" %s", row.wrong.empty() ? kNotHere : "");
  } else {
    std::printf(" %10s %-20s", number(*row.value).c_str(), row.unit.c_str());
    if (row.assumption) {
      std::printf(" %8s %6.2f", number(*row.assumption).c_str(), *row.value / *row.assumption);
    } else {
      std::printf(" %8s %6s", "-", "-");
    }
  }
  if (!row.wrong.empty()) std::printf("  FAILED: %s", row.wrong.c_str());
  if (!row.note.empty()) std::printf("  %s", row.note.c_str());
  std::printf("\n");
  std::fflush(stdout);
}

nlohmann::ordered_json to_json(const Row& row) {
  nlohmann::ordered_json json{{"name", row.name}};
  if (row.value) {
    json["value"] = *row.value;
    json["unit"] = row.unit;
    if (row.assumption) {
      json["assumption"] = *row.assumption;
      json["ratio"] = *row.value / *row.assumption;
    }
  }
  json["status"] = !row.wrong.empty() ? "FAILED" : row.value ? "right" : kNotHere;
  if (!row.wrong.empty()) json["wrong"] = row.wrong;
  if (!row.note.empty()) json["note"] = row.note;
  if (!row.detail.empty()) json["detail"] = row.detail;
  return json;
}

}  // namespace

Report::Report(std::vector<std::pair<std::string, std::string>> header) : header_(std::move(header)) {
  for (const auto& [key, value] : header_) std::printf("%-18s %s\n", key.c_str(), value.c_str());
  std::printf("\n%-48s %10s %-20s %8s %6s\n", "name", "value", "unit", "assumed", "ratio");
  std::fflush(stdout);
}

void Report::add(Row row) {
  print(row);
  rows_.push_back(std::move(row));
}

void Report::not_here(const std::string& name) {
  Row row;
  row.name = name;
  add(std::move(row));
}

bool Report::right() const {
  return std::all_of(rows_.begin(), rows_.end(), [](const Row& row) { return row.wrong.empty(); });
}

void Report::write(const std::filesystem::path& file) const {
  nlohmann::ordered_json header = nlohmann::ordered_json::object(), rows = nlohmann::ordered_json::array();
  for (const auto& [key, value] : header_) header[key] = value;
  for (const Row& row : rows_) rows.push_back(to_json(row));
  const nlohmann::ordered_json all{{"header", header}, {"rows", rows}};
  ensyn::write_file(file, all.dump(2) + "\n");
}

}  // namespace probe
