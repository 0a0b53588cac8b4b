// Weights by their law.

#include <algorithm>
#include <cmath>

#include "oracle/oracle.h"

namespace oracle {

namespace {

double sign_of(double mu) {
  return mu < 0 ? -1 : 1;
}

Weight log_normal(double mu, double sigma, double xi) {
  const double m = sign_of(mu) * std::max(std::abs(mu), 1e-6 * sigma);
  const double s = sign_of(mu) * std::sqrt(std::log1p(sigma * sigma / (m * m)));
  const double growth = std::exp(s * xi - s * s / 2);
  const double d = m * growth * (xi - s);
  const double both = m * m + sigma * sigma;
  return {mu * growth, growth - d * sigma * sigma / (s * m * both), d * sigma / (s * both)};
}

double mass(int n, double p, int k) {
  return std::exp(std::lgamma(n + 1.0) - std::lgamma(k + 1.0) - std::lgamma(n - k + 1.0) + k * std::log(p) +
                  (n - k) * std::log1p(-p));
}

Weight binomial(int n, double mu, double sigma, double u) {
  const Release chance = release(n, mu, sigma);
  // Which of the two is counted changes at 1/2.
  double margin = std::abs(chance.rarer - 0.5);
  int count = 0;
  for (int k = 0; k < n; ++k) {
    const double tail = binomial_tail(n, chance.rarer, k);
    count += u < tail ? 1 : 0;
    margin = std::min(margin, std::abs(u - tail));
  }
  const int released = chance.failures ? n - count : count;
  const double p = chance.failures ? 1 - chance.rarer : chance.rarer;
  const double counted_mean = n * chance.rarer, sd = std::sqrt(n * chance.rarer * (1 - chance.rarer));
  const double deviation = (chance.failures ? counted_mean - count : count - counted_mean) / sd;
  const double quantum = mu / (n * p);
  const double value = chance.is_clamped ? mu + sign_of(mu) * sigma * deviation : quantum * released;
  return {value, 1, sign_of(mu) * deviation, margin};
}

}  // namespace

Release release(int vesicles, double mu, double sigma) {
  const double signal = mu * mu, noise = vesicles * sigma * sigma;
  const double p = std::max(signal / (signal + noise), 0.001);
  if (p > 0.5) {
    return {noise / (signal + noise), true, false};
  }
  return {p, false, p == 0.001};
}

double binomial_tail(int vesicles, double p, int k) {
  double sum = 0;
  for (int j = vesicles; j > k; --j) {
    sum += mass(vesicles, p, j);
  }
  return sum;
}

Weight draw_weight(Law law, int vesicles, double mu, double sigma, double noise) {
  switch (law) {
    case Law::binomial:
      return binomial(vesicles, mu, sigma, noise);
    case Law::log_normal:
      return log_normal(mu, sigma, noise);
    case Law::gaussian:
      break;
  }
  return {mu + sigma * noise, 1, noise};
}

}  // namespace oracle
