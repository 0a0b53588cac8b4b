/// \file
/// `ensyn reproduce`: from data to report in one command.
#include "host/driver/reproduce/reproduce.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <streambuf>
#include <string>
#include <utility>
#include <vector>

#include "ensyn/ensyn.h"
#include "host/driver/files/data_digests.h"
#include "host/driver/files/folder_lock.h"
#include "host/driver/files/run_folder.h"
#include "host/driver/files/text.h"
#include "host/driver/report/gnuplot.h"
#include "host/driver/report/report.h"
#include "host/driver/reproduce/plan.h"
#include "host/driver/settings/shared_settings.h"
#include "host/driver/terminal/verbose.h"
#include "host/io/json_text.h"

namespace ensyn::driver {
namespace {

using nlohmann::ordered_json;

struct ReproduceFlags : CommonFlags {
  std::vector<std::string> figures;
  std::vector<Command> (*make_commands)() = nullptr;
};

const OptionTable& reproduce_options() {
  static const OptionTable table =
      joined({{{"scale", Kind::text, "NAME", "paper",
                "paper, the paper's protocol, or quick: minutes, fewer epochs and weights of the cost"},
               {"reference", Kind::text, "DIR", "",
                "folder with the paper's numbers to draw beside; its experiments/ has what figure 6 needs"},
               {"seed", Kind::seed, "SEED", "0", "decides the noise and the initial weights"},
               {"out", Kind::text, "DIR", "ensyn-reproduction", "folder for the runs and the report"}},
              data_options("mnist"),
              execution_options()});
  return table;
}

/// What its commands print goes nowhere: the reproduction prints its own lines.
class NoOutput {
 public:
  NoOutput() : before_(std::cout.rdbuf(&nowhere_)) {}
  ~NoOutput() { std::cout.rdbuf(before_); }
  NoOutput(const NoOutput&) = delete;
  NoOutput& operator=(const NoOutput&) = delete;

 private:
  class Nowhere : public std::streambuf {
   protected:
    int_type overflow(int_type character) override { return traits_type::not_eof(character); }
  };
  Nowhere nowhere_;
  std::streambuf* before_;
};

/// \throws what the command throws
void execute(const PlannedRun& run, const std::filesystem::path& folder, const ReproduceFlags& flags) {
  const std::vector<Command> commands = flags.make_commands();
  const auto found = std::ranges::find(commands, run.command, &Command::name);
  if (found == commands.end()) throw std::logic_error("the plan has a run of '" + run.command + "'");
  const Command& command = *found;
  const auto set = [&](const std::string& key, const std::string& text) {
    const auto option = std::ranges::find(command.options, key, &Option::key);
    if (option == command.options.end()) throw std::logic_error(run.command + " has no option " + key);
    nlohmann::json value =
        option->kind == Kind::boolean ? nlohmann::json(true) : from_command_line(*option, {text});
    command.flags.given.set(key, std::move(value), flag_name(key));
  };
  for (const auto& [key, text] : run.settings) set(key, text);
  set("out", folder.string());
  command.flags.quiet = flags.quiet;
  // A run that was cut off before its end begins anew, but a sweep goes on from where it was.
  for (const Switch& flag : command.switches) {
    if (flag.name == "--overwrite" && run.command != "sweep") *flag.value = true;
  }
  const NoOutput silence;
  command.run();
}

/// Training steps per second of the paper's network on this machine, all of it, measured for about a second.
double measured_rate(const Dataset& train, const ExecutionConfig& execution) {
  using Clock = std::chrono::steady_clock;
  constexpr std::chrono::duration<double> kLong(1.0);
  constexpr std::size_t kNetworks = 4;
  PopulationConfig config = paper_preset(2, 1);
  config.architecture.sizes = {train.feature_count(), 100, 100, train.classes()};
  config.members.resize(kNetworks, config.members.front());
  Population population(config, train, execution);
  announce(population);
  const auto start = Clock::now();
  std::uint64_t steps = 0;
  static_cast<void>(population.train(1'000'000, [&](const Progress& progress) {
    steps = progress.step;
    return Clock::now() - start < kLong;
  }));
  const std::chrono::duration<double> elapsed = Clock::now() - start;
  return static_cast<double>(kNetworks * std::max<std::uint64_t>(steps, 1)) / elapsed.count();
}

struct Reproduction {
  Values values;
  std::filesystem::path out;
  PlanSettings plan;
  std::vector<PlannedRun> runs;

