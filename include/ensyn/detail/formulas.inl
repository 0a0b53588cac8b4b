// The scalar formulas of ensyn, written once for every kind of number: a float or double of g++ and nvcc (see
// arithmetic.h) and the vectors of the CPU backend (host/cpu/vector-inl.h). This file is included inside a
// namespace that provides, for a number type V with elements of type T = Element<V>:
//   + - * / (unary -), fused(a, b, c) = a b + c with one rounding, root(x), absolute(x), less(a, b) and
//   select(mask, a, b), constant<V>(T), as_bits(V), as_number(bits), bits + bits, bits - bits, bits & bits,
//   bits ^ bits, shift_left<k>(bits), shift_right<k>(bits) (arithmetic), bit_constant<V>(integer),
// and for lanes of 64 bits W: multiply_low(W, W) (32 x 32 -> 64 bits), high_half(W), W ^ W.
// Every multiply-add is written out, so that the result is the same bits wherever multiplication, addition,
// division, square root and fused multiply-add are IEEE; masks are written so that NaN comes through.
//
// Polynomials are minimax fits (Remez, 50 digits); the error named at each is that of the fit, relative to
// the result.

/// c0 + c1 x + c2 x^2 + ..., by Horner's rule.
template <class V>
ENSYN_FN V horner(V /*x*/, Element<V> c0) {
  return constant<V>(c0);
}
template <class V, class... Rest>
ENSYN_FN V horner(V x, Element<V> c0, Rest... rest) {
  return fused(horner(x, rest...), x, constant<V>(c0));
}

template <class T>
struct Constants;

template <>
struct Constants<float> {
  using Signed = std::int32_t;
  static constexpr int kMantissaBits = 23;
  static constexpr Signed kOneBits = 0x3F800000;
  static constexpr Signed kRootHalfBits = 0x3F3504F3;
  static constexpr float kMagic = 12582912.0f;  // 1.5 * 2^23: adding it leaves an integer in the low bits
  static constexpr Signed kMagicBits = 0x4B400000;
  static constexpr float kExpLow = -87.0f, kExpHigh = 88.0f;
  static constexpr float kLn2High = 0x1.62e400p-1f,
                         kLn2Low = 0x1.7f7d1cp-20f;  // High times |e| < 256 is exact

  /// (e^r - 1 - r) / r^2 on |r| <= ln(2) / 2: 3.1e-9
  template <class V>
  static ENSYN_FN V exp_tail(V r) {
    return horner(r, 0x1.fffffcp-2f, 0x1.55549p-3f, 0x1.5558f4p-5f, 0x1.123a6cp-7f, 0x1.6a2396p-10f);
  }
  /// (log(1 + f) - f) / f^2 on sqrt(1/2) <= 1 + f <= sqrt(2): 4.1e-9
  template <class V>
  static ENSYN_FN V log_tail(V f) {
    return horner(f, -0x1.fffff8p-2f, 0x1.55555p-2f, -0x1.000428p-2f, 0x1.99a3f6p-3f, -0x1.542746p-3f,
                  0x1.22715p-3f, -0x1.0f3876p-3f, 0x1.084ad8p-3f, -0x1.3830c0p-4f);
  }
  /// sin(pi r) / r in z = r^2 on |r| <= 1/4: 3.2e-9
  template <class V>
  static ENSYN_FN V sine_ratio(V z) {
    return horner(z, 0x1.921fb6p+1f, -0x1.4abbbap+2f, 0x1.465e92p+1f, -0x1.2d9304p-1f);
  }
  /// cos(pi r) in z = r^2 on |r| <= 1/4: 5.6e-11
  template <class V>
  static ENSYN_FN V cosine(V z) {
    return horner(z, 1.0f, -0x1.3bd3ccp+2f, 0x1.03c1dap+2f, -0x1.55c4eap+0f, 0x1.d99f54p-3f);
  }
  static constexpr float kErfHigh = 4.0f;  // from where erf is 1
  /// erf(x) / x - 1 in z = x^2 on 0 <= z <= 1: 1.3e-9 of erf(x)
  template <class V>
  static ENSYN_FN V erf_ratio(V z) {
    return horner(z, 0x1.06eba8p-3f, -0x1.81273ep-2f, 0x1.ce2cf8p-4f, -0x1.b7f90ep-6f, 0x1.5405b2p-8f,
                  -0x1.a3f702p-11f, 0x1.496a32p-14f);
  }
  /// log(1 - erf(x)) on 1 <= x <= kErfHigh: 2.2e-11 of erf(x)
  template <class V>
  static ENSYN_FN V log_erfc(V x) {
    return horner(x, 0x1.8a548p-13f, -0x1.212c0cp+0f, -0x1.443568p-1f, -0x1.bc1508p-4f, 0x1.9d02e4p-6f,
                  -0x1.138c8ep-8f, 0x1.cec56ep-12f, -0x1.6bd72p-16f);
  }
};

