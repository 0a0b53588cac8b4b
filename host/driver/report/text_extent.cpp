#include "host/driver/report/text_extent.h"

#include <array>
#include <cstddef>
#include <cstdint>

namespace ensyn::driver::report {
namespace {

// How far a character takes the pen, in thousandths of the font's size: the greater of what `hmtx` says in
// DejaVuSans.ttf (2.37) and in LiberationSans-Regular.ttf (1.07.4, made as wide as Arial and Helvetica).
constexpr std::uint32_t kFirstAscii = 0x20, kFirstLatin = 0xA0, kFirstGreek = 0x391;
constexpr std::array<std::uint16_t, 95> kAscii = {
    318, 401, 460, 838, 637, 951, 780, 275, 391, 391, 500, 838, 318, 361,  318, 337, 637, 637, 637,
    637, 637, 637, 637, 637, 637, 637, 337, 337, 838, 838, 838, 557, 1016, 685, 687, 723, 771, 667,
    611, 778, 752, 295, 500, 667, 558, 863, 749, 788, 667, 788, 723, 667,  611, 732, 685, 989, 686,
    667, 686, 391, 337, 391, 838, 557, 500, 613, 635, 550, 635, 616, 353,  635, 634, 278, 278, 580,
    278, 975, 634, 612, 635, 635, 412, 521, 393, 634, 592, 818, 592, 592,  525, 637, 337, 637, 838};
constexpr std::array<std::uint16_t, 96> kLatin = {
    318, 401, 637, 637, 637, 637, 337, 557, 500, 1000, 472, 612, 838, 361, 1000, 553, 500, 838, 401,  401,
    500, 637, 637, 318, 500, 401, 472, 612, 970, 970,  970, 611, 685, 685, 685,  685, 685, 685, 1000, 723,
    667, 667, 667, 667, 295, 295, 295, 295, 775, 749,  788, 788, 788, 788, 788,  838, 788, 732, 732,  732,
    732, 667, 667, 630, 613, 613, 613, 613, 613, 613,  982, 550, 616, 616, 616,  616, 278, 278, 278,  278,
    612, 634, 612, 612, 612, 612, 612, 838, 612, 634,  634, 634, 634, 592, 635,  592};
constexpr std::array<std::uint16_t, 57> kGreek = {
    685, 687, 558, 685, 667, 686, 752, 788, 295, 667, 685, 863, 749, 650, 788, 752, 667, 1000, 632,
    611, 667, 798, 686, 836, 765, 295, 667, 660, 541, 634, 339, 579, 660, 639, 592, 612, 541,  544,
    634, 612, 339, 590, 592, 637, 559, 558, 612, 690, 635, 587, 634, 603, 579, 660, 578, 713,  838};
/// Of other characters, which may come from yet another font.
constexpr double kAny = 1450;
constexpr double kRaised = 0.8;  ///< size of gnuplot's exponents and indices
/// Renderers round and space a little differently.
constexpr double kSlack = 1.02;

double advance(std::uint32_t character) {
  const auto among = [&](const auto& table, std::uint32_t first) {
    return character >= first && character - first < table.size();
  };
  if (among(kAscii, kFirstAscii)) return kAscii[character - kFirstAscii];
  if (among(kLatin, kFirstLatin)) return kLatin[character - kFirstLatin];
  return among(kGreek, kFirstGreek) ? kGreek[character - kFirstGreek] : kAny;
}

bool continues(char byte) {
  return (static_cast<std::uint8_t>(byte) & 0xC0U) == 0x80U;
}

std::uint32_t code_point(std::string_view character) {
  const auto first = static_cast<std::uint8_t>(character.front());
  if (character.size() == 1) return first;
  std::uint32_t code = first & (0xFFU >> (character.size() + 1));
  for (const char byte : character.substr(1)) code = code << 6U | (static_cast<std::uint8_t>(byte) & 0x3FU);
  return code;
}

/// Where the character after the one at `begin` begins.
std::size_t next(std::string_view text, std::size_t begin) {
  std::size_t end = begin + 1;
  while (end < text.size() && end - begin < 4 && continues(text[end])) ++end;
  return end;
}

}  // namespace

double text_width(std::string_view text) {
  double sum = 0;
  for (std::size_t at = 0, end = 0; at < text.size(); at = end) {
    end = next(text, at);
    sum += advance(code_point(text.substr(at, end - at)));
  }
  return kSlack * kFontSize * sum / 1000;
}

double markup_width(std::string_view text) {
  double width = 0, size = 1;
  bool braces = false;  // whether what is raised ends with a brace, or after one character
  for (std::size_t at = 0, end = 0; at < text.size(); at = end) {
    end = next(text, at);
    const char first = text[at];
    if (first == '^' || first == '_') {
      size = kRaised;
      braces = end < text.size() && text[end] == '{';
    } else if (first == '}') {
      size = 1;
    } else if (first != '{') {
      width += size * text_width(text.substr(at, end - at));
      if (!braces) size = 1;
    }
  }
  return width;
}

std::string elided(const std::string& text, double width) {
  if (text_width(text) <= width) return text;
  const std::string dots = "…";
  std::size_t left = 0, right = text.size();
  // The ends grow in turn, as long as there is room.
  for (bool at_left = true; left < right; at_left = !at_left) {
    std::size_t new_left = left, new_right = right;
    if (at_left) {
      new_left = next(text, left);
    } else {
      for (--new_right; new_right > left && continues(text[new_right]);) --new_right;
    }
    if (text_width(text.substr(0, new_left) + dots + text.substr(new_right)) > width) break;
    left = new_left, right = new_right;
  }
  return text.substr(0, left) + dots + text.substr(right);
}

}  // namespace ensyn::driver::report
