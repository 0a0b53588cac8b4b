#include "host/driver/report/curves.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <set>
#include <tuple>
#include <utility>

#include "ensyn/error.h"
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
  std::string run;
  double accuracy = kNone, sigma = kNone, reliability_sum = kNone;
  std::optional<double> weights;  ///< how many it has
};

/// The number of weights follows from a homogeneous network, whose reliability_sum is n sigma^-rho / rho, and
/// from the data set where that is one of the known ones.
std::optional<double> weights_of(const Network& network, const Run& run) {
  if (network.noise == "homogeneous" && std::isfinite(network.reliability_sum)) {
    return std::round(network.reliability_sum * network.rho * std::pow(network.sigma, network.rho));
  }
  static const std::map<std::string, std::pair<double, double>> kEnds = {
      {"mnist", {784, 10}}, {"fashion-mnist", {784, 10}}, {"digits", {64, 10}}};
  const auto ends = kEnds.find(run.setting("dataset"));
  if (ends == kEnds.end()) return std::nullopt;
  double before = ends->second.first, sum = 0;
  std::string widths = network.hidden == "none" ? "" : network.hidden;
  while (!widths.empty()) {
    const std::size_t end = widths.find('x');
    const double width = std::strtod(widths.substr(0, end).c_str(), nullptr);
    sum += before * width;
    before = width;
    widths = end == std::string::npos ? "" : widths.substr(end + 1);
  }
  return sum + before * ends->second.second;
}

std::vector<Network> read_networks(const std::vector<Run>& runs) {
  std::vector<Network> networks;
  for (const Run& run : runs) {
    const Table table = read_table(run.folder / "sweep.csv", kColumns);
    for (std::size_t row = 0; row < table.rows.size(); ++row) {
      Network network;
      network.rho = value(table, row, "rho");
      network.c = value(table, row, "c");
      network.noise = table.text(row, "noise");
      network.lambda = table.text(row, "lambda");
      network.lr = table.text(row, "lr");
      network.hidden = table.text(row, "hidden");
      network.run = run.name;
      if (!(network.rho > 0) || !(network.c >= 0)) {
        throw DataError(table.source + ", line " + std::to_string(row + 2) +
                        ": rho must be above 0 and c at least 0: the file is damaged, make it again");
      }
      network.accuracy = 100 * value(table, row, "accuracy_sample");
      network.sigma = value(table, row, "sigma_rms");
      network.reliability_sum = value(table, row, "reliability_sum");
      network.weights = weights_of(network, run);
      networks.push_back(std::move(network));
    }
  }
  return networks;
}

/// Which of the settings beside rho, c and noise differ within the report, so that curves need their names.
std::string variant_of(const Network& network, const std::vector<Network>& all) {
  std::string text;
  const auto add = [&](const char* name, std::string Network::*member) {
    const bool differs =
        std::ranges::any_of(all, [&](const Network& other) { return other.*member != network.*member; });
    if (differs) text += (text.empty() ? "" : ", ") + std::string(name) + network.*member;
  };
  add("lambda ", &Network::lambda);
  add("lr ", &Network::lr);
  add("hidden ", &Network::hidden);
  add("", &Network::run);
  return text;
}

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
    if (network->weights) cost.push_back(network->reliability_sum / *network->weights);
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

std::vector<Curve> read_curves(const std::vector<Run>& runs) {
  std::vector<Network> networks = read_networks(runs);
  // A heterogeneous network has as many weights as a homogeneous one of the same shape.
  for (Network& network : networks) {
    if (network.weights) continue;
    const auto same = std::ranges::find_if(networks, [&](const Network& other) {
      return other.weights && other.hidden == network.hidden && other.run == network.run;
    });
    if (same != networks.end()) network.weights = same->weights;
  }
  using Key = std::tuple<double, int, std::string, std::string>;
  std::map<Key, std::map<double, std::vector<const Network*>>> groups;
  for (const Network& network : networks) {
    groups[{network.rho, rank(network.noise), network.noise, variant_of(network, networks)}][network.c]
        .push_back(&network);
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