template <>
struct Constants<double> {
  using Signed = std::int64_t;
  static constexpr int kMantissaBits = 52;
  static constexpr Signed kOneBits = 0x3FF0000000000000;
  static constexpr Signed kRootHalfBits = 0x3FE6A09E667F3BCD;
  static constexpr double kMagic = 6755399441055744.0;  // 1.5 * 2^52
  static constexpr Signed kMagicBits = 0x4338000000000000;
  static constexpr double kExpLow = -708.0, kExpHigh = 709.0;
  static constexpr double kLn2High = 0x1.62e42fee00000p-1, kLn2Low = 0x1.a39ef35793c76p-33;

  // As above: 5.4e-20, 1.3e-18, 3.3e-18, 3.6e-20
  template <class V>
  static ENSYN_FN V exp_tail(V r) {
    return horner(r, 0x1.0000000000000p-1, 0x1.555555555555bp-3, 0x1.5555555555502p-5, 0x1.111111110ec1cp-7,
                  0x1.6c16c16c30862p-10, 0x1.a01a01b398516p-13, 0x1.a01a0135bf448p-16, 0x1.71ddefddb9088p-19,
                  0x1.27e5b565d6c89p-22, 0x1.af6c5fae3229bp-26, 0x1.1e3c3bc28f019p-29);
  }
  template <class V>
  static ENSYN_FN V log_tail(V f) {
    return horner(f, -0x1.0000000000000p-1, 0x1.5555555555571p-2, -0x1.ffffffffffd49p-3, 0x1.999999999402bp-3,
                  -0x1.5555555573534p-3, 0x1.24924927b343cp-3, -0x1.fffffff063637p-4, 0x1.c71c700b23382p-4,
                  -0x1.99999af27319cp-4, 0x1.745d5cebb7d24p-4, -0x1.55557393ecb69p-4, 0x1.3b0d2f0bafdadp-4,
                  -0x1.248934c8e44a9p-4, 0x1.116d0a3383ab2p-4, -0x1.00d312c5d47bbp-4, 0x1.dc7599493fb9fp-5,
                  -0x1.b41f50be13eb3p-5, 0x1.bbf4e529bd50dp-5, -0x1.017235812c344p-4, 0x1.d2e69f6784ae9p-5,
                  -0x1.8d04a2e70d847p-6);
  }
  template <class V>
  static ENSYN_FN V sine_ratio(V z) {
    return horner(z, 0x1.921fb54442d18p+1, -0x1.4abbce625be41p+2, 0x1.466bc67758701p+1, -0x1.32d2cce2d548fp-1,
                  0x1.50782fca44486p-4, -0x1.e30063a5b96c5p-8, 0x1.e3eed660a99e2p-12);
  }
  template <class V>
  static ENSYN_FN V cosine(V z) {
    return horner(z, 0x1.0000000000000p+0, -0x1.3bd3cc9be45dep+2, 0x1.03c1f081b5aaap+2, -0x1.55d3c7e3c8d5cp+0,
                  0x1.e1f5068303ee4p-3, -0x1.a6d1ec3d44b76p-6, 0x1.f9cc15d28bc76p-10, -0x1.b2586ad971b98p-14);
  }
  static constexpr double kErfHigh = 6.0;
  // 1.4e-19, 6.6e-18
  template <class V>
  static ENSYN_FN V erf_ratio(V z) {
    return horner(z, 0x1.06eba8214db69p-3, -0x1.812746b0379e6p-2, 0x1.ce2f21a042b20p-4, -0x1.b82ce3128499cp-6,
                  0x1.565bcd0db02d7p-8, -0x1.c02db3d8ed014p-11, 0x1.f9a321a11a4cdp-14, -0x1.f4d1df391156fp-17,
                  0x1.b9def19b829cep-20, -0x1.5f1d36b149197p-23, 0x1.f7a4119c0c573p-27,
                  -0x1.386abf66e7754p-30, 0x1.0579a7fb1f4d7p-34);
  }
  template <class V>
  static ENSYN_FN V log_erfc(V x) {
    return horner(x, -0x1.139216408e018p-21, -0x1.20dd1e2e09271p+0, -0x1.45f635b9baf53p-1,
                  -0x1.a4ab2671a665cp-4, 0x1.3719931fdadcfp-6, 0x1.b1a3f6465a59bp-12, -0x1.f70b55fe6ca4fp-10,
                  0x1.954dd689f8db6p-11, -0x1.1e647291a5447p-13, -0x1.477c1dd490d95p-16,
                  0x1.7a0478f3532c9p-16, -0x1.1fd7c26690bcep-17, 0x1.1bd4ab5eb6d46p-19,
                  -0x1.8ccc84a1790f4p-22, 0x1.8a8af753c156dp-25, -0x1.0b4df15f33a85p-28,
                  0x1.bc4010e9f46bbp-33, -0x1.5653d72f2abffp-38);
  }
};

