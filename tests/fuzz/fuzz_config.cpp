/// \file
/// Fuzzes files of settings. The first byte of an input says what the rest is: 0 a config.json in a folder of
/// which only the JSON is asked for, 1 settings of `train`, 2 of `sweep`, 3 of `bayes`.
#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <span>
#include <string>

#include "ensyn/error.h"
#include "fuzz/fuzz_support.h"
#include "host/driver/bayes/bayes.h"
#include "host/driver/settings/options.h"
#include "host/driver/settings/shared_settings.h"
#include "host/driver/sweep/sweep_settings.h"
#include "host/io/json_text.h"

namespace ensyn::fuzz {
namespace {

using driver::OptionTable;
using driver::Values;
using nlohmann::ordered_json;

std::span<const std::uint8_t> bytes_of(const std::string& text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

ordered_json read_object(std::span<const std::uint8_t> content) {
  const MemoryFile file(content);
  return read_json_object<ordered_json>(file.path(), "advice");
}

/// The settings of a file as the command writes them into config.json.
template <class Settings>
ordered_json settings_in(std::span<const std::uint8_t> content, const OptionTable& table,
                         Settings (*make)(const Values&)) {
  const MemoryFile file(content);
  return to_json(make(driver::read_config_file(file.path(), table)));
}

void check_object(std::span<const std::uint8_t> content) {
  const auto object = attempt<Error>([&] { return read_object(content); });
  if (!object) return;
  require(object->is_object(), "what is read is an object");
  require(read_object(bytes_of(object->dump())) == *object, "JSON reads back");
}

template <class Settings>
void check_settings(std::span<const std::uint8_t> content, const OptionTable& table,
                    Settings (*make)(const Values&)) {
  const auto settings = attempt<Error>([&] { return settings_in(content, table, make); });
  if (!settings) return;
  require(settings_in(bytes_of(settings->dump(2)), table, make) == *settings, "settings read back");
}

}  // namespace
}  // namespace ensyn::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace ensyn;
  if (size == 0) {
    return 0;
  }
  const std::span<const std::uint8_t> rest(data + 1, size - 1);
  switch (data[0] % 4) {
    case 0:
      fuzz::check_object(rest);
      break;
    case 1:
      fuzz::check_settings(rest, driver::train_options(), driver::train_settings);
      break;
    case 2:
      fuzz::check_settings(rest, driver::sweep_options(), driver::sweep_settings);
      break;
    default:
      fuzz::check_settings(rest, driver::bayes_options(), driver::bayes_settings);
      break;
  }
  return 0;
}
