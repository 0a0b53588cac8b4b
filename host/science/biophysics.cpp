#include "ensyn/biophysics.h"

#include <cmath>

#include "ensyn/noise.h"
#include "host/base/memory.h"
#include "host/base/require.h"

namespace ensyn {
namespace {

constexpr int kMostVesicles = 10000;

void check(const QuantalSynapse& synapse) {
  require_positive("n", synapse.n);
  require(synapse.p > 0 && synapse.p <= 1, "p", synapse.p, "above 0 and at most 1");
  require_positive("q", synapse.q);
  require(std::isfinite(synapse.quantal_cv) && synapse.quantal_cv >= 0, "quantal_cv", synapse.quantal_cv,
          "a finite number of at least 0");
}

int vesicle_count(double n) {
  require(n == std::floor(n) && n <= kMostVesicles, "n", n, "a whole number up to 10000 to be counted");
  return static_cast<int>(n);
}

/// Uniform numbers in (0, 1), four from each block of words.
class Uniforms {
 public:
  explicit Uniforms(std::uint64_t seed) : key_{seed, 0, 0, 0, Purpose::user} {}
  double next() {
    const auto place = static_cast<std::size_t>(drawn_ % 4);
    if (place == 0) words_ = noise_words(key_, drawn_ / 4);
    ++drawn_;
    return (static_cast<double>(words_[place]) + 0.5) * 0x1p-32;
  }
  /// By Box and Muller.
  double normal() {
    const double radius = std::sqrt(-2 * std::log(next()));
    return radius * std::cos(2 * 3.14159265358979323846 * next());
  }

 private:
  NoiseKey key_;
  std::uint64_t drawn_ = 0;
  std::array<std::uint32_t, 4> words_{};
};

}  // namespace

double QuantalSynapse::mean() const {
  check(*this);
  return n * p * q;
}

double QuantalSynapse::variance() const {
  check(*this);
  return n * p * q * q * ((1 - p) + quantal_cv * quantal_cv);
}

double QuantalSynapse::sigma() const {
  return std::sqrt(variance());
}

double QuantalSynapse::cv() const {
  return sigma() / mean();
}

double QuantalSynapse::release_probability(int released) const {
  check(*this);
  const int count = vesicle_count(n);
  require(released >= 0 && released <= count, "released", released, "from 0 to n");
  if (p == 1) return released == count ? 1 : 0;
  const double ways = std::lgamma(n + 1) - std::lgamma(released + 1.0) - std::lgamma(n - released + 1.0);
  return std::exp(ways + released * std::log(p) + (n - released) * std::log1p(-p));
}

std::vector<double> QuantalSynapse::draw(std::size_t count, std::uint64_t seed) const {
  check(*this);
  const int vesicles = vesicle_count(n);
  require_memory(static_cast<double>(count) * sizeof(double), std::to_string(count) + " PSPs", "draw fewer");
  Uniforms uniforms(seed);
  std::vector<double> psps(count);
  for (double& psp : psps) {
    int released = 0;
    for (int k = 0; k < vesicles; ++k) released += uniforms.next() < p ? 1 : 0;
    psp = q * released;
    if (quantal_cv > 0) psp += quantal_cv * q * std::sqrt(static_cast<double>(released)) * uniforms.normal();
  }
  return psps;
}

MechanismModel MechanismModel::of(Mechanism mechanism) {
  MechanismModel model;
  model.mechanism = mechanism;
  if (mechanism == Mechanism::membrane) model.geometry = 2;
  if (mechanism == Mechanism::actin) model.geometry = 1;
  return model;
}

void MechanismModel::validate() const {
  require_positive("mean", mean);
  require_positive("n", n);
  require(p > 0 && p < 1, "p", p, "above 0 and below 1");
  require_positive("hill", hill);
  require(geometry >= 0 && geometry < 3, "geometry", geometry, "at least 0 and below 3");
}

double MechanismModel::exponent() const {
  validate();
  return mechanism == Mechanism::calcium ? 2 / hill : 2 * (1 - geometry / 3);
}

QuantalSynapse MechanismModel::synapse(double sigma) const {
  validate();
  require_positive("sigma", sigma);
  QuantalSynapse synapse;
  const double inverse_cv2 = (mean / sigma) * (mean / sigma);
  if (mechanism == Mechanism::calcium) {
    const double odds = inverse_cv2 / n;
    synapse.n = n;
    synapse.p = odds / (1 + odds);
  } else {
    synapse.n = inverse_cv2 * (1 - p) / p;
    synapse.p = p;
  }
  synapse.q = mean / (synapse.n * synapse.p);
  return synapse;
}

double MechanismModel::cost(double sigma) const {
  const QuantalSynapse at = synapse(sigma);
  if (mechanism == Mechanism::calcium) return std::pow(at.p / (1 - at.p), 1 / hill);
  return at.n * std::pow(std::cbrt(at.q), geometry);
}

double released_vesicles(double mean, double sigma, double p) {
  require_positive("mean", mean);
  require_positive("sigma", sigma);
  require(p > 0 && p < 1, "p", p, "above 0 and below 1");
  return mean * mean * (1 - p) / (sigma * sigma);
}

}  // namespace ensyn
