#include "host/driver/report/curves.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <optional>
#include <set>
#include <sstream>
#include <tuple>
#include <utility>

#include "ensyn/statistics.h"

namespace ensyn::driver::report {
namespace {

const std::vector<std::string> kColumns = {
    "rho",        "c",      "noise",           "seed",      "lambda",
    "lr",         "hidden", "accuracy_sample", "sigma_rms", "reliability_sum",
    "diverged_at"};

struct Network {
  double rho = 0, c = 0;
  std::string noise;
  std::string lambda, lr, hidden;
  std::string seeds;     ///< its own and that of the order of the minibatches
  std::string protocol;  ///< the settings that are its run's
  std::string runs;      ///< names of the runs of that protocol
  double accuracy = kNone, sigma = kNone, reliability_sum = kNone;
  std::optional<double> weights;  ///< how many it has
};

/// The number of weights follows from a homogeneous network, whose reliability_sum is n sigma^-rho / rho, and
/// from the data set where that is one of the known ones.
std::optional<double> weights_of(const Network& network, const Run& run) {
  if (network.noise == "homogeneous" && std::isfinite(network.reliability_sum)) {
    const double count =
        std::round(network.reliability_sum * network.rho * std::pow(network.sigma, network.rho));
    if (count >= 1 && std::isfinite(count)) return count;
  }
  static const std::map<std::string, std::pair<double, double>> kEnds = {
      {"mnist", {784, 10}}, {"fashion-mnist", {784, 10}}, {"digits", {64, 10}}};
  const auto ends = kEnds.find(run.setting("dataset"));
  if (ends == kEnds.end()) return std::nullopt;
  double before = ends->second.first, sum = 0;
  std::istringstream widths(network.hidden == "none" ? "" : network.hidden);
  for (std::string width; std::getline(widths, width, 'x');) {
    const double units = std::strtod(width.c_str(), nullptr);
    if (!(units >= 1)) return std::nullopt;
    sum += before * units;
    before = units;
  }
  return sum + before * ends->second.second;
}

/// The settings that sweep.csv tells of each network.
const std::set<std::string> kToldBySweepRow = {"rho", "c", "noise", "lambda", "lr", "hidden"};

Network read_network(const Table& table, std::size_t row, const Run& run, const std::string& protocol) {
  Network network;
  network.rho = setting_value(table, row, "rho");
  network.c = setting_value(table, row, "c", true);
  network.noise = table.text(row, "noise");
  network.lambda = table.text(row, "lambda");
  network.lr = table.text(row, "lr");
  network.hidden = table.text(row, "hidden");
  network.seeds = table.text(row, "seed") + "/" + run.setting("data_seed");
  network.protocol = protocol;
  network.accuracy = 100 * value(table, row, "accuracy_sample");
  network.sigma = value(table, row, "sigma_rms");
  network.reliability_sum = value(table, row, "reliability_sum");
  network.weights = weights_of(network, run);
  return network;
}

/// The networks of all runs, each once: those of one protocol and seed are the same, bit by bit.
std::vector<Network> read_networks(const std::vector<Run>& runs, Notes& left_out) {
  using Key = std::tuple<std::string, double, double, std::string, std::string, std::string, std::string,
                         std::string>;
  std::map<Key, std::string> seen;  // the name of the run that it was first found in
  std::vector<Network> networks;
  for (const Run& run : runs) {
    const Table table = read_table(run.folder / "sweep.csv", kColumns, left_out);
    const std::string protocol = run.protocol(kToldBySweepRow);
    std::map<std::string, std::size_t> repeated;
    for (std::size_t row = 0; row < table.rows.size(); ++row) {
      Network network = read_network(table, row, run, protocol);
      const auto [first, is_new] =
          seen.emplace(Key{network.protocol, network.rho, network.c, network.noise, network.lambda,
                           network.lr, network.hidden, network.seeds},
                       run.name);
      if (is_new) {
        networks.push_back(std::move(network));
      } else {
        ++repeated[first->second];
      }
    }
    for (const auto& [name, count] : repeated) {
      left_out.push_back(run.name + ": " + std::to_string(count) + " of its networks, which are those of " +
                         name + " again: same settings, same seeds");
    }
  }
  return networks;
}

/// Which of the settings beside rho, c and noise differ within the report, so that curves need their names.
class Variants {
 public:
  explicit Variants(const std::vector<Network>& networks) {
    for (const Setting& setting : kSettings) {
      const bool differs = std::ranges::any_of(networks, [&](const Network& network) {
        return network.*setting.member != networks.front().*setting.member;
      });
      if (differs) differing_.push_back(setting);
    }
  }

