#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <optional>

#include "host/driver/report/section.h"
#include "host/driver/report/tradeoff.h"

namespace ensyn::driver::report {
namespace {

constexpr std::array kLevels = {95.0, 90.0, 80.0, 50.0, 20.0};

/// log10 of the c at which the published networks (30 values of c, of which paper_tradeoff.csv holds every
/// fourth) fall through kLevels. Computed from the arrays published with Malkin et al. 2024 (CC-BY 4.0).
struct PublishedCrossings {
  double rho;
  std::array<double, kLevels.size()> heterogeneous, homogeneous;
};
constexpr std::array kPublishedCrossings = {
    PublishedCrossings{0.5, {0.42, 1.01, 1.62, 2.31, 2.74}, {-0.82, -0.12, 0.27, 0.56, 0.77}},
    PublishedCrossings{2.0, {-1.70, -0.75, 0.12, 0.83, 1.49}, {-2.91, -1.86, -1.24, -0.79, -0.47}},
};

// How far an independent run of the same protocol may be off, from what runs of the authors differ by.
constexpr double kCrossingTolerance = 0.15, kCrossingTolerance95 = 0.25;  ///< decades of c
constexpr double kAccuracyTolerance = 0.6;                                ///< points
constexpr double kChanceTolerance = 3;  ///< points, of a network that has learned nothing
constexpr double kSigmaHomogeneous = 0.06, kSigmaHeterogeneous = 0.10, kSigmaSmallC = 0.25;  ///< relative

std::string yes_no(double difference, double tolerance) {
  if (!std::isfinite(difference)) return "";
  return std::abs(difference) <= tolerance ? "yes" : "no";
}

std::optional<double> published_crossing(double rho, const std::string& noise, std::size_t level) {
  for (const PublishedCrossings& row : kPublishedCrossings) {
    if (std::abs(row.rho - rho) > 1e-6) continue;
    if (noise == "heterogeneous") return row.heterogeneous[level];
    if (noise == "homogeneous") return row.homogeneous[level];
  }
  return std::nullopt;
}

NumberTable crossing_table(const std::vector<Curve>& curves) {
  NumberTable table{
      "fig2_crossings",
      "Where accuracy falls through a level: log10 c, interpolated, and sigma there",
      {"noise", "rho", "level %", "log10 c", "published", "difference", "tolerance", "within", "sigma there"},
      {}};
  for (const Curve& curve : curves) {
    for (std::size_t level = 0; level < kLevels.size(); ++level) {
      const double found = crossing(curve, kLevels[level]);
      const auto known = published_crossing(curve.rho, curve.noise, level);
      const double tolerance = kLevels[level] == 95 ? kCrossingTolerance95 : kCrossingTolerance;
      std::vector<std::string> row = {name_of(curve), rho_text(curve.rho), fixed(kLevels[level], 0),
                                      fixed(found, 2)};
      if (known) {
        row.insert(row.end(), {fixed(*known, 2), fixed(found - *known, 2), fixed(tolerance, 2),
                               yes_no(found - *known, tolerance)});
      } else {
        row.insert(row.end(), 4, "");
      }
      row.push_back(significant(sigma_at(curve, kLevels[level]), 3));
      table.rows.push_back(std::move(row));
    }
  }
  return table;
}

NumberTable shift_table(const std::vector<Curve>& curves) {
  NumberTable table{"fig2_shifts",
                    "How many decades of c a sigma per weight gains over one for all at equal accuracy",
                    {"rho", "level %", "shift", "published", "difference"},
                    {}};
  for (const Curve& one : curves) {
    if (one.noise != "heterogeneous") continue;
    const auto other = std::ranges::find_if(curves, [&](const Curve& curve) {
      return curve.noise == "homogeneous" && curve.rho == one.rho && curve.variant == one.variant;
    });
    if (other == curves.end()) continue;
    for (std::size_t level = 0; level < kLevels.size(); ++level) {
      const double found = crossing(one, kLevels[level]) - crossing(*other, kLevels[level]);
      const auto upper = published_crossing(one.rho, "heterogeneous", level);
      const auto lower = published_crossing(one.rho, "homogeneous", level);
      const double known = upper && lower ? *upper - *lower : kNone;
      table.rows.push_back({rho_text(one.rho) + (one.variant.empty() ? "" : " (" + one.variant + ")"),
                            fixed(kLevels[level], 0), fixed(found, 2), fixed(known, 2),
                            fixed(found - known, 2)});
    }
  }
  return table;
}

/// What accuracy may differ by at one of the published points: its own spread, and where the curve is steep
/// what an equal curve moved by the tolerance in c would differ by.
double accuracy_tolerance(const Published& known, std::size_t index) {
  if (known.accuracy[index] < kChance) return kChanceTolerance;
  double slope = 0;
  const auto steepen = [&](std::size_t left, std::size_t right) {
    slope = std::max(slope, std::abs((known.accuracy[right] - known.accuracy[left]) /
                                     std::log10(known.c[right] / known.c[left])));
  };
  if (index > 0) steepen(index - 1, index);
  if (index + 1 < known.c.size()) steepen(index, index + 1);
  return std::max(kAccuracyTolerance, kCrossingTolerance * slope);
}

double sigma_tolerance(const std::string& noise, double c) {
  if (noise == "homogeneous") return kSigmaHomogeneous;
  return c >= 0.1 ? kSigmaHeterogeneous : kSigmaSmallC;
}

std::vector<std::string> point_row(const Curve& curve, const CurvePoint& point, const Published& known) {
  std::vector<std::string> row = {name_of(curve), rho_text(curve.rho), significant(point.c),
                                  std::to_string(point.seeds)};
  if (point.diverged > 0) row.back() += " (" + std::to_string(point.diverged) + " diverged)";
  const auto place =
      std::ranges::find_if(known.c, [&](double c) { return std::abs(std::log(c / point.c)) < 1e-3; });
  row.push_back(fixed(point.accuracy.mean, 2));
  const auto index = static_cast<std::size_t>(place - known.c.begin());
  if (place == known.c.end()) {
    row.insert(row.end(), {"", "", "", significant(point.sigma.mean), "", "", ""});
  } else {
    const double accuracy = point.accuracy.mean - known.accuracy[index];
    const double sigma = point.sigma.mean / known.sigma[index] - 1;
    row.insert(row.end(), {fixed(known.accuracy[index], 2), fixed(accuracy, 2),
                           yes_no(accuracy, accuracy_tolerance(known, index)), significant(point.sigma.mean),
                           significant(known.sigma[index]), fixed(100 * sigma, 1),
                           yes_no(sigma, sigma_tolerance(curve.noise, point.c))});
  }
  row.push_back(significant(point.cost.mean));
  return row;
}

NumberTable point_table(const std::vector<Curve>& curves, const Reference& reference) {
  NumberTable table{
      "fig2_networks",
      "The networks: accuracy in percent with one draw of the weights, root mean square of sigma, "
      "and mean reliability cost per weight",
      {"noise", "rho", "c", "seeds", "accuracy", "published", "difference", "within", "sigma",
       "published sigma", "difference %", "within (sigma)", "cost per weight"},
      {},
      ". A published accuracy counts as met within 0.6 points, 0.15 decades of c, or 3 points at chance, a "
      "sigma "
      "within 6 % (homogeneous), 10 % (heterogeneous, c of at least 0.1) or 25 %"};
  for (const Curve& curve : curves) {
    const Published known = published(reference, curve.rho, curve.noise);
    for (const CurvePoint& point : curve.points) table.rows.push_back(point_row(curve, point, known));
  }
  return table;
}

}  // namespace

std::string name_of(const Curve& curve) {
  return curve.noise + (curve.variant.empty() ? "" : " (" + curve.variant + ")");
}

std::vector<NumberTable> tradeoff_tables(const std::vector<Curve>& curves, const Reference& reference,
                                         bool beside_published) {
  std::vector<NumberTable> tables = {crossing_table(curves), shift_table(curves),
                                     point_table(curves, reference)};
  if (!beside_published) {
    for (NumberTable& table : tables) drop_published(table);
  }
  std::erase_if(tables, [](const NumberTable& table) { return table.rows.empty(); });
  return tables;
}

}  // namespace ensyn::driver::report