/// e^x, x clamped to where the result is a normal number.
template <class V>
ENSYN_FN V exponential(V x) {
  using C = Constants<Element<V>>;
  const V low = constant<V>(C::kExpLow), high = constant<V>(C::kExpHigh);
  x = select(less(x, low), low, select(less(high, x), high, x));
  // x = n ln 2 + r; the magic number leaves n in the low bits of `shifted`, from where it becomes an
  // exponent.
  const V magic = constant<V>(C::kMagic);
  const V shifted = fused(x, constant<V>(Element<V>(1.4426950408889634)), magic);
  const V n = shifted - magic;
  const V r = fused(n, constant<V>(-C::kLn2Low), fused(n, constant<V>(-C::kLn2High), x));
  const V p = fused(r * r, C::exp_tail(r), r) + constant<V>(1);
  const auto scale = shift_left<C::kMantissaBits>(as_bits(shifted)) + bit_constant<V>(C::kOneBits);
  return p * as_number(scale);
}

/// log(1 + f) for sqrt(1/2) <= 1 + f <= sqrt(2).
template <class V>
ENSYN_FN V log_near_one(V f) {
  using C = Constants<Element<V>>;
  return fused(f * f, C::log_tail(f), f);
}

/// log(x) for normal x > 0.
template <class V>
ENSYN_FN V logarithm(V x) {
  using C = Constants<Element<V>>;
  // x = 2^e m with sqrt(1/2) <= m < sqrt(2).
  const auto bits = as_bits(x);
  const auto e = shift_right<C::kMantissaBits>(bits - bit_constant<V>(C::kRootHalfBits));
  const V m = as_number(bits - shift_left<C::kMantissaBits>(e));
  const V exponent = as_number(e + bit_constant<V>(C::kMagicBits)) - constant<V>(C::kMagic);
  const V f = m - constant<V>(1);
  const V tail = fused(f * f, C::log_tail(f), exponent * constant<V>(C::kLn2Low));
  return fused(exponent, constant<V>(C::kLn2High), f + tail);
}

/// log(1 + y) for 0 <= y <= 1, accurate relative to the result down to y = 0.
template <class V>
ENSYN_FN V log1p_unit(V y) {
  using T = Element<V>;
  const auto large = less(constant<V>(T(0.41421356)), y);
  // 1 + y = 2 (1 + (y - 1) / 2) where y is large.
  const V f = select(large, fused(y, constant<V>(T(0.5)), constant<V>(T(-0.5))), y);
  const V base = select(large, constant<V>(T(0.69314718055994530942)), constant<V>(T(0)));
  return base + log_near_one(f);
}

