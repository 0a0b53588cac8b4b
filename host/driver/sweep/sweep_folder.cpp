#include "host/driver/sweep/sweep_folder.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <set>
#include <string>
#include <system_error>

#include "host/driver/files/data_digests.h"
#include "host/driver/files/run_folder.h"

namespace ensyn::driver {
namespace {

using nlohmann::ordered_json;

std::optional<std::size_t> number(const std::string& text) {
  std::size_t value = 0;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = result.ec == std::errc{} && result.ptr == text.data() + text.size();
  return whole ? std::optional(value) : std::nullopt;
}

/// The networks that a partial file holds.
std::vector<std::size_t> networks_in(const std::filesystem::path& file, const Grid& grid) {
  const PopulationConfig config = read_checkpoint_info(file).config;
  std::vector<std::size_t> networks;
  std::size_t next = 0;
  for (const NetworkConfig& member : config.members) {
    // Members mostly stand in grid order, so that the search goes on from the last one found.
    for (std::size_t tried = 0; tried < grid.size(); ++tried, next = (next + 1) % grid.size()) {
      if (!(grid.network(next) == member) || !(grid.architecture(next) == config.architecture)) continue;
      networks.push_back(next);
      break;
    }
  }
  if (networks.size() == config.members.size() && grid.population(networks) == config) return networks;
  throw DataError(file.string() + " is not of this sweep: delete it, and what it holds is trained again");
}

}  // namespace

void SweepFolder::check_command() const {
  std::error_code ignored;
  if (!std::filesystem::exists(config(), ignored) || read_json(config()).value("command", "") == "sweep") {
    return;
  }
  throw ConfigError(path.string() + " holds a run of another command: choose another --out");
}

void SweepFolder::take_classes(DataChoice& data) const {
  std::error_code ignored;
  if (!data.folder || data.classes || !std::filesystem::exists(config(), ignored)) return;
  const ordered_json before = read_json(config());
  if (!before.contains("data")) return;
  const auto classes = before.find("classes");
  data.early_classes = classes == before.end();
  // Ranks read this before or after the first of them has written it anew.
  if (classes != before.end() && classes->is_number_integer()) data.classes = classes->get<int>();
}

void SweepFolder::check(const SweepSettings& settings, const TrainTest& data) const {
  std::error_code ignored;
  if (!std::filesystem::exists(config(), ignored)) {
    if (!std::filesystem::exists(rows(), ignored)) return;
    throw DataError(rows().string() + " has no config.json beside it that says what it is of: restore it, " +
                    "start anew with --overwrite, or choose another --out");
  }
  check_command();
  const ordered_json before = read_json(config());
  ordered_json after = to_json(settings);
  if (settings.base.data.early_classes) after.erase("classes");
  for (const char* key : {"version", "noise_contract"}) {
    const ordered_json was = before.value(key, ordered_json());
    const ordered_json& is = after[key];
    if (was == is) continue;
    throw DataError(config().string() + ": the sweep was begun by an ensyn of " + key + " " + was.dump() +
                    ", this one is of " + is.dump() +
                    ": go on with the other, start anew with --overwrite, or choose another --out");
  }
  if (const auto difference = sweep_difference(without_digests(before), after)) {
    throw ConfigError(settings.values.origin(difference->key) + " is " + difference->after +
                      ", but the sweep in " + path.string() + " has " + difference->before +
                      ": give the same to go on with it, replace it with --overwrite, or choose another " +
                      "--out");
  }
  check_digests(before, config(), data);
}

void SweepFolder::remove_sweep() const {
  for (const auto& file : {config(), summary(), bands(), rows(), partial()}) {
    std::error_code error;
    std::filesystem::remove_all(file, error);
    if (error) throw IoError("cannot remove " + file.string() + ": " + error.message());
  }
}

std::vector<Chunk> SweepFolder::started_chunks(const Grid& grid, const SweepFile& rows) const {
  std::error_code ignored;
  std::vector<Chunk> chunks;
  std::set<std::size_t> taken;
  for (const auto& entry : std::filesystem::directory_iterator(partial(), ignored)) {
    const std::filesystem::path& file = entry.path();
    // A killed process leaves files that write_file had not yet given their names.
    if (file.filename().string().find(".tmp-") != std::string::npos) std::filesystem::remove(file, ignored);
    const auto id = number(file.stem().string());
    if (!id || file.extension() != ".safetensors") continue;
    Chunk chunk{*id, {}, networks_in(file, grid)};
    for (const std::size_t network : chunk.saved) {
      if (!rows.has(network) && taken.insert(network).second) chunk.networks.push_back(network);
    }
    if (chunk.networks.empty()) {
      std::filesystem::remove(file, ignored);
    } else {
      chunks.push_back(chunk);
    }
  }
  std::ranges::sort(chunks, {}, &Chunk::id);
  return chunks;
}

}  // namespace ensyn::driver
