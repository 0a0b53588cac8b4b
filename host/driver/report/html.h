/// \file
/// The pieces of report.html: one file that needs nothing else, no script and no network.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace ensyn::driver::report {

/// Text as HTML shows it literally, `legible`, in elements and in quoted attributes.
[[nodiscard]] std::string escaped(std::string_view text);

/// A table of numbers: in report.html, and as `tables/NAME.csv` beside it.
struct NumberTable {
  std::string name;     ///< of the file
  std::string caption;  ///< plain text
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows;  ///< plain text, as wide as `columns`
  std::string comparison = {};  ///< of what counts as met of the published numbers; follows the caption
};

/// Takes away the columns that compare with published numbers, and what the caption says of them: beside runs
/// on other data these have no place.
void drop_published(NumberTable& table);

/// A long table is folded away, its caption showing.
[[nodiscard]] std::string to_html(const NumberTable& table);

/// `<img>` with the picture in it. \param bytes of a PNG \param width in which the page shows it, pixels
[[nodiscard]] std::string png_image(std::string_view bytes, const std::string& description, double width);

/// What of an SVG file can stand in an HTML file: the element, without the XML declaration before it.
[[nodiscard]] std::string inline_svg(const std::string& svg);

/// The whole page. \param body HTML
[[nodiscard]] std::string page(const std::string& title, const std::string& body);

}  // namespace ensyn::driver::report