/// erf(x): x + x P(x^2) near 0, elsewhere 1 - e^Q(|x|) with the sign of x. Accurate relative to the result.
template <class V>
ENSYN_FN V error_function(V x) {
  using T = Element<V>;
  using C = Constants<T>;
  const V one = constant<V>(T(1)), high = constant<V>(C::kErfHigh), size = absolute(x);
  const V tail = one - exponential(C::log_erfc(select(less(high, size), high, size)));
  const V near = fused(x, C::erf_ratio(x * x), x);
  return select(less(one, size), select(less(x, constant<V>(T(0))), -tail, tail), near);
}

template <class V>
struct SinCos {
  V sine, cosine;
};

/// sin(pi f) and cos(pi f) for |f| <= 1.
template <class V>
ENSYN_FN SinCos<V> sin_cos_pi(V f) {
  using T = Element<V>;
  using C = Constants<T>;
  constexpr int kSignShift = sizeof(T) * 8 - 2;  // moves bit 1 to the sign
  const V magic = constant<V>(C::kMagic);
  const V shifted = fused(f, constant<V>(T(2)), magic);
  const V quarter = shifted - magic;
  const V r = fused(quarter, constant<V>(T(-0.5)), f);
  const V z = r * r;
  const V s = r * C::sine_ratio(z);
  const V c = C::cosine(z);
  const auto k = as_bits(shifted);
  const auto one = bit_constant<V>(1), two = bit_constant<V>(2);
  const auto odd = is_odd<V>(k);
  const auto sine_sign = shift_left<kSignShift>(k & two);
  const auto cosine_sign = shift_left<kSignShift>((k + one) & two);
  return {as_number(as_bits(select(odd, c, s)) ^ sine_sign),
          as_number(as_bits(select(odd, s, c)) ^ cosine_sign)};
}

template <class V>
struct NormalPair {
  V first, second;
};

/// Box and Muller: two normals from a radius word as an unsigned and an angle word as a signed number.
template <class V>
ENSYN_FN NormalPair<V> box_muller(V radius_word, V angle_word) {
  using T = Element<V>;
  V u = fused(radius_word, constant<V>(T(0x1p-32)), constant<V>(T(0x1p-33)));
  u = select(less(constant<V>(T(1)), u), constant<V>(T(1)), u);
  const V radius = root(logarithm(u) * constant<V>(T(-2)));
  const SinCos<V> direction = sin_cos_pi(angle_word * constant<V>(T(0x1p-31)));
  return {radius * direction.sine, radius * direction.cosine};
}

/// A Philox counter or its output: each lane of 64 bits holds one 32-bit word in its low half; what stands in
/// the high half is ignored.
template <class W>
struct PhiloxWords {
  W w0, w1, w2, w3;
};

inline constexpr std::uint32_t kPhiloxMultiplier0 = 0xD2511F53, kPhiloxMultiplier1 = 0xCD9E8D57;

/// Philox4x32 (Salmon, Moraes, Dror, Shaw 2011); keys[2 r], keys[2 r + 1] are the keys of round r.
template <int rounds, class W>
ENSYN_FN PhiloxWords<W> philox(PhiloxWords<W> c, const std::uint64_t* keys) {
  const W m0 = word_constant<W>(kPhiloxMultiplier0), m1 = word_constant<W>(kPhiloxMultiplier1);
  ENSYN_UNROLL
  for (int r = 0; r < rounds; ++r) {
    const W p0 = multiply_low(c.w0, m0), p1 = multiply_low(c.w2, m1);
    c = {exclusive_or(high_half(p1), c.w1, word_constant<W>(keys[2 * r])), p1,
         exclusive_or(high_half(p0), c.w3, word_constant<W>(keys[2 * r + 1])), p0};
  }
  return c;
}

template <class V>
struct Softplus {
  V value, derivative;
};

