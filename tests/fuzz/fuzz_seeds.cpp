/// \file
/// Writes the seed inputs of the fuzz targets: fuzz_seeds FOLDER makes FOLDER/fuzz_idx,
/// FOLDER/fuzz_checkpoint and so on. Generated, so that they are valid whatever becomes of the formats.
#include <cstdint>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "data/checkpoint_support.h"
#include "host/io/file.h"
#include "host/io/safetensors.h"
#include "host/population/checkpoint.h"

namespace ensyn {
namespace {

namespace fs = std::filesystem;
using Bytes = std::vector<std::uint8_t>;

/// The input `rest` with the mode that the target is to use.
void write_seed(const fs::path& file, std::uint8_t mode, const Bytes& rest) {
  Bytes input{mode};
  input.insert(input.end(), rest.begin(), rest.end());
  write_file(file, input);
}

void write_idx_seeds(const fs::path& folder) {
  const Bytes images{0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 1, 10, 20, 30, 40};
  const Bytes labels{0, 0, 8, 1, 0, 0, 0, 2, 3, 9};
  // An empty stored block, so that this is gzip as simple as it gets: header, block, CRC, length.
  const Bytes gzip{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 1, 0, 0, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0};
  write_seed(folder / "images", 0, images);
  write_seed(folder / "labels", 0, labels);
  write_seed(folder / "gzip", 0, gzip);
  write_seed(folder / "packed", 1, images);
  Bytes pair{static_cast<std::uint8_t>(images.size()), 0};
  pair.insert(pair.end(), images.begin(), images.end());
  pair.insert(pair.end(), labels.begin(), labels.end());
  write_seed(folder / "pair", 2, pair);
}

void write_text_seeds(const fs::path& folder) {
  const std::vector<std::string_view> texts{"`touch x`calcium", "it's \"a\" $HOME \\n", "run_a1^{2} @b & <c>",
                                            "\xCF\x81 = 1/2", "line\nbreak\x7F\xFF\xC2\x85\xEF\xBF\xBF"};
  for (std::size_t i = 0; i < texts.size(); ++i) write_file(folder / ("text" + std::to_string(i)), texts[i]);
}

void write_checkpoint_seeds(const fs::path& folder) {
  const auto file = folder / "checkpoint";
  const std::vector<std::vector<NoiseKind>> populations{{NoiseKind::heterogeneous},
                                                        {NoiseKind::homogeneous},
                                                        {NoiseKind::homogeneous, NoiseKind::heterogeneous},
                                                        {NoiseKind::per_neuron, NoiseKind::per_layer}};
  for (std::size_t i = 0; i < populations.size(); ++i) {
    const auto precision = i == 1 ? Precision::double_precision : Precision::single_precision;
    write_checkpoint(file, test::make_checkpoint(populations[i], precision));
    const auto content = read_file(file);
    const auto header = read_safetensors_header(file);
    const auto number = std::to_string(i);
    write_seed(folder / ("whole" + number), 0, content);
    const auto data = content.begin() + static_cast<std::ptrdiff_t>(header.data_offset);
    Bytes parts(content.begin() + kSafetensorsPrefix, data);
    parts.push_back(0);
    parts.insert(parts.end(), data, content.end());
    write_seed(folder / ("parts" + number), 1, parts);
    const auto& config = header.metadata.at("config");
    write_seed(folder / ("config" + number), 2, Bytes(config.begin(), config.end()));
  }
  fs::remove(file);
  write_seed(folder / "changes", 3, {8, 0, '{', 0, 8, 0x7f});
}

void write_csv_seeds(const fs::path& folder) {
  const std::string table = "rho,c,noise,sigma_rms\n0.5,1e-4,heterogeneous,0.12\n2,,\"a, \"\"b\"\"\",-inf\n";
  const std::string spreadsheet =
      "\xEF\xBB\xBF\"q (mV, before)\", Pr (before) ,\r\n1, 2.5 ,\r\n\r\n nan,\"3\n4\"";
  for (const std::uint8_t author : {std::uint8_t{0}, std::uint8_t{1}}) {
    const auto number = std::to_string(author);
    write_seed(folder / ("own" + number), author, Bytes(table.begin(), table.end()));
    write_seed(folder / ("spreadsheet" + number), author, Bytes(spreadsheet.begin(), spreadsheet.end()));
  }
}

void write_config_seeds(const fs::path& folder) {
  const std::vector<std::string> settings{
      R"({"command": "train", "version": "0.1.0", "hidden": [100, 100], "rho": 2, "c": [1e-4, {"a": null}]})",
      R"({"dataset": "digits", "hidden": [16], "cost": [{"rho": 2, "c": 0.5}, {"rho": 0.5, "c": 1}], "law": "binomial",
          "vesicles": 5, "lr": 1e-3, "seed": 18446744073709551615, "noise": "per-layer", "precision": "double"})",
      R"({"data": "/a/b/", "hidden": [[100, 100], []], "mechanism": "calcium,actin", "c": "1e-4:1e3.25:5log", "lr": [1e-4],
          "noise": ["per_layer", "homogeneous"], "seed": [0, "3:5"], "lambda": ["2/3", 0.01], "networks_at_once": 2})",
      R"({"hidden": [], "rho": "0.5,2/3", "scale": [1, 0.001], "prior": "gaussian", "prior_sigma": 0.1, "equilibrium": 2})"};
  for (std::size_t mode = 0; mode < settings.size(); ++mode) {
    write_seed(folder / std::to_string(mode), static_cast<std::uint8_t>(mode),
               Bytes(settings[mode].begin(), settings[mode].end()));
  }
}

}  // namespace
}  // namespace ensyn

int main(int count, char** arguments) {
  if (count != 2) {
    std::fprintf(stderr, "usage: fuzz_seeds FOLDER\n");
    return 2;
  }
  try {
    const std::filesystem::path folder = arguments[1];
    const std::pair<const char*, void (*)(const std::filesystem::path&)> writers[] = {
        {"fuzz_idx", ensyn::write_idx_seeds},      {"fuzz_checkpoint", ensyn::write_checkpoint_seeds},
        {"fuzz_csv", ensyn::write_csv_seeds},      {"fuzz_config", ensyn::write_config_seeds},
        {"fuzz_gnuplot", ensyn::write_text_seeds},
    };
    for (const auto& [target, write] : writers) {
      std::filesystem::create_directories(folder / target);
      write(folder / target);
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "fuzz_seeds: %s\n", error.what());
    return 1;
  }
  return 0;
}
