#include "host/driver/report/html.h"

#include "host/driver/files/text.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstddef>
#include <cstdint>

namespace ensyn::driver::report {
namespace {

constexpr const char* kStyle = R"(
:root { color-scheme: light dark; --line: #c8c8c8; --soft: #f3f4f6; --good: #00664b; --bad: #a03c00; }
@media (prefers-color-scheme: dark) {
  :root { --line: #4a4a4a; --soft: #24262a; --good: #4fc9a0; --bad: #ff9a5c; }
}
body { font: 16px/1.5 system-ui, sans-serif; max-width: 78rem; margin: 2rem auto; padding: 0 1rem; }
h1, h2, h3 { line-height: 1.2; }
h2 { margin-top: 3rem; border-bottom: 1px solid var(--line); padding-bottom: .3rem; }
nav ul { columns: 2; }
figure { margin: 1.5rem 0; }
figure .picture { background: #fff; border-radius: 6px; padding: .5rem; overflow-x: auto; }
figure svg, figure img { display: block; height: auto; margin: 0 auto; }
figcaption, caption { text-align: left; padding: .5rem 0; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .9rem; margin: 1rem 0; }
th, td { padding: .2rem .7rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; }
th { background: var(--soft); }
th:first-child, td:first-child, td.text { text-align: left; }
td.yes { color: var(--good); }
td.no { color: var(--bad); font-weight: 600; }
details { margin: 1rem 0; }
summary { cursor: pointer; }
pre { background: var(--soft); padding: .8rem; overflow-x: auto; font-size: .85rem; }
)";

/// Rows; a longer table is folded away until it is asked for.
constexpr std::size_t kLongestOpenTable = 12;

bool is_number(const std::string& text) {
  return !text.empty() && text.find_first_not_of("0123456789+-.eE %") == std::string::npos;
}

std::string cell(const std::string& text) {
  const char* kind = text == "yes" ? " class=\"yes\"" : text == "no" ? " class=\"no\"" : "";
  if (*kind == '\0' && !text.empty() && !is_number(text)) kind = " class=\"text\"";
  return std::string("<td") + kind + ">" + escaped(text) + "</td>";
}

std::string base64(std::string_view bytes) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t count = std::min<std::size_t>(3, bytes.size() - i);
    std::uint32_t block = 0;
    for (std::size_t j = 0; j < 3; ++j) {
      block = block << 8U | (j < count ? static_cast<std::uint8_t>(bytes[i + j]) : 0U);
    }
    for (std::size_t j = 0; j < 4; ++j) {
      text += j <= count ? kDigits[block >> (18 - 6 * j) & 63U] : '=';
    }
  }
  return text;
}

}  // namespace

std::string escaped(std::string_view text) {
  std::string result;
  for (const char character : legible(text)) {
    switch (character) {
      case '&':
        result += "&amp;";
        break;
      case '<':
        result += "&lt;";
        break;
      case '>':
        result += "&gt;";
        break;
      case '"':
        result += "&quot;";
        break;
      default:
        result += character;
    }
  }
  return result;
}

void drop_published(NumberTable& table) {
  table.comparison.clear();
  for (std::size_t i = table.columns.size(); i-- > 0;) {
    const std::string& name = table.columns[i];
    const bool compares = std::ranges::any_of(std::array{"published", "difference", "tolerance", "within"},
                                              [&](const char* start) { return name.starts_with(start); });
    if (!compares) continue;
    table.columns.erase(table.columns.begin() + static_cast<std::ptrdiff_t>(i));
    for (auto& row : table.rows) row.erase(row.begin() + static_cast<std::ptrdiff_t>(i));
  }
}

std::string to_html(const NumberTable& table) {
  const std::string caption =
      escaped(table.caption + table.comparison) + " (tables/" + escaped(table.name) + ".csv)";
  const bool folded = table.rows.size() > kLongestOpenTable;
  std::string text =
      folded ? "<details><summary>" + caption + ": " + std::to_string(table.rows.size()) + " rows</summary>\n"
             : "";
  text += "<div class=\"scroll\"><table>\n" + (folded ? "" : "<caption>" + caption + "</caption>\n") +
          "<thead><tr>";
  for (const std::string& column : table.columns) text += "<th scope=\"col\">" + escaped(column) + "</th>";
  text += "</tr></thead>\n<tbody>\n";
  for (const auto& row : table.rows) {
    text += "<tr>";
    for (const std::string& value : row) text += cell(value);
    text += "</tr>\n";
  }
  return text + "</tbody></table></div>\n" + (folded ? "</details>\n" : "");
}

std::string png_image(std::string_view bytes, const std::string& description, double width) {
  return formatted(R"(<img width="%.0f" alt=")", width) + escaped(description) +
         R"(" src="data:image/png;base64,)" + base64(bytes) + "\">";
}

std::string inline_svg(const std::string& svg) {
  const std::size_t begin = svg.find("<svg");
  return begin == std::string::npos ? svg : svg.substr(begin);
}

std::string page(const std::string& title, const std::string& body) {
  return "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
         "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>" +
         escaped(title) + "</title>\n<style>" + kStyle + "</style>\n</head>\n<body>\n" + body +
         "</body>\n</html>\n";
}

}  // namespace ensyn::driver::report
