#include "host/driver/reproduce/plan.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>
#include <string_view>

#include "ensyn/error.h"
#include "ensyn/theory.h"
#include "host/driver/files/csv.h"
#include "host/driver/files/text.h"
#include "host/driver/settings/axis.h"
#include "host/driver/settings/options.h"
#include "host/driver/signatures/signatures.h"

namespace ensyn::driver {
namespace {

using Settings = std::vector<std::pair<std::string, std::string>>;

constexpr std::array kRhos = {std::pair{"1/2", 0.5}, std::pair{"2/3", 2.0 / 3}, std::pair{"4/3", 4.0 / 3},
                              std::pair{"2", 2.0}};
constexpr const char* kAllRhos = "0.5,2/3,4/3,2";

constexpr double kBatch = 20;
constexpr double kPaperExamples = 60000;
constexpr double kForward = 0.4;  ///< of a training step: one forward pass of evaluation
constexpr double kMeasuring = 5;  ///< of a training step: one step that measures curvature, on the CPU
constexpr double kRounds = 15;    ///< that bring sigma to its fixed point: an epoch and a measurement each
constexpr double kNoHiddenLayer =
    0.15;  ///< of a training step of the paper's network: one without hidden layers

/// What a scale asks of each command. The paper's protocol counts epochs. Quick runs count steps, so that a
/// small data set, whose epochs are short, comes as far as a large one: to where costs act. Their learning
/// rates are 10 and 30 times the paper's, and their sigma starts higher, because from 1e-4 it would not get
/// far at rho = 2: the reliability gradient falls as fast as sigma rises, and Adam's mean of squared
/// gradients forgets the large early ones over a thousand steps, whatever the learning rate.
struct Effort {
  bool counts_steps;
  int sweep, signature, bayes;                ///< length of training, in steps or epochs
  int signature_passes, bayes_passes;         ///< length of measuring, likewise
  const char *sweep_lr, *lr;                  ///< of a sweep, and of the others
  const char *sweep_sigma_init, *sigma_init;  ///< likewise; null: the command's default
  const char* c;                              ///< of a sweep on 60,000 examples, but for its count
  int c_count;
  int samples;
};
constexpr Effort kQuick = {true,   8000,  12000,  12000,      3000, 3000, "3e-3",
                           "1e-3", "0.1", "0.01", "1e-2:1e4", 7,    1};
constexpr Effort kPaper = {false, 50, 50, 50, 10, 10, "1e-4", "1e-4", "1e-4", nullptr, "1e-4:1e3.25", 30, 20};

const Effort& effort(Scale scale) {
  return scale == Scale::quick ? kQuick : kPaper;
}

class Planner {
 public:
  explicit Planner(const PlanSettings& settings)
      : settings_(settings),
        effort_(effort(settings.scale)),
        epoch_(std::max(1.0, std::floor(static_cast<double>(settings.train_examples) / kBatch))) {}

  [[nodiscard]] PlannedRun sweep() const {
    PlannedRun run{"sweep", "tradeoff", with_common({{"rho", kAllRhos}, {"c", sweep_costs()}})};
    const int epochs = epochs_of(effort_.sweep);
    run.settings.insert(run.settings.end(), {{"noise", "heterogeneous,homogeneous"},
                                             {"epochs", std::to_string(epochs)},
                                             {"lr", effort_.sweep_lr},
                                             {"sigma_init", effort_.sweep_sigma_init},
                                             {"samples", std::to_string(effort_.samples)}});
    const double networks = 2.0 * effort_.c_count * static_cast<double>(kRhos.size());
    run.steps = networks * (epochs * epoch_ + evaluation());
    return run;
  }

  /// \param factor of the paper's c, which is that of s = 0.001
  [[nodiscard]] PlannedRun signatures(std::size_t rho, double factor, bool hidden) const {
    const auto& [text, value] = kRhos[rho];
    std::string folder = "signatures/rho" + std::string(text);
    std::ranges::replace(folder.begin() + 11, folder.end(), '/', '_');
    if (factor != 1) folder += "_c" + std::string(factor < 1 ? "low" : "high");
    if (!hidden) folder += "_no_hidden_layer";
    PlannedRun run{"signatures", folder, with_common({{"rho", exact(value)}})};
    const int trained = epochs_of(effort_.signature), passes = epochs_of(effort_.signature_passes);
    run.settings.insert(run.settings.end(),
                        {{"c", exact(factor * example_share() * theory::cost_weight(value, 1e-3))},
                         {"hidden", hidden ? "100,100" : "none"},
                         {"epochs", std::to_string(trained)},
                         {"measure_epochs", std::to_string(passes)},
                         {"lr", effort_.lr},
                         {"samples", std::to_string(effort_.samples)}});
    add_sigma_init(run);
    double epochs = trained + kMeasuring * passes;
    // The fixed point beside the protocol: always where it is exact and cheap, else with the paper's
    // patience.
    if (!hidden || (factor == 1 && settings_.scale == Scale::paper)) {
      run.settings.emplace_back("equilibrium", "");
      epochs += kRounds * (1 + kMeasuring) + kMeasuring * std::max(kEquilibriumPasses, passes);
    }
    run.steps = (hidden ? 1 : kNoHiddenLayer) * (epochs * epoch_ + evaluation());
    return run;
  }

