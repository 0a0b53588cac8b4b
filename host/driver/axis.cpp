#include "host/driver/axis.h"

#include <cmath>
#include <optional>
#include <string>

#include "ensyn/error.h"
#include "host/driver/number.h"

namespace ensyn::driver {
namespace {

std::string quoted(std::string_view text) {
  return "'" + std::string(text) + "'";
}

/// Whole powers as the nearest double, which pow does not promise.
double power_of_ten(double exponent) {
  if (exponent == std::floor(exponent) && std::abs(exponent) < 400) {
    return number<double>("1e" + std::to_string(static_cast<int>(exponent))).value_or(HUGE_VAL);
  }
  return std::pow(10.0, exponent);
}

/// A number with the exponent that it was written with, which its value need not give back exactly.
struct Real {
  double value = 0;
  double log10 = 0;
};

std::optional<Real> real(std::string_view text) {
  if (const auto plain = number<double>(text)) return Real{*plain, std::log10(*plain)};
  if (const std::size_t slash = text.find('/'); slash != std::string_view::npos) {
    const auto over = number<double>(text.substr(0, slash)), under = number<double>(text.substr(slash + 1));
    if (!over || !under) return std::nullopt;
    return Real{*over / *under, std::log10(*over / *under)};
  }
  const std::size_t e = text.find_first_of("eE");
  if (e == std::string_view::npos) return std::nullopt;
  const auto mantissa = number<double>(text.substr(0, e)), exponent = number<double>(text.substr(e + 1));
  if (!mantissa || !exponent) return std::nullopt;
  return Real{*mantissa * power_of_ten(*exponent), std::log10(*mantissa) + *exponent};
}

Real finite_real(std::string_view text) {
  const auto value = real(text);
  if (!value || !std::isfinite(value->value)) throw ConfigError(quoted(text) + " is not a finite number");
  return *value;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (std::size_t begin = 0, end = 0; end != std::string_view::npos; begin = end + 1) {
    end = text.find(separator, begin);
    parts.push_back(text.substr(begin, end - begin));
  }
  return parts;
}

/// `FIRST:LAST:COUNT` with `log` or `lin`.
void add_range(std::vector<double>& values, std::string_view text) {
  const auto parts = split(text, ':');
  const std::string_view spaced = parts.size() == 3 ? parts[2] : "";
  const bool logarithmic = spaced.ends_with("log");
  if (!logarithmic && !spaced.ends_with("lin")) {
    throw ConfigError("range " + quoted(text) +
                      " must be FIRST:LAST:COUNT with log or lin right after, such as 1e-4:1e3:8log");
  }
  const Real first = finite_real(parts[0]), last = finite_real(parts[1]);
  const auto count = number<std::uint64_t>(spaced.substr(0, spaced.size() - 3));
  if (!count || *count < 2 || *count > kMostValues) {
    throw ConfigError("range " + quoted(text) + " must have from 2 to " + std::to_string(kMostValues) +
                      " values");
  }
  if (!(first.value < last.value)) {
    throw ConfigError("range " + quoted(text) + " is empty: its first value must lie below its last");
  }
  if (logarithmic && !(first.value > 0)) {
    throw ConfigError("range " + quoted(text) + " cannot be logarithmic: its values must lie above 0");
  }
  const auto steps = static_cast<double>(*count - 1);
  for (std::uint64_t i = 0; i < *count; ++i) {
    const auto at = static_cast<double>(i);
    if (i == 0 || i + 1 == *count) {
      values.push_back(i == 0 ? first.value : last.value);
    } else if (logarithmic) {
      values.push_back(power_of_ten(first.log10 + (last.log10 - first.log10) * at / steps));
    } else {
      values.push_back(first.value + (last.value - first.value) * at / steps);
    }
  }
}

}  // namespace

std::string too_many_values() {
  return "there are more than " + std::to_string(kMostValues) +
         " values: give fewer, or split them among several runs";
}

std::optional<double> parse_real(std::string_view text) {
  const auto found = real(text);
  return found ? std::optional(found->value) : std::nullopt;
}

std::vector<double> parse_reals(std::string_view text) {
  std::vector<double> values;
  for (const std::string_view item : split(text, ',')) {
    if (item.find(':') != std::string_view::npos) {
      add_range(values, item);
    } else {
      values.push_back(finite_real(item).value);
    }
    if (values.size() > kMostValues) throw ConfigError(too_many_values());
  }
  return values;
}

std::vector<std::uint64_t> parse_seeds(std::string_view text) {
  std::vector<std::uint64_t> values;
  for (const std::string_view item : split(text, ',')) {
    const auto ends = split(item, ':');
    const auto first = number<std::uint64_t>(ends.front()), last = number<std::uint64_t>(ends.back());
    if (!first || !last || ends.size() > 2) {
      throw ConfigError(quoted(item) + " is neither a whole number nor a range FIRST:LAST of them");
    }
    if (*first > *last) {
      throw ConfigError("range " + quoted(item) + " is empty: its first value must not lie above its last");
    }
    if (*last - *first >= kMostValues - values.size()) throw ConfigError(too_many_values());
    for (std::uint64_t i = 0; i <= *last - *first; ++i) values.push_back(*first + i);
  }
  return values;
}

std::vector<std::string_view> parse_words(std::string_view text) {
  auto words = split(text, ',');
  for (const std::string_view word : words) {
    if (word.empty()) throw ConfigError("there is an empty name in " + quoted(text));
  }
  return words;
}

}  // namespace ensyn::driver