  [[nodiscard]] std::string of(const Network& network) const {
    std::string text;
    for (const Setting& setting : differing_)
      text += (text.empty() ? "" : ", ") + std::string(setting.name) + network.*setting.member;
    return text;
  }

 private:
  struct Setting {
    const char* name;
    std::string Network::*member;
  };
  static constexpr std::array kSettings = {Setting{"lambda ", &Network::lambda}, Setting{"lr ", &Network::lr},
                                           Setting{"hidden ", &Network::hidden}, Setting{"", &Network::runs}};
  std::vector<Setting> differing_;
};

Estimate estimate(const std::vector<double>& values) {
  if (values.empty()) return {};
  const Band band = mean_band(values);
  if (band.n < 2) return {band.mean, kNone, kNone};
  return {band.mean, band.low, band.high};
}

CurvePoint point_of(double c, const std::vector<const Network*>& networks) {
  CurvePoint point;
  point.c = c;
  std::vector<double> accuracy, sigma, cost;
  for (const Network* network : networks) {
    if (!std::isfinite(network->accuracy) || !std::isfinite(network->sigma)) {
      ++point.diverged;
      continue;
    }
    accuracy.push_back(network->accuracy);
    sigma.push_back(network->sigma);
    const double mean = network->weights ? network->reliability_sum / *network->weights : kNone;
    if (std::isfinite(mean)) cost.push_back(mean);
  }
  point.seeds = accuracy.size();
  point.accuracy = estimate(accuracy);
  point.sigma = estimate(sigma);
  point.cost = estimate(cost);
  return point;
}

int rank(const std::string& noise) {
  return noise == "heterogeneous" ? 0 : noise == "homogeneous" ? 1 : 2;
}

}  // namespace

double Curve::published_cost(const CurvePoint& point) const {
  return std::pow(point.sigma.mean, -rho) / rho;
}

std::vector<Curve> read_curves(const std::vector<Run>& runs, Notes& left_out) {
  std::vector<Network> networks = read_networks(runs, left_out);
  const std::map<std::string, std::string> names = names_of_protocols(runs, kToldBySweepRow);
  for (Network& network : networks) network.runs = names.at(network.protocol);
  // A heterogeneous network has as many weights as a homogeneous one of the same shape.
  for (Network& network : networks) {
    if (network.weights) continue;
    const auto same = std::ranges::find_if(networks, [&](const Network& other) {
      return other.weights && other.hidden == network.hidden && other.protocol == network.protocol;
    });
    if (same != networks.end()) network.weights = same->weights;
  }
  const Variants variants(networks);
  using Key = std::tuple<double, int, std::string, std::string>;
  std::map<Key, std::map<double, std::vector<const Network*>>> groups;
  for (const Network& network : networks) {
    groups[{network.rho, rank(network.noise), network.noise, variants.of(network)}][network.c].push_back(
        &network);
  }
  std::vector<Curve> curves;
  for (const auto& [key, points] : groups) {
    Curve curve{std::get<0>(key), std::get<2>(key), std::get<3>(key), {}};
    for (const auto& [c, members] : points) curve.points.push_back(point_of(c, members));
    curves.push_back(std::move(curve));
  }
  return curves;
}

namespace {

/// What `value` gives, interpolated where the accuracy first falls through `accuracy` with rising c.
template <class Value>
double interpolated(const Curve& curve, double accuracy, const Value& value) {
  const CurvePoint* before = nullptr;
  for (const CurvePoint& point : curve.points) {
    if (!std::isfinite(point.accuracy.mean) || !(point.c > 0)) continue;
    if (before != nullptr && before->accuracy.mean >= accuracy && point.accuracy.mean < accuracy) {
      const double part = (before->accuracy.mean - accuracy) / (before->accuracy.mean - point.accuracy.mean);
      return value(*before) + part * (value(point) - value(*before));
    }
    before = &point;
  }
  return kNone;
}

}  // namespace

double crossing(const Curve& curve, double accuracy) {
  return interpolated(curve, accuracy, [](const CurvePoint& point) { return std::log10(point.c); });
}

double sigma_at(const Curve& curve, double accuracy) {
  return std::pow(10.0, interpolated(curve, accuracy,
                                     [](const CurvePoint& point) { return std::log10(point.sigma.mean); }));
}

}  // namespace ensyn::driver::report
