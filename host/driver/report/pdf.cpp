#include <cstddef>
#include <string>

#include "host/driver/report/figure.h"

namespace ensyn::driver::report {

std::string own_pdf(std::string drawn) {
  // As many digits as before, since the file tells where in it each part begins. Without a date of its own a
  // picture has that of the Unix epoch.
  constexpr std::string_view kBefore = "/CreationDate (D:", kEpoch = "19700101000000";
  const std::size_t found = drawn.find(kBefore);
  if (found == std::string::npos) return drawn;
  const std::size_t begin = found + kBefore.size();
  for (std::size_t i = 0; i < kEpoch.size() && begin + i < drawn.size(); ++i) {
    if (drawn[begin + i] < '0' || drawn[begin + i] > '9') break;
    drawn[begin + i] = kEpoch[i];
  }
  return drawn;
}

}  // namespace ensyn::driver::report
