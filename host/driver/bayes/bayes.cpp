#include "host/driver/bayes/bayes.h"

#include <chrono>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "host/driver/bayes/bayes_bound.h"
#include "host/driver/bayes/bayes_networks.h"
#include "host/driver/bayes/bayes_tables.h"
#include "host/driver/files/csv.h"
#include "host/driver/files/folder_lock.h"
#include "host/driver/files/results.h"
#include "host/driver/files/run_folder.h"
#include "host/driver/files/text.h"
#include "host/driver/settings/advice.h"

namespace ensyn::driver {
namespace {

using nlohmann::ordered_json;

ordered_json network_json(const BayesSettings& settings, const BayesNetwork& network) {
  const Evidence evidence = evidence_of(settings, network);
  ordered_json result = {{"objective", network.variational ? "variational" : "energy"}};
  result["rho"] = network.variational ? ordered_json() : ordered_json(network.rho);
  result["c"] = network.variational ? ordered_json() : ordered_json(network.c);
  result.update(accuracy_json(network.test));
  result["sigma_rms"] = network.energy.sigma_rms;
  result["elbo"] = evidence.elbo();
  result["bound"] = network.variational ? ordered_json() : ordered_json(evidence.bound());
  if (settings.equilibrium_rounds > 0) result["converged"] = network.converged;
  return result;
}

/// Why there are no correlations, where there are none.
std::string alike_text(const Table& table) {
  std::size_t without = 0;
  for (std::size_t r = 0; r < table.rows.size(); ++r) without += table.number(r, "spearman") ? 0 : 1;
  if (without == 0) return "";
  return formatted(
      "%zu of %zu layers have no correlation and no slope: their sigmas, or the posterior's, agree to within "
      "%.0f %%; %s\n",
      without, table.rows.size(), 100 * (kLeastSigmaRatio - 1), kMoveSigma);
}

void print(const Table& table, const ordered_json& summary, const BayesSettings& settings) {
  std::cout << formatted("%8s%12s%7s%10s%10s%10s%12s%14s%14s\n", "rho", "c", "layer", "slope", "theory",
                         "Spearman", "gap", "ELBO", "bound");
  for (std::size_t r = 0; r < table.rows.size(); ++r) {
    const auto text = [&](const char* column) {
      const auto value = table.number(r, column);
      return value ? formatted("%.4g", *value) : std::string("-");
    };
    std::cout << formatted("%8s%12s%7s%10s%10s%10s%12s%14s%14s\n", text("rho").c_str(), text("c").c_str(),
                           text("layer").c_str(), text("slope").c_str(), text("theory_slope").c_str(),
                           text("spearman").c_str(), text("gap_mean").c_str(), text("elbo").c_str(),
                           text("bound").c_str());
  }
  std::cout << alike_text(table);
  std::cout << "ELBO of the variational network "
            << formatted("%.6g", summary["networks"][0]["elbo"].get<double>()) << "; on "
            << summary["device"].get<std::string>() << ", " << duration_text(summary["seconds"].get<double>())
            << "\n"
            << formatted("%-12s", "files") << settings.out.string()
            << "/ config.json, bayes.csv, bayes_summary.csv, summary.json\n";
}

/// What the command prints besides what it writes.
struct Outcome {
  ordered_json summary;
  Table table;
};

Outcome run(BayesSettings settings, bool overwrite, bool show_progress) {
  const auto start = std::chrono::steady_clock::now();
  const FolderLock lock(settings.out);
  check_vacant(settings.out, overwrite);
  const TrainTest data = load_data(settings.data);
  const BayesRun trained = train_bayes_networks(settings, data, show_progress);
  Outcome outcome{{{"command", "bayes"}, {"networks", ordered_json::array()}},
                  bayes_summary_table(settings, trained.networks)};
  for (const BayesNetwork& network : trained.networks) {
    outcome.summary["networks"].push_back(network_json(settings, network));
  }
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
  outcome.summary["seconds"] = elapsed.count();
  outcome.summary["device"] = trained.device;
  outcome.summary["training_method"] = trained.training_method;
  outcome.summary["backend"] = trained.backend;
  outcome.summary["seed"] = settings.seed;
  const RunFolder folder{settings.out};
  folder.remove_run();
  write_json(folder.config(), to_json(settings));
  write_csv(folder.path / "bayes.csv", synapse_table(trained.networks));
  write_csv(folder.path / "bayes_summary.csv", outcome.table);
  write_json(folder.summary(), outcome.summary);
  return outcome;
}

}  // namespace

Command bayes_command() {
  const auto flags = std::make_shared<OverwriteFlags>();
  return {"bayes",
          "energy-efficient sigma against posterior sigma, and the bound on the ELBO (figure 7)",
          bayes_options(),
          *flags,
          {{"--overwrite", &flags->overwrite, "replace the run in --out"}},
          std::nullopt,
          [flags] {
            Values values;
            flags->overlay(values, bayes_options());
            const BayesSettings settings = bayes_settings(values);
            const Outcome outcome = run(settings, flags->overwrite, !flags->quiet);
            if (flags->json) std::cout << outcome.summary.dump(2) << '\n';
            if (flags->prints_text()) print(outcome.table, outcome.summary, settings);
          }};
}

}  // namespace ensyn::driver
