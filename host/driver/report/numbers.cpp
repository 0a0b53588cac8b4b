#include <array>
#include <cmath>
#include <utility>

#include "host/driver/files/text.h"
#include "host/driver/report/section.h"

namespace ensyn::driver::report {

std::string rho_text(double rho) {
  constexpr std::array kFractions = {std::pair{1.0 / 2, "1/2"}, std::pair{2.0 / 3, "2/3"},
                                     std::pair{4.0 / 3, "4/3"}};
  for (const auto& [value, text] : kFractions) {
    if (std::abs(rho - value) < 1e-3) return text;
  }
  return formatted("%.4g", rho);
}

std::string significant(double value, int digits) {
  return std::isfinite(value) ? formatted("%.*g", digits, value) : "";
}

std::string fixed(double value, int decimals) {
  return std::isfinite(value) ? formatted("%.*f", decimals, value) : "";
}

}  // namespace ensyn::driver::report
