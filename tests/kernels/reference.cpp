#include "kernels/reference.h"

#include <algorithm>

#include "oracle/compare.h"

namespace ensyn::kernels::test {

oracle::Draw oracle_draw(const Member& member, int tensor, const Draw& draw, int minibatch) {
  const std::uint64_t step =
      draw.from_progress ? member.step : draw.step + static_cast<std::uint64_t>(minibatch);
  return {member.settings.seed, member.settings.stream, step, static_cast<std::uint64_t>(tensor),
          draw.purpose};
}

namespace {

/// `mu` and `sigma` are exact, `xi` is not.
template <class T>
DrawnWeight log_normal(double mu, double sigma, Number xi) {
  const oracle::Weight w = oracle::draw_weight(oracle::Law::log_normal, 0, mu, sigma, xi.value);
  const double ratio = sigma / std::max(std::abs(mu), 1e-6 * sigma), y = ratio * ratio;
  const double s = std::sqrt(std::log1p(y)), size = std::abs(xi.value) + s;
  const double growth = std::exp((mu < 0 ? -s : s) * xi.value - s * s / 2);
  const double common = growth / (s * (1 + y));
  // What d ln(growth) = s dxi and roundings make relative errors of, and what dxi adds to the factor xi - s.
  const double relative = s * xi.error + (allowance::kLaw + allowance::kExponent * s * size) * kEpsilon<T>;
  const double factor = relative * size + xi.error;
  return {{w.value, relative * std::abs(w.value)},
          {w.mu_slope, relative * growth + common * y * factor},
          {w.sigma_slope, common * ratio * factor}};
}

template <class T>
DrawnWeight binomial(int n, double mu, double sigma, double u) {
  const oracle::Weight w = oracle::draw_weight(oracle::Law::binomial, n, mu, sigma, u);
  const oracle::Release chance = oracle::release(n, mu, sigma);
  // Where rounding may decide, a count more or less.
  const double step =
      w.margin > allowance::kCount * kEpsilon<T> ? 0 : 1 / std::sqrt(n * chance.rarer * (1 - chance.rarer));
  const double slope = std::abs(w.sigma_slope);
  const double rounding = allowance::kLaw * kEpsilon<T>;
  return {{w.value, sigma * step + rounding * (std::abs(mu) + sigma * slope)},
          {1, 0},
          {w.sigma_slope, step + rounding * (1 + slope)}};
}

}  // namespace

template <class T>
DrawnWeight drawn_weight(const Member& member, const LayerParameters<T>& layer, int network, const Draw& draw,
                         int minibatch, int row, int column) {
  const double mu = layer.mu_value(network, row, column);
  if (!draw.noisy) return {{mu, 0}, {1, 0}, {0, 0}};
  const oracle::Settings& s = member.settings;
  const oracle::Draw noise = oracle_draw(member, layer.tensor, draw, minibatch);
  const double sigma = oracle::softplus(member.shares() ? member.phi_of(layer.group_of(member, row))
                                                        : layer.phi_value(network, row, column));
  if (s.law == oracle::Law::binomial) {
    const std::uint32_t word = oracle::word_at(noise, row, column, layer.columns);
    return binomial<T>(s.vesicles, mu, sigma, oracle::uniform(word, kUniform<T>));
  }
  const Number xi = normal<T>(noise, row, column, layer.columns);
  if (s.law == oracle::Law::log_normal) return log_normal<T>(mu, sigma, xi);
  return {{mu + sigma * xi.value,
           sigma * xi.error + allowance::kWeight * kEpsilon<T> * (std::abs(mu) + sigma * std::abs(xi.value))},
          {1, 0},
          xi};
}

template <class T>
std::vector<Number> weights(const Member& member, const LayerParameters<T>& layer, int network,
                            const Draw& draw, int minibatch) {
  std::vector<Number> result;
  for (int r = 0; r < layer.rows; ++r) {
    for (int c = 0; c < layer.columns; ++c) {
      result.push_back(drawn_weight(member, layer, network, draw, minibatch, r, c).value);
    }
  }
  return result;
}

template <class T>
std::vector<Number> weight_gradient(const Fill& delta, const TestInputs<T>& inputs, int network,
                                    std::uint64_t step, int rows, int columns, int batch) {
  std::vector<Number> result;
  for (int r = 0; r < rows; ++r) {
    for (int c = 0; c < columns; ++c) {
      Sum<T> sum;
      for (int b = 0; b < batch; ++b) {
        sum.add({delta(network, b, r), 0}, input_number(inputs, network, step, b, c));
      }
      result.push_back(sum.result());
    }
  }
  return result;
}

template <class T>
Adam adam(const oracle::Settings& s, std::uint64_t step, double value, double moment1, double moment2,
          Number g) {
  const auto t = static_cast<double>(step + 1);
  const double rate1 = 1 - s.beta1, rate2 = 1 - s.beta2;
  Adam result;
  result.moment1.value = s.beta1 * moment1 + rate1 * g.value;
  result.moment1.error = rate1 * g.error + allowance::kMoment * kEpsilon<T> *
                                               (std::abs(s.beta1 * moment1) + std::abs(rate1 * g.value));
  result.moment2.value = s.beta2 * moment2 + rate2 * g.value * g.value;
  result.moment2.error = rate2 * (2 * std::abs(g.value) + g.error) * g.error +
                         allowance::kMoment * kEpsilon<T> * result.moment2.value;
  const auto step_for = [&](double m, double v) {
    const double corrected1 = m / (1 - std::pow(s.beta1, t));
    const double corrected2 = std::max(v, 0.0) / (1 - std::pow(s.beta2, t));
    return s.learning_rate * corrected1 / (std::sqrt(corrected2) + s.epsilon);
  };
  const double delta = step_for(result.moment1.value, result.moment2.value);
  // The step is monotonous in both moments, so its extremes stand at the corners of what these may be.
  double error = 0;
  for (const double m : {-1.0, 1.0}) {
    for (const double v : {-1.0, 1.0}) {
      const double corner = step_for(result.moment1.value + m * result.moment1.error,
                                     result.moment2.value + v * result.moment2.error);
      error = std::max(error, std::abs(corner - delta));
    }
  }
  result.value.value = value - delta;
  result.value.error = error + kEpsilon<T> * (allowance::kStep * std::abs(delta) + std::abs(value));
  return result;
}

template <class T>
Number cost_gradient(const oracle::Settings& s, double sigma) {
  const double scale = static_cast<double>(s.batch) / s.examples;
  double size = 0;
  if (s.variational) {
    size = 1 / sigma + sigma / (s.prior_sigma * s.prior_sigma);
  } else {
    for (const oracle::Term& term : s.terms) {
      size += term.c * term.rho * std::pow(sigma, -term.rho - 1) *
              (1 + (term.rho + 1) * std::abs(std::log(sigma)));
    }
  }
  return {scale * oracle::reliability_derivative(s, sigma), allowance::kCost * kEpsilon<T> * scale * size};
}

template <class T>
Number mu_gradient(const oracle::Settings& s, double mu, Number g) {
  const double scale = static_cast<double>(s.batch) / s.examples;
  const double sign = mu > 0 ? 1 : mu < 0 ? -1 : 0;
  const double magnitude = scale * s.lambda * sign;
  const double prior = s.variational ? scale * mu / (s.prior_sigma * s.prior_sigma) : 0;
  return {g.value + magnitude + prior,
          g.error + 2 * kEpsilon<T> * (std::abs(g.value) + std::abs(magnitude) + std::abs(prior))};
}

::testing::AssertionResult close(const std::vector<double>& got, const std::vector<Number>& want) {
  std::vector<double> values, tolerances;
  for (const Number& number : want) {
    values.push_back(number.value);
    tolerances.push_back(number.error);
  }
  return compare::all_close(got, values, tolerances);
}

void append(std::vector<Number>& to, const std::vector<Number>& more) {
  to.insert(to.end(), more.begin(), more.end());
}

#define ENSYN_INSTANTIATE(T)                                                                               \
  template DrawnWeight drawn_weight(const Member&, const LayerParameters<T>&, int, const Draw&, int, int,  \
                                    int);                                                                  \
                                                                                                           \
  template std::vector<Number> weights(const Member&, const LayerParameters<T>&, int, const Draw&, int);   \
  template std::vector<Number> weight_gradient(const Fill&, const TestInputs<T>&, int, std::uint64_t, int, \
                                               int, int);                                                  \
  template Adam adam<T>(const oracle::Settings&, std::uint64_t, double, double, double, Number);           \
  template Number cost_gradient<T>(const oracle::Settings&, double);                                       \
  template Number mu_gradient<T>(const oracle::Settings&, double, Number);
ENSYN_INSTANTIATE(float)
ENSYN_INSTANTIATE(double)
#undef ENSYN_INSTANTIATE

}  // namespace ensyn::kernels::test
