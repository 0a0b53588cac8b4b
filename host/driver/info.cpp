/// \file
/// `ensyn info`: what this build and this machine can do.
#include <algorithm>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "ensyn/ensyn.h"
#include "host/driver/commands.h"
#include "host/driver/files/folder_lock.h"
#include "host/driver/files/run_folder.h"
#include "host/driver/files/text.h"
#include "host/driver/settings/settings.h"

namespace ensyn::driver {
namespace {

using nlohmann::ordered_json;

constexpr const char* kInfo = "info.json";

std::string listed(const std::vector<std::string>& items, const std::string& separator) {
  std::string text;
  for (const std::string& item : items) text += (text.empty() ? "" : separator) + item;
  return text.empty() ? "none" : text;
}

/// \throws DeviceError, so that a script can ask before it starts something long.
void check_device(const ExecutionConfig& execution) {
  if (execution.device == DeviceKind::cuda && !cuda_problem().empty()) {
    throw DeviceError("--device cuda: " + cuda_problem());
  }
  const std::vector<std::string> sets = instruction_sets();
  const std::string& wanted = execution.instruction_set;
  if (wanted != "auto" && std::ranges::find(sets, wanted) == sets.end()) {
    throw DeviceError("--instruction-set " + wanted + " is not to be had here: use auto or one of " +
                      listed(sets, ", "));
  }
}

void info(const CommonFlags& flags) {
  Values values;
  flags.overlay(values, info_options());
  const InfoSettings settings = info_settings(values);
  check_device(settings.execution);
  const BuildInfo build = build_info();
  const ordered_json result = {
      {"version", build.version},
      {"noise_contract", kNoiseContract},
      {"compiler", build.compiler},
      {"build_type", build.build_type},
      {"cuda", build.cuda},
      {"cuda_devices", cuda_devices()},
      {"cuda_problem", cuda_problem()},
      {"processor", processor_name()},
      {"processors", available_processors()},
      {"instruction_sets", instruction_sets()},
  };
  if (settings.out) {
    const FolderLock lock(*settings.out, kInfo);
    write_json(*settings.out / kInfo, result);
  }
  if (flags.json) std::cout << result.dump(2) << '\n';
  if (!flags.prints_text()) return;
  const auto line = [](const char* name, const std::string& value) {
    std::cout << formatted("%-18s", name) << value << "\n";
  };
  line("ensyn", build.version);
  line("noise contract", std::to_string(kNoiseContract));
  line("build", build.build_type + ", " + build.compiler + (build.cuda ? ", with CUDA" : ", without CUDA"));
  line("processor", processor_name() + ", " + std::to_string(available_processors()) + " usable");
  line("instruction sets", listed(instruction_sets(), ", "));
  line("CUDA devices", cuda_problem().empty() ? listed(cuda_devices(), "; ") : "none: " + cuda_problem());
}

}  // namespace

Command info_command() {
  const auto flags = std::make_shared<CommonFlags>();
  return {"info",
          "version, noise contract, devices and build options",
          info_options(),
          *flags,
          {},
          std::nullopt,
          [flags] { info(*flags); }};
}

}  // namespace ensyn::driver