  [[nodiscard]] PlannedRun bayes() const {
    PlannedRun run{"bayes", "posterior", with_common({{"rho", kAllRhos}})};
    const int trained = epochs_of(effort_.bayes), passes = epochs_of(effort_.bayes_passes);
    run.settings.insert(run.settings.end(), {{"epochs", std::to_string(trained)},
                                             {"measure_epochs", std::to_string(passes)},
                                             {"lr", effort_.lr}});
    add_sigma_init(run);
    const double networks = 1 + static_cast<double>(kRhos.size());
    double epochs = trained + kMeasuring * passes;
    if (settings_.scale == Scale::paper) {
      // Figure 7 is about fixed points, from which the paper's schedule stops far away.
      run.settings.emplace_back("equilibrium", "40");
      epochs += kRounds * (1 + kMeasuring);
    }
    run.steps = networks * epochs * epoch_;
    return run;
  }

  [[nodiscard]] PlannedRun regression() const {
    return {"regression", "regression", {{"seed", settings_.seed}}, 20000};
  }
  [[nodiscard]] PlannedRun biophysics() const {
    return {"biophysics", "biophysics", {{"seed", settings_.seed}}};
  }
  /// Where the folder with the measurements is there.
  void add_experiments(std::vector<PlannedRun>& runs) const {
    if (!settings_.experiments) return;
    PlannedRun run{"experiments", "experiments", {}};
    const std::array<std::pair<const char*, const char*>, 3> files = {
        std::pair{"ltp", "Sjostrom2001_LTP_schug.csv"}, std::pair{"ltd", "Sjostrom2001_LTD_schug.csv"},
        std::pair{"variability", "ko2013.csv"}};
    for (const auto& [key, file] : files) {
      const auto path = *settings_.experiments / file;
      std::error_code ignored;
      if (std::filesystem::exists(path, ignored)) run.settings.emplace_back(key, path.string());
    }
    if (!run.settings.empty()) runs.push_back(std::move(run));
  }

 private:
  [[nodiscard]] Settings with_common(Settings own) const {
    Settings all = settings_.common;
    all.insert(all.end(), own.begin(), own.end());
    return all;
  }

  /// Epochs that come to at least as many steps, where the scale counts those.
  [[nodiscard]] int epochs_of(int length) const {
    return effort_.counts_steps ? static_cast<int>(std::ceil(length / epoch_)) : length;
  }

  /// What c is multiplied with for the same place of the tradeoff: c weighs a cost against the loss summed
  /// over the training examples, of which the paper has 60,000. The paper's scale keeps the paper's c.
  [[nodiscard]] double example_share() const {
    return effort_.counts_steps ? static_cast<double>(settings_.train_examples) / kPaperExamples : 1;
  }

  [[nodiscard]] std::string sweep_costs() const {
    const std::string count = ":" + std::to_string(effort_.c_count) + "log";
    if (example_share() == 1) return effort_.c + count;
    const std::string_view ends = effort_.c;
    const std::size_t colon = ends.find(':');
    const auto scaled = [&](std::string_view end) {
      return formatted("%.6g", *parse_real(end) * example_share());
    };
    return scaled(ends.substr(0, colon)) + ":" + scaled(ends.substr(colon + 1)) + count;
  }

  void add_sigma_init(PlannedRun& run) const {
    if (effort_.sigma_init != nullptr) run.settings.emplace_back("sigma_init", effort_.sigma_init);
  }

  /// The final evaluation: mean weights, one draw, and the average over draws.
  [[nodiscard]] double evaluation() const {
    return kForward * (2 + effort_.samples) * static_cast<double>(settings_.test_examples) / kBatch;
  }

  const PlanSettings& settings_;
  const Effort& effort_;
  double epoch_;  ///< steps
};

}  // namespace

Scale scale_from(std::string_view text) {
  for (const Scale scale : {Scale::quick, Scale::paper}) {
    if (text == name(scale)) return scale;
  }
  throw ConfigError("unknown scale '" + std::string(text) + "': use quick or paper");
}

const char* name(Scale scale) {
  return scale == Scale::quick ? "quick" : "paper";
}

std::vector<PlannedRun> plan(const std::vector<std::string>& figures, const PlanSettings& settings) {
  const std::set<std::string> known = {"fig2", "fig3", "fig5", "fig7", "all"};
  for (const std::string& figure : figures) {
    if (!known.contains(figure)) {
      throw ConfigError("'" + figure + "' cannot be reproduced: use fig2, fig3, fig5, fig7 or all");
    }
  }
  const auto asked = [&](const char* figure) {
    return std::ranges::any_of(figures,
                               [&](const std::string& one) { return one == figure || one == "all"; });
  };
  const Planner planner(settings);
  std::vector<PlannedRun> runs;
  if (asked("all")) {
    runs.push_back(planner.biophysics());
    planner.add_experiments(runs);
    runs.push_back(planner.regression());
  }
  if (asked("fig5")) {
    for (std::size_t rho = 0; rho < kRhos.size(); ++rho) runs.push_back(planner.signatures(rho, 1, false));
    for (std::size_t rho = 0; rho < kRhos.size(); ++rho) runs.push_back(planner.signatures(rho, 1, true));
    // Appendix 6, figure 2.
    for (std::size_t rho = 0; rho < kRhos.size() && settings.scale == Scale::paper; ++rho) {
      for (const double factor : {0.1, 10.0}) runs.push_back(planner.signatures(rho, factor, true));
    }
  }
  if (asked("fig7")) runs.push_back(planner.bayes());
  if (asked("fig2") || asked("fig3")) runs.push_back(planner.sweep());
  return runs;
}

std::string command_text(const PlannedRun& run, const std::filesystem::path& out) {
  std::string text = "ensyn " + run.command;
  for (const auto& [key, value] : run.settings)
    text += " " + (value.empty() ? flag_name(key) : shell_flag(flag_name(key), value));
  return text + " " + shell_flag("--out", (run.folder.empty() ? out : out / run.folder).string());
}

}  // namespace ensyn::driver
