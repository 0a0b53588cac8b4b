#include "host/driver/report/figure.h"
#include "host/driver/report/html.h"

namespace ensyn::driver::report {
namespace {

void replace_all(std::string& text, std::string_view what, std::string_view with) {
  for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += with.size()) {
    text.replace(at, what.size(), with);
  }
}

}  // namespace

std::string own_svg(std::string svg, const Figure& figure) {
  const std::string prefix = figure.name + "-";
  for (const char* before : {"id='", "id=\"", "href='#", "href=\"#", "url(#", "url('#"}) {
    replace_all(svg, before, before + prefix);
  }
  replace_all(svg, "<title>Gnuplot</title>", "<title>" + escaped(figure.title) + "</title>");
  const std::size_t begin = svg.find("<desc>"), end = svg.find("</desc>");
  if (begin != std::string::npos && end != std::string::npos) {
    svg.replace(begin, end - begin, "<desc>" + escaped(figure.caption));
  }
  return svg;
}

}  // namespace ensyn::driver::report
