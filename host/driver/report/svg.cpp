#include <algorithm>

#include "host/driver/files/text.h"
#include "host/driver/report/figure.h"
#include "host/driver/report/html.h"
#include "host/driver/report/text_extent.h"

namespace ensyn::driver::report {
namespace {

void replace_all(std::string& text, std::string_view what, std::string_view with) {
  for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += with.size()) {
    text.replace(at, what.size(), with);
  }
}

/// Gives the ids in a tag, and what refers to them, the prefix, and a font those that may stand for it.
std::string own_tag(std::string tag, const std::string& prefix) {
  for (const char* before : {"id='", "id=\"", "href='#", "href=\"#", "url(#", "url('#"}) {
    replace_all(tag, before, before + prefix);
  }
  replace_all(tag, formatted("font-family=\"%s\"", kFont), formatted("font-family=\"%s\"", kFontStack));
  return tag;
}

/// Text between tags, well-formed whatever it holds: gnuplot replaces `<` and `&`, but leaves `>` and what
/// looks like a reference to a character.
std::string own_text(std::string text) {
  replace_all(text, ">", "&gt;");
  replace_all(text, "&#", "&amp;#");
  return text;
}

}  // namespace

std::string own_svg(const std::string& drawn, const Figure& figure) {
  // Text between the tags may look like an id and stays as it is.
  std::string svg;
  for (std::size_t at = 0; at < drawn.size();) {
    const std::size_t tag = std::min(drawn.find('<', at), drawn.size());
    const std::size_t end = std::min(drawn.find('>', tag), drawn.size() - 1) + 1;
    svg += own_text(drawn.substr(at, tag - at));
    svg += own_tag(drawn.substr(tag, end - tag), figure.name + "-");
    at = end;
  }
  replace_all(svg, "<title>Gnuplot</title>", "<title>" + escaped(figure.title) + "</title>");
  const std::size_t begin = svg.find("<desc>"), end = svg.find("</desc>");
  if (begin != std::string::npos && end != std::string::npos) {
    svg.replace(begin, end - begin, "<desc>" + escaped(figure.caption));
  }
  return svg;
}

}  // namespace ensyn::driver::report
