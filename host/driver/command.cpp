#include "host/driver/command.h"

namespace ensyn::driver {

void declare_common(CLI::App& app, const OptionTable& table, CommonFlags& common) {
  declare(app, table, common.given);
  app.add_option("--config", common.config_file,
                 "JSON file of settings, flags' names with _ for -; flags go before it")
      ->option_text("FILE");
  app.add_flag("--quiet", common.quiet, "no progress and no summary");
  app.add_flag("--json", common.json, "the summary as JSON on standard output, and nothing else there");
}

void overlay_given(Values& values, const CommonFlags& common, const OptionTable& table) {
  if (!common.config_file.empty()) values.overlay(read_config_file(common.config_file, table));
  values.overlay(common.given);
}

}  // namespace ensyn::driver
