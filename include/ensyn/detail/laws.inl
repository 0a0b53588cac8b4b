// Weights by the laws of ensyn/noise_law.h, written once for every kind of number; included after
// formulas.inl, in the same way and with the same needs.

/// A drawn weight and its derivatives in mu and sigma (for the binomial law, what stands in for them).
template <class V>
struct Weight {
  V value, mu_slope, sigma_slope;
};

/// log(1 + y) for y >= 0, accurate relative to the result down to y = 0.
template <class V>
ENSYN_FN V log1p_positive(V y) {
  // The logarithm of the rounded sum, and what the rounding left out.
  const V one = constant<V>(Element<V>(1));
  const V sum = one + y;
  return logarithm(sum) + (y - (sum - one)) / sum;
}

/// sigma / |mu|, kept between 1e-15 and 1e6, so that all that follows from it is finite; NaN for NaN.
template <class V>
ENSYN_FN V relative_sd(V mu, V sigma) {
  using T = Element<V>;
  const V least = constant<V>(T(1e-15)), most = constant<V>(T(1e6)), least_mu = constant<V>(T(1e-30));
  const V size = absolute(mu);
  const V ratio = sigma / select(less(size, least_mu), least_mu, size);
  return select(less(ratio, least), least, select(less(most, ratio), most, ratio));
}

/// The sign of mu on x; that of 0 is +.
template <class V>
ENSYN_FN V with_sign_of(V mu, V x) {
  return select(less(mu, constant<V>(Element<V>(0))), -x, x);
}

template <class V>
ENSYN_FN Weight<V> gaussian_weight(V mu, V sigma, V xi) {
  return {fused(sigma, xi, mu), constant<V>(Element<V>(1)), xi};
}

template <class V>
ENSYN_FN Weight<V> log_normal_weight(V mu, V sigma, V xi) {
  using T = Element<V>;
  const V one = constant<V>(T(1));
  const V ratio = relative_sd(mu, sigma);
  const V square = ratio * ratio;
  const V variance = log1p_positive(square);
  const V size = root(variance);
  const V s = with_sign_of(mu, size);
  const V growth = exponential(fused(s, xi, variance * constant<V>(T(-0.5))));
  // With y = sigma^2 / mu^2: ds/dsigma = y / (sigma s (1 + y)), ds/dmu = -y / (mu s (1 + y)).
  const V common = growth * (xi - s) / (size * (one + square));
  return {mu * growth, growth - with_sign_of(mu, square) * common, ratio * common};
}

/// The binomial law of n = `vesicles` <= 64, from one word of the noise as an unsigned number. What is
/// counted is the rarer of release and failure, r = min(p, 1 - p) its probability: the number of k in 0..n-1
/// with u < P(count > k), u = (word + 1/2) 2^-32. Events rarer than 2^-33 do not occur. P(count > k) is right
/// to some n roundings of P(count > 0), and to a factor of two where it is less.
template <class V>
ENSYN_FN Weight<V> binomial_weight(V mu, V sigma, V word, int vesicles) {
  using T = Element<V>;
  constexpr T kLeastReleaseOdds = T(0.001 / 0.999);
  const V zero = constant<V>(T(0)), one = constant<V>(T(1)), n = constant<V>(static_cast<T>(vesicles));
  const V spread = relative_sd(mu, sigma);
  const V failure_odds = n * (spread * spread);  // (1 - p) / p
  const auto reliable = less(failure_odds, one);
  const V exact_odds = select(reliable, failure_odds, one / failure_odds);
  const V least = select(reliable, zero, constant<V>(kLeastReleaseOdds));
  const auto unphysical = less(exact_odds, least);
  const V odds = select(unphysical, least, exact_odds);  // r / (1 - r)

  // P(count > 0) = 1 - (1 - r)^n = r sum_j (1 - r)^j, which loses nothing where r is small.
  const V base = one / (one + odds);  // 1 - r
  V power = one, sum = zero;
  for (int j = 0; j < vesicles; ++j) {
    sum = sum + power;
    power = power * base;
  }
  V above = odds * base * sum;       // P(count > k)
  V mass = power, ratio = odds * n;  // P(count = k), and by what it is multiplied for k + 1
  V count = zero;
  const V u = fused(word, constant<V>(T(0x1p-32)), constant<V>(T(0x1p-33)));
  for (int k = 0; k < vesicles; ++k) {
    mass = mass * ratio;
    ratio = odds * constant<V>(static_cast<T>(vesicles - k - 1) / static_cast<T>(k + 2));
    // Far out `above` is what roundings left of it. There P(count > k) <= P(count = k + 1) / (1 - ratio), the
    // geometric series, says more.
    const V counted = select(less(u, above), count + one, count);
    count = select(less(u * (one - ratio), mass), counted, count);
    above = above - mass;
  }

  // (count - n r) / sqrt(n r (1 - r)), downwards where failures are counted.
  const V mean_odds = n * odds;
  const V standard = fused(count, one + odds, -mean_odds) / root(mean_odds);
  const V noise = with_sign_of(mu, select(reliable, -standard, standard));
  // Without a release the weight is 0 and not what roundings make of it, so that a neuron without input has
  // none.
  const V value = fused(sigma, noise, mu), released = select(reliable, n - count, count);
  const V silent = select(unphysical, value, value * zero);  // a product, so that NaN comes through
  return {select(less(released, one), silent, value), one, noise};
}