/// log(1 + e^phi) and its derivative 1 / (1 + e^-phi).
template <class V>
ENSYN_FN Softplus<V> softplus(V phi) {
  using T = Element<V>;
  const V one = constant<V>(T(1));
  const V e = exponential(-absolute(phi));
  const auto negative = less(phi, constant<V>(T(0)));
  const V reciprocal = one / (one + e);
  return {select(negative, constant<V>(T(0)), phi) + log1p_unit(e),
          select(negative, e * reciprocal, reciprocal)};
}

/// sigma^(halves / 2), 1 <= halves <= detail::kMostHalves, by multiplication.
template <class V>
ENSYN_FN V half_power(V sigma, int halves) {
  V product = halves % 2 == 1 ? root(sigma) : sigma;
  for (int k = halves % 2 == 1 ? 1 : 2; k < halves; k += 2) product = product * sigma;
  return product;
}

/// sum_k weight_k sigma^power_k + sigma * inverse_variance.
template <class V>
ENSYN_FN V cost_gradient(V sigma, const detail::CostTermGradient<Element<V>>* terms, int count,
                         Element<V> inverse_variance) {
  V sum = sigma * constant<V>(inverse_variance);
  for (int k = 0; k < count; ++k) {
    const V weight = constant<V>(terms[k].weight);
    if (terms[k].halves > 0) {
      sum = sum + weight / half_power(sigma, terms[k].halves);
    } else {
      sum = fused(weight, exponential(logarithm(sigma) * constant<V>(terms[k].power)), sum);
    }
  }
  return sum;
}

template <class V>
struct PriorGradient {
  V mu, sigma;
};

/// Gradient of inverse_scale E|w|, w ~ N(mu, sigma^2), where with t = mu / (sigma sqrt 2)
/// E|w| = sigma sqrt(2/pi) e^(-t^2) + mu erf(t): that of a Laplace prior of scale 1 / inverse_scale.
template <class V>
ENSYN_FN PriorGradient<V> laplace_gradient(V mu, V sigma, Element<V> inverse_scale) {
  using T = Element<V>;
  const V t = mu / (sigma * constant<V>(T(1.41421356237309504880)));
  const V scale = constant<V>(inverse_scale);
  return {error_function(t) * scale, exponential(-(t * t)) * constant<V>(T(0.79788456080286535588)) * scale};
}

/// Gradient of magnitude |mu| + mu^2 inverse_variance / 2, 0 at mu = 0, added to `gradient`.
template <class V>
ENSYN_FN V add_magnitude_gradient(V gradient, V mu, Element<V> magnitude, Element<V> inverse_variance) {
  using T = Element<V>;
  const V zero = constant<V>(T(0));
  const V sign =
      select(less(mu, zero), constant<V>(-magnitude), select(less(zero, mu), constant<V>(magnitude), zero));
  return fused(mu, constant<V>(inverse_variance), gradient + sign);
}

/// One step of Adam on x with its moments m and v.
template <class V>
ENSYN_FN void adam(V& x, V& m, V& v, V gradient, const detail::AdamRates<Element<V>>& rates) {
  // Not m + (1 - beta1) (g - m), which is an operation shorter but loses all of g or m where one dwarfs the
  // other.
  m = fused(constant<V>(rates.beta1), m, constant<V>(rates.one_minus_beta1) * gradient);
  v = fused(constant<V>(rates.beta2), v, constant<V>(rates.one_minus_beta2) * gradient * gradient);
  const V denominator = fused(root(v), constant<V>(rates.root_correction), constant<V>(rates.epsilon));
  x = x - constant<V>(rates.step_size) * m / denominator;
}

/// max(x, 0), NaN for NaN.
template <class V>
ENSYN_FN V relu(V x) {
  const V zero = constant<V>(Element<V>(0));
  return select(less(x, zero), zero, x);
}

template <class V>
struct SquaredError {
  V nll, slope;
};

/// (f - y)^2 / (2 eps^2) of one output f with target y, and its derivative in f.
template <class V>
ENSYN_FN SquaredError<V> squared_error(V output, V target, Element<V> inverse_variance) {
  const V difference = output - target;
  const V slope = difference * constant<V>(inverse_variance);
  return {constant<V>(Element<V>(0.5)) * difference * slope, slope};
}
