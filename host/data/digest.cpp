#include "host/data/digest.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <limits>
#include <span>
#include <string_view>

namespace ensyn {
namespace {

constexpr std::string_view kHexadecimal = "0123456789abcdef";
constexpr std::size_t kDigits = 8;

static_assert(std::numeric_limits<float>::is_iec559 && std::numeric_limits<double>::is_iec559);

class Digest {
 public:
  void add(std::span<const std::uint8_t> bytes) {
    // Without a buffer zlib begins anew.
    if (!bytes.empty()) value_ = crc32_z(value_, bytes.data(), bytes.size());
  }

  template <class Number>
  void add_number(Number number) {
    auto bytes = std::bit_cast<std::array<std::uint8_t, sizeof(Number)>>(number);
    if constexpr (std::endian::native == std::endian::big) std::ranges::reverse(bytes);
    add(bytes);
  }

  void add(std::span<const float> values) {
    if constexpr (std::endian::native == std::endian::little) {
      add({reinterpret_cast<const std::uint8_t*>(values.data()), values.size_bytes()});
    } else {
      for (const float value : values) add_number(value);
    }
  }

  [[nodiscard]] std::string text() const {
    std::string digits;
    for (std::size_t i = 0; i < kDigits; ++i) {
      digits += kHexadecimal[(value_ >> (4 * (kDigits - 1 - i))) & 15U];
    }
    return digits;
  }

 private:
  unsigned long value_ = crc32_z(0, nullptr, 0);
};

}  // namespace

std::string digest_of(const Dataset& data) {
  constexpr std::string_view kFormat = "ensyn data 1";
  Digest digest;
  digest.add(std::span(reinterpret_cast<const std::uint8_t*>(kFormat.data()), kFormat.size()));
  for (const std::size_t number :
       {data.size(), static_cast<std::size_t>(data.feature_count()), static_cast<std::size_t>(data.classes()),
        static_cast<std::size_t>(data.target_count()), static_cast<std::size_t>(data.holds_bytes())}) {
    digest.add_number(static_cast<std::uint64_t>(number));
  }
  if (data.holds_bytes()) {
    const Normalization& normalization = data.normalization();
    for (const double number : {normalization.maximum, normalization.mean, normalization.sd}) {
      digest.add_number(number);
    }
  }
  digest.add(data.bytes());
  digest.add(data.floats());
  digest.add(data.labels());
  digest.add(data.targets());
  return digest.text();
}

bool is_digest(const std::string& text) {
  return text.size() == kDigits && text.find_first_not_of(kHexadecimal) == std::string::npos;
}

}  // namespace ensyn
