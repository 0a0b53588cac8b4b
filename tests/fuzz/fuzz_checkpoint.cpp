/// \file
/// Fuzzes checkpoints. The first byte of an input says what the rest is: 0 a file as it is; 1 its header,
/// up to a zero byte, and its data, to which the header's length is put here; 2 a configuration for an
/// otherwise valid checkpoint; 3 changes to a valid checkpoint, each two bytes of place and one of value.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "data/checkpoint_support.h"
#include "ensyn/error.h"
#include "ensyn/population.h"
#include "fuzz/fuzz_support.h"
#include "host/io/file.h"
#include "host/io/safetensors.h"
#include "host/population/checkpoint.h"

namespace ensyn::fuzz {
namespace {

using Bytes = std::vector<std::uint8_t>;

/// A valid checkpoint: of one network with its own noise per weight and one with shared noise.
const Bytes& valid() {
  static const Bytes content = [] {
    const auto file = std::filesystem::temp_directory_path() / ("ensyn-fuzz-" + std::to_string(::getpid()));
    write_checkpoint(file, test::make_checkpoint({NoiseKind::heterogeneous, NoiseKind::homogeneous}));
    auto bytes = read_file(file);
    std::filesystem::remove(file);
    return bytes;
  }();
  return content;
}

Bytes with_length(std::span<const std::uint8_t> input) {
  const auto end = std::find(input.begin(), input.end(), std::uint8_t{0});
  const auto length = static_cast<std::uint64_t>(end - input.begin());
  Bytes content(sizeof length);
  std::memcpy(content.data(), &length, sizeof length);
  content.insert(content.end(), input.begin(), end);
  if (end != input.end()) {
    content.insert(content.end(), end + 1, input.end());
  }
  return content;
}

Bytes with_config(std::span<const std::uint8_t> input) {
  const auto header = parse_safetensors_header(valid(), valid().size(), "valid");
  auto metadata = header.metadata;
  metadata["config"].clear();
  for (const auto byte : input) {
    // As JSON, a header holds text only.
    metadata["config"] += static_cast<char>(byte & 0x7f);
  }
  std::map<std::string, std::vector<double>> values;
  std::vector<TensorSource> tensors;
  for (const auto& [name, entry] : header.tensors) {
    auto& of_tensor = values[name];
    of_tensor.resize(entry.elements());
    decode_tensor(valid(), header, entry, of_tensor);
    tensors.push_back({name, entry.type, entry.shape, of_tensor});
  }
  return format_safetensors(metadata, tensors);
}

Bytes with_changes(std::span<const std::uint8_t> input) {
  auto content = valid();
  for (; input.size() >= 3; input = input.subspan(3)) {
    content[(input[0] + 256u * input[1]) % content.size()] = input[2];
  }
  return content;
}

void check(const Bytes& content) {
  const MemoryFile file(content);
  const auto info = attempt<DataError>([&] { return read_checkpoint_info(file.path()); });
  const auto checkpoint = attempt<DataError>([&] { return read_checkpoint(file.path()); });
  if (!checkpoint) {
    return;
  }
  require(info.has_value(), "what can be read has a valid header");
  require(info->config == checkpoint->config && info->step == checkpoint->step, "both readers agree");
  require(checkpoint->members.size() == checkpoint->config.members.size(), "every member is there");
  checkpoint->config.validate();
}

}  // namespace
}  // namespace ensyn::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace ensyn::fuzz;
  if (size == 0) {
    return 0;
  }
  const std::span<const std::uint8_t> rest(data + 1, size - 1);
  switch (data[0] % 4) {
    case 0:
      check({rest.begin(), rest.end()});
      break;
    case 1:
      check(with_length(rest));
      break;
    case 2:
      check(with_config(rest));
      break;
    default:
      check(with_changes(rest));
      break;
  }
  return 0;
}
