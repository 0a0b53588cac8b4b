/// \file
/// What the pictures show, in sentences with their numbers.
#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "ensyn/signatures.h"
#include "host/driver/report/section.h"
#include "host/driver/report/signatures.h"
#include "host/driver/report/tradeoff.h"

namespace ensyn::driver::report {
namespace {

constexpr double kLevel = 50;  ///< percent, through which accuracy falls
constexpr double kLoss = 5;    ///< points below the plateau where costs act

std::string joined(const std::vector<std::string>& parts, const char* between) {
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : between) + part;
  return text;
}

std::string crossing_finding(const std::vector<Curve>& curves) {
  std::vector<std::string> parts;
  for (auto first = curves.begin(); first != curves.end();) {
    const auto end =
        std::find_if(first, curves.end(), [&](const Curve& one) { return one.rho != first->rho; });
    std::vector<std::string> kinds;
    for (; first != end; ++first) {
      const double place = crossing(*first, kLevel);
      kinds.push_back((std::isfinite(place) ? significant(std::pow(10.0, place), 2) : "no c of the range") +
                      " (" + name_of(*first) + ")");
    }
    parts.push_back(joined(kinds, " and ") + " for rho = " + rho_text(std::prev(end)->rho));
  }
  return "Accuracy falls through " + fixed(kLevel, 0) + " % at c = " + joined(parts, ", ") + ".";
}

double plateau(const Curve& curve) {
  double best = 0;
  for (const CurvePoint& point : curve.points) {
    if (std::isfinite(point.accuracy.mean)) best = std::max(best, point.accuracy.mean);
  }
  return best;
}

/// Counts the points of c, of one exponent and both kinds of noise, at which costs act and one of the two has
/// learned something; and those of them at which the first is ahead.
void count_ahead(const Curve& one, const Curve& other, std::size_t& points, std::size_t& ahead) {
  const double best = std::max(plateau(one), plateau(other));
  for (const CurvePoint& point : one.points) {
    const auto same = std::ranges::find(other.points, point.c, &CurvePoint::c);
    if (same == other.points.end()) continue;
    const auto [low, high] = std::minmax(point.accuracy.mean, same->accuracy.mean);
    if (!(low < best - kLoss && high > kChance)) continue;
    ++points;
    if (point.accuracy.mean > same->accuracy.mean) ++ahead;
  }
}

std::string order_finding(const std::vector<Curve>& curves) {
  std::size_t points = 0, ahead = 0;
  for (const Curve& one : curves) {
    if (one.noise != "heterogeneous") continue;
    for (const Curve& other : curves) {
      if (other.noise == "homogeneous" && other.rho == one.rho && other.variant == one.variant)
        count_ahead(one, other, points, ahead);
    }
  }
  if (points == 0) return "";
  return "Heterogeneous noise lies above homogeneous at " + std::to_string(ahead) + " of the " +
         std::to_string(points) + " points where either has lost " + fixed(kLoss, 0) +
         " points of its best accuracy and one is still above " + fixed(kChance, 0) + " %.";
}

/// The range of a correlation over the runs, and which way sigma^2 goes with the quantity.
std::string correlation_text(const std::vector<const SignatureRun*>& runs, std::size_t layer,
                             const char* quantity, const char* named_so, bool& as_published, double sign) {
  std::vector<double> found;
  for (const SignatureRun* run : runs) {
    const double value = relation_value(*run, layer, std::string("spearman_") + quantity);
    if (std::isfinite(value)) found.push_back(value);
  }
  if (found.empty()) return "";
  const auto [low, high] = std::ranges::minmax(found);
  as_published = as_published && sign * low > 0 && sign * high > 0;
  const char* way = low > 0 ? "rises with " : high < 0 ? "falls with " : "goes either way with ";
  return way + std::string(named_so) + " (Spearman " + fixed(low, 2) +
         (found.size() > 1 ? " to " + fixed(high, 2) : "") + ")";
}

}  // namespace

std::vector<std::string> tradeoff_findings(const std::vector<Curve>& curves) {
  std::vector<std::string> found = {crossing_finding(curves), order_finding(curves)};
  std::erase(found, "");
  return found;
}

std::vector<std::string> signature_findings(const std::vector<SignatureRun>& runs) {
  std::size_t layers = 0;
  for (const SignatureRun& run : runs) layers = std::max(layers, run.layers);
  if (layers == 0) return {};
  const std::size_t layer = (layers + 1) / 2;
  std::vector<const SignatureRun*> chosen;
  std::set<std::string> alike;
  for (const SignatureRun& run : runs) {
    if (run.layers != layers || !run.prefix.empty()) continue;
    chosen.push_back(&run);
    if (!sigmas_differ(run, layer)) alike.insert(rho_text(run.rho));
  }
  bool as_published = true;
  std::vector<std::string> parts = {
      correlation_text(chosen, layer, "curvature", "curvature", as_published, -1),
      correlation_text(chosen, layer, "learning_rate", "learning rate", as_published, 1),
      correlation_text(chosen, layer, "input_rate", "input rate", as_published, -1)};
  std::erase(parts, "");
  std::string text;
  if (!parts.empty()) {
    text = "In layer " + std::to_string(layer) + " sigma^2 " + joined(parts, ", ") + ": " +
           (as_published ? "the signs that the paper found." : "not all the signs that the paper found.");
  }
  if (!alike.empty()) {
    text += (text.empty() ? "" : " ") + std::string("Nothing can be said of rho = ") +
            joined({alike.begin(), alike.end()}, ", ") + ", whose sigmas in layer " + std::to_string(layer) +
            " hardly differ.";
  }
  if (text.empty()) return {};
  return {text};
}

}  // namespace ensyn::driver::report