  [[nodiscard]] bool complete(const PlannedRun& run) const {
    std::error_code ignored;
    return std::filesystem::exists(out / run.folder / "summary.json", ignored);
  }
};

/// Keys that are passed on to the runs as they were given.
constexpr std::array kPassedOn = {"data",         "dataset", "classes",         "seed",           "device",
                                  "device_index", "threads", "instruction_set", "training_method"};

std::string as_text(const nlohmann::json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

/// Checks that the folder belongs to this reproduction, so that runs of different settings do not mix, and
/// marks it. \throws ConfigError; DataError where the data have changed
void claim(const Reproduction& reproduction, const TrainTest& data) {
  ordered_json config = {{"command", "reproduce"},
                         {"version", build_info().version},
                         {"scale", name(reproduction.plan.scale)},
                         {"seed", reproduction.plan.seed}};
  if (const auto folder = optional_path(reproduction.values, "data")) config["data"] = absolute_path(*folder);
  if (reproduction.values.has("dataset")) {
    config["dataset"] = reproduction.values.get<std::string>("dataset", {});
  }
  const auto file = reproduction.out / "reproduce.json";
  std::error_code ignored;
  if (std::filesystem::exists(file, ignored)) {
    auto before =
        read_json_object<ordered_json>(file, "delete it where all runs beside it are of this reproduction");
    // Earlier versions kept the folder as it was given.
    if (before.contains("data") && before["data"].is_string()) {
      before["data"] = absolute_path(before["data"].get<std::string>());
    }
    if (without_digests(before) != config) {
      throw ConfigError("--out " + reproduction.out.string() + " holds another reproduction, " +
                        before.dump() + ": choose another folder");
    }
    check_digests(before, file, data);
  }
  write_json(file, with_digests(config, data));
}

/// The plan, and an honest guess of how long it takes.
std::string announcement(const Reproduction& reproduction, double rate) {
  std::string text;
  double steps = 0;
  for (const PlannedRun& run : reproduction.runs) {
    const bool done = reproduction.complete(run);
    if (!done) steps += run.steps;
    text += (done ? "done  " : "run   ") + command_text(run, reproduction.out) + "\n";
  }
  // What a machine that is busy with nothing else needs; evaluation and files come on top of the steps.
  const double seconds = 5 + steps / rate;
  return text +
         formatted(
             "about %s here: %s training steps' worth of work at %s steps/s as measured now; longer when the "
             "machine has other work, and less where runs were begun before\n",
             duration_text(seconds).c_str(), grouped(static_cast<std::uint64_t>(steps)).c_str(),
             grouped(static_cast<std::uint64_t>(rate)).c_str());
}

Reproduction prepare(const ReproduceFlags& flags) {
  Reproduction reproduction;
  Values& values = reproduction.values;
  flags.overlay(values, reproduce_options());
  exclude(values, "data", "dataset");
  reproduction.out = values.get<std::string>("out", "ensyn-reproduction");
  reproduction.plan.scale = values.named("scale", Scale::paper, scale_from);
  reproduction.plan.seed = std::to_string(values.get<std::uint64_t>("seed", 0));
  for (const char* key : kPassedOn) {
    if (values.has(key)) {
      const std::string text = as_text(values.get(key, nlohmann::json()));
      reproduction.plan.common.emplace_back(key, key == std::string("data") ? absolute_path(text) : text);
    }
  }
  if (const auto reference = optional_path(values, "reference")) {
    report::Notes ignored;  // the report says them
    static_cast<void>(report::read_reference(*reference, ignored));
    reproduction.plan.experiments = *reference / "experiments";
  }
  return reproduction;
}

void reproduce(const ReproduceFlags& flags) {
  Reproduction reproduction = prepare(flags);
  const ExecutionConfig execution = execution_config(reproduction.values);
  static_cast<void>(plan(flags.figures, reproduction.plan));  // refuses unknown figures before data are read
  const FolderLock lock(reproduction.out);
  DataChoice choice = data_choice(reproduction.values);
  const TrainTest data = load_data(choice);
  reproduction.plan.train_examples = data.train.size();
  reproduction.plan.test_examples = data.test.size();
  reproduction.runs = plan(flags.figures, reproduction.plan);
  claim(reproduction, data);
  const report::Gnuplot gnuplot;
  if (flags.prints_text()) {
    if (!gnuplot.usable()) std::cout << gnuplot.problem() << "; the runs and tables are made all the same\n";
    std::cout << announcement(reproduction, measured_rate(data.train, execution)) << std::flush;
  }
  report::ReportSettings settings{{}, optional_path(reproduction.values, "reference"), reproduction.out};
  for (const PlannedRun& run : reproduction.runs) {
    const auto folder = reproduction.out / run.folder;
    settings.folders.push_back(folder);
    if (reproduction.complete(run)) continue;
    const auto start = std::chrono::steady_clock::now();
    execute(run, folder, flags);
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
    if (flags.prints_text()) {
      std::cout << formatted("%-12s", run.command.c_str()) << run.folder << ", "
                << duration_text(elapsed.count()) << std::endl;
    }
  }
  const report::ReportResult result = report::make_report(settings);
  if (flags.json)
    std::cout << report::to_json(result, reproduction.out)
                     .dump(2, ' ', false, ordered_json::error_handler_t::replace)
              << '\n';
  if (flags.prints_text()) std::cout << report::to_text(result, reproduction.out);
  std::cout.flush();
  result.require_whole("runs and tables are in " + reproduction.out.string());
}

}  // namespace

Command reproduce_command(std::vector<Command> (*make_commands)()) {
  const auto flags = std::make_shared<ReproduceFlags>();
  flags->make_commands = make_commands;
  return {"reproduce",
          "the paper's figures from data to report: trains, measures, draws",
          reproduce_options(),
          *flags,
          {},
          std::nullopt,
          [flags] { reproduce(*flags); },
          Arguments{"FIGURE", &flags->figures, "fig2, fig3, fig5, fig7, or all"}};
}

}  // namespace ensyn::driver
