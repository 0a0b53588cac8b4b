/// \file
/// `ensyn report DIR...`: figures and a page from run folders.
#include "host/driver/report/command.h"

#include <filesystem>
#include <iostream>
#include <memory>
#include <string>
#include <system_error>
#include <vector>

#include "host/driver/files/folder_lock.h"
#include "host/driver/report/report.h"

namespace ensyn::driver {
namespace {

struct ReportFlags : OverwriteFlags {
  std::vector<std::string> folders;
};

const OptionTable& report_options() {
  static const OptionTable table = {
      {"reference", Kind::text, "DIR", "",
       "folder with the paper's numbers, paper_tradeoff.csv and paper_signatures.csv, to draw beside"},
      {"seed", Kind::seed, "SEED", "", "accepted, as by every command; changes nothing here"},
      {"device", Kind::text, "NAME", "", "accepted, as by every command; changes nothing here"},
      {"threads", Kind::whole, "N", "", "accepted, as by every command; changes nothing here", 0},
      {"out", Kind::text, "DIR", "ensyn-report", "folder for report.html, figures/ and tables/"},
  };
  return table;
}

/// A page may stand beside runs, but not replace another page unasked.
void check_no_page(const std::filesystem::path& out, bool overwrite) {
  std::error_code ignored;
  if (overwrite || !std::filesystem::exists(out / "report.html", ignored)) return;
  throw ConfigError(out.string() +
                    " already holds a report.html: replace it with --overwrite, or choose another --out");
}

void run_report(const ReportFlags& flags) {
  Values values;
  flags.overlay(values, report_options());
  report::ReportSettings settings;
  settings.folders.assign(flags.folders.begin(), flags.folders.end());
  if (values.has("reference")) settings.reference = values.get<std::string>("reference", {});
  settings.out = values.get("out", settings.out.string());
  const FolderLock lock(settings.out);
  check_no_page(settings.out, flags.overwrite);
  const report::ReportResult result = report::make_report(settings);
  if (flags.json)
    std::cout << to_json(result, settings.out).dump(2, ' ', false, nlohmann::json::error_handler_t::replace)
              << '\n';
  if (flags.prints_text()) std::cout << to_text(result, settings.out);
  std::cout.flush();
  result.require_whole("the tables, the numbers behind the figures and report.html are in " +
                       settings.out.string());
}

}  // namespace

Command report_command() {
  const auto flags = std::make_shared<ReportFlags>();
  return {"report",
          "figures and one page, report.html, from the folders of runs",
          report_options(),
          *flags,
          {{"--overwrite", &flags->overwrite, "replace the report in --out"}},
          std::nullopt,
          [flags] { run_report(*flags); },
          Arguments{"DIR", &flags->folders, "folders of runs, or folders of such"}};
}

}  // namespace ensyn::driver
