/// \file
/// `ensyn reproduce`: from data to report in one command.
#include "host/driver/reproduce/reproduce.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <iostream>
#include <memory>
#include <optional>
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
#include "host/driver/terminal/progress.h"
#include "host/driver/terminal/verbose.h"
#include "host/io/json_text.h"

namespace ensyn::driver {
namespace {

using nlohmann::ordered_json;

struct ReproduceFlags : CommonFlags {
  std::vector<std::string> figures;
  std::vector<Command> (*make_commands)() = nullptr;
  bool plan_only = false;
};

const OptionTable& reproduce_options() {
  static const OptionTable table =
      joined({{{"scale", Kind::text, "NAME", "paper",
                "paper, the paper's protocol, or quick: minutes, fewer steps and weights of the cost"},
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

/// How fast this machine gets through planned work: measured beforehand, and corrected by each run that is
/// done.
struct Pace {
  double steps = 0, seconds = 0;

  void add(double done, double took) {
    steps += done;
    seconds += took;
  }
  /// Makes the measurement count like that much work done, lest a few short runs, which begin and end more
  /// than they train, outweigh it.
  void weigh(double work) {
    if (!is_known()) return;
    seconds *= work / steps;
    steps = work;
  }
  [[nodiscard]] bool is_known() const { return steps > 0 && seconds > 0; }
  [[nodiscard]] double rate() const { return steps / seconds; }
  /// `about 3 min 20 s left`; empty where nothing was measured.
  [[nodiscard]] std::string left_text(double left) const {
    return is_known() ? ", about " + duration_text(left / rate()) + " left" : "";
  }
};

/// Trains four of the paper's networks at a time on all of this machine, for three seconds after the first
/// steps, which begin slowly.
Pace measured_pace(const Dataset& train, const ExecutionConfig& execution) {
  using Clock = std::chrono::steady_clock;
  constexpr std::chrono::duration<double> kLong(3.0);
  constexpr std::size_t kNetworks = 4;
  PopulationConfig config = paper_preset(2, 1);
  config.architecture.sizes = {train.feature_count(), 100, 100, train.classes()};
  config.members.resize(kNetworks, config.members.front());
  Population population(config, train, execution);
  announce(population);
  std::optional<Clock::time_point> start;
  std::uint64_t first = 0, last = 0;
  static_cast<void>(population.train(1'000'000, [&](const Progress& progress) {
    last = progress.step;
    if (!start) {
      start = Clock::now();
      first = last;
    }
    return Clock::now() - *start < kLong;
  }));
  const std::chrono::duration<double> elapsed = Clock::now() - start.value_or(Clock::now());
  return {static_cast<double>(kNetworks * (last - first)), elapsed.count()};
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
  /// Of the runs that are not done, in steps.
  [[nodiscard]] double work_left() const {
    double steps = 0;
    for (const PlannedRun& run : runs) steps += complete(run) ? 0 : run.steps;
    return steps;
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

std::string plan_text(const Reproduction& reproduction) {
  std::string text;
  for (const PlannedRun& run : reproduction.runs) {
    text += (reproduction.complete(run) ? "done  " : "run   ") + command_text(run, reproduction.out) + "\n";
  }
  return text;
}

/// An honest guess of how long it takes.
std::string estimate_text(double work, const Pace& pace) {
  if (!(work > 0) || !pace.is_known()) return "";
  // What a machine that is busy with nothing else needs; evaluation and files come on top of the steps.
  const double seconds = 5 + work / pace.rate();
  return formatted(
      "about %s here: %s training steps' worth of work at %s steps/s as measured now; longer when the "
      "machine has other work, and less where runs were begun before\n",
      duration_text(seconds).c_str(), grouped(static_cast<std::uint64_t>(work)).c_str(),
      grouped(static_cast<std::uint64_t>(pace.rate())).c_str());
}

/// What to try when this is done: more data, then the paper's protocol, then another seed for bands.
std::string next_command(const ReproduceFlags& flags, const Reproduction& reproduction) {
  PlannedRun next{"reproduce", "", {}};
  for (const std::string& figure : flags.figures) next.command += " " + figure;
  const auto dataset = reproduction.values.get<std::string>("dataset", "");
  std::string other = "-paper";
  const auto keep = [&](const char* key) {
    for (const auto& one : reproduction.plan.common) {
      if (one.first == key) next.settings.push_back(one);
    }
  };
  if (reproduction.plan.scale == Scale::paper) {
    const std::string seed = std::to_string(reproduction.values.get<std::uint64_t>("seed", 0) + 1);
    next.settings = {{"scale", "paper"}, {"seed", seed}};
    keep("data"), keep("dataset");
    other = "-seed" + seed;
  } else if (dataset == "digits") {
    // 1,437 digits come nowhere in the paper's 50 epochs.
    next.settings = {{"scale", "quick"}, {"dataset", "fashion-mnist"}};
    other = "-fashion-mnist";
  } else {
    next.settings = {{"scale", "paper"}};
    keep("data"), keep("dataset"), keep("seed");
  }
  return command_text(next, reproduction.out.string() + other);
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

/// Runs one of the plan's commands under a heading that says which it is and what is left.
void execute_and_tell(const Reproduction& reproduction, const PlannedRun& run, const ReproduceFlags& flags,
                      Pace& pace) {
  const std::string left = pace.left_text(reproduction.work_left());
  const auto start = std::chrono::steady_clock::now();
  {
    const auto number = static_cast<std::size_t>(&run - reproduction.runs.data()) + 1;
    const LineHeading heading(
        !flags.quiet, formatted("%zu/%zu %s", number, reproduction.runs.size(), run.folder.c_str()) + left);
    execute(run, reproduction.out / run.folder, flags);
  }
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
  pace.add(run.steps, elapsed.count());
  if (!flags.prints_text()) return;
  const double work = reproduction.work_left();
  std::cout << formatted("%-12s", run.command.c_str()) << run.folder << ", " << duration_text(elapsed.count())
            << (work > 0 ? pace.left_text(work) : "") << std::endl;
}

void reproduce(const ReproduceFlags& flags) {
  Reproduction reproduction = prepare(flags);
  const ExecutionConfig execution = execution_config(reproduction.values);
  static_cast<void>(plan(flags.figures, reproduction.plan));  // refuses unknown figures before data are read
  // The folder is made, and locked, only where something is to be written.
  std::optional<FolderLock> lock;
  if (!flags.plan_only) lock.emplace(reproduction.out);
  DataChoice choice = data_choice(reproduction.values);
  const TrainTest data = load_data(choice);
  reproduction.plan.train_examples = data.train.size();
  reproduction.plan.test_examples = data.test.size();
  reproduction.runs = plan(flags.figures, reproduction.plan);
  if (flags.plan_only) {
    std::cout << plan_text(reproduction);
    return;
  }
  claim(reproduction, data);
  const report::Gnuplot gnuplot;
  Pace pace;
  if (flags.prints_text()) {
    if (!gnuplot.usable()) std::cout << gnuplot.problem() << "; the runs and tables are made all the same\n";
    std::cout << plan_text(reproduction) << std::flush;
    if (reproduction.work_left() > 0) pace = measured_pace(data.train, execution);
    std::cout << estimate_text(reproduction.work_left(), pace) << std::flush;
    constexpr double kTrust = 0.25;
    pace.weigh(kTrust * reproduction.work_left());
  }
  report::ReportSettings settings{{}, optional_path(reproduction.values, "reference"), reproduction.out};
  for (const PlannedRun& run : reproduction.runs) {
    settings.folders.push_back(reproduction.out / run.folder);
    if (!reproduction.complete(run)) execute_and_tell(reproduction, run, flags, pace);
  }
  const report::ReportResult result = report::make_report(settings);
  if (flags.json)
    std::cout << report::to_json(result, reproduction.out)
                     .dump(2, ' ', false, ordered_json::error_handler_t::replace)
              << '\n';
  if (flags.prints_text()) {
    std::cout << report::to_text(result, reproduction.out) << "next        "
              << next_command(flags, reproduction) << '\n';
  }
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
          {{"--plan", &flags->plan_only, "print the commands that it would run, and run none"}},
          std::nullopt,
          [flags] { reproduce(*flags); },
          Arguments{"FIGURE", &flags->figures, "fig2, fig3, fig5, fig7, or all"}};
}

}  // namespace ensyn::driver
