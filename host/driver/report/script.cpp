#include <algorithm>
#include <cmath>
#include <limits>

#include "host/driver/files/text.h"
#include "host/driver/report/axes.h"
#include "host/driver/report/figure.h"
#include "host/driver/report/gnuplot_string.h"
#include "host/driver/report/layout.h"
#include "host/driver/report/text_extent.h"

namespace ensyn::driver::report {
namespace {

constexpr double kPngScale = 2;  ///< pixels of a PNG to one on the page

const char* code(Colour colour) {
  switch (colour) {
    case Colour::black:
      return "#000000";
    case Colour::orange:
      return "#E69F00";
    case Colour::sky_blue:
      return "#56B4E9";
    case Colour::green:
      return "#009E73";
    case Colour::yellow:
      return "#F0E442";
    case Colour::blue:
      return "#0072B2";
    case Colour::vermilion:
      return "#D55E00";
    case Colour::purple:
      return "#CC79A7";
    case Colour::grey:
      return "#707070";
    case Colour::light_grey:
      return "#B0B0B0";
  }
  return "#000000";
}

/// gnuplot's number of the filled symbol; the open one is the number before.
int point_type(Symbol symbol) {
  switch (symbol) {
    case Symbol::circle:
      return 7;
    case Symbol::square:
      return 5;
    case Symbol::triangle:
      return 9;
    case Symbol::inverted_triangle:
      return 11;
    case Symbol::diamond:
      return 13;
  }
  return 7;
}

std::string style_text(const Style& style) {
  const std::string colour = formatted(" lc rgb \"%s\"", code(style.colour));
  const int type = point_type(style.symbol);
  switch (style.mark) {
    case Mark::line:
      return "with lines lw 1.8" + colour;
    case Mark::dashed:
      return "with lines lw 1.8 dt (8,4)" + colour;
    case Mark::dotted:
      return "with lines lw 1.8 dt (2,3)" + colour;
    case Mark::line_points:
      return formatted("with linespoints lw 1.8 pt %d ps 0.65", type) + colour;
    case Mark::points:
      return formatted("with points pt %d ps 0.75", type) + colour;
    case Mark::open_points:
      return formatted("with points pt %d ps 1.25 lw 1.5", type - 1) + colour;
    case Mark::dots:
      return "with points pt 7 ps 0.22" + colour;
    case Mark::band:
      return "with filledcurves fs transparent solid 0.25 noborder" + colour;
  }
  return "";
}

/// What `set title` and its kin take.
std::string label_text(const Label& label) {
  return gnuplot_string(label.text) + (label.is_markup ? "" : " noenhanced");
}

/// `set label` with its middle, or left end, at a place in the picture.
std::string text_at(const Label& label, const Place& place, const Layout& layout, const char* how) {
  return "set label " + label_text(label) +
         formatted(" at screen %.6f,%.6f ", place.x / layout.width(), place.y / layout.height()) + how + "\n";
}

std::string number(double value) {
  return std::isfinite(value) ? formatted("%.6g", value) : "NaN";
}

/// \param least what a band that reaches down to 0 or below is drawn to, on a logarithmic axis
std::string data_block(const Series& series, double least) {
  std::string text;
  const bool band = series.style.mark == Mark::band;
  bool gap = false;
  for (std::size_t i = 0; i < series.x.size(); ++i) {
    const bool finite =
        std::isfinite(series.x[i]) &&
        (band ? std::isfinite(series.low[i]) && std::isfinite(series.high[i]) : std::isfinite(series.y[i]));
    if (!finite) {
      // An empty line breaks a curve.
      if (!gap) text += "\n";
      gap = true;
      continue;
    }
    gap = false;
    text += number(series.x[i]);
    if (band) {
      text += " " + number(std::max(series.low[i], least)) + " " + number(series.high[i]) + "\n";
    } else {
      text += " " + number(series.y[i]) + "\n";
    }
  }
  return text;
}

std::string terminal(const Layout& layout, Format format) {
  // Points are 1/72 inch, and pixels here 1/96.
  constexpr double kPoints = 0.75;
  // gnuplot's PDF takes a point of a font for 1/72 of 4/3 inch, and draws lines of half the width.
  constexpr double kPdfLine = 2 * kPoints;
  switch (format) {
    case Format::svg:
      return formatted("set terminal svg size %.0f,%.0f enhanced font \"%s,%g\" background \"#ffffff\"\n",
                       layout.width(), layout.height(), kFont, kFontSize);
    case Format::pdf:
      return formatted(
          "set terminal pdfcairo size %.4fin,%.4fin enhanced font \"%s,%g\" fontscale %g linewidth %g "
          "background \"#ffffff\"\n",
          layout.width() / 96, layout.height() / 96, kFont, kFontSize * kPoints, kPoints, kPdfLine);
    case Format::png:
      break;
  }
  return formatted(
      "set terminal pngcairo size %.0f,%.0f enhanced font \"%s,%g\" fontscale %g linewidth %g pointscale "
      "%g background \"#ffffff\"\n",
      kPngScale * layout.width(), kPngScale * layout.height(), kFont, kFontSize * kPoints, kPngScale,
      kPngScale, kPngScale);
}

std::string axis_text(const char* which, const Axis& axis, const Range& range, const std::vector<Tic>& tics) {
  std::string text = formatted("%s logscale %s\n", axis.logarithmic ? "set" : "unset", which);
  text += formatted("set %srange [%.10g:%.10g]\n", which, range.from, range.to);
  std::string list;
  for (const Tic& tic : tics) {
    list += formatted("%s\"%s\" %.10g%s", list.empty() ? "" : ", ", tic.label.c_str(), tic.place,
                      tic.minor ? " 1" : "");
  }
  return text + formatted("set %stics nomirror out scale 0.7,0.4 (", which) + list + ")\n";
}

std::string margins(const PanelLayout& panel, const Layout& layout) {
  return formatted("set lmargin at screen %.6f\nset rmargin at screen %.6f\n", panel.left / layout.width(),
                   panel.right / layout.width()) +
         formatted("set tmargin at screen %.6f\nset bmargin at screen %.6f\n", panel.top / layout.height(),
                   panel.bottom / layout.height());
}

/// The texts around a panel. gnuplot's own `title`, `xlabel` and `ylabel` lie where it guesses that there is
/// room.
std::string texts(const Panel& panel, const PanelLayout& placed, const Layout& layout) {
  std::string text = "unset label\n";
  Place place = placed.title_at;
  for (const std::string& line : placed.title) {
    text += text_at(line, place, layout, "center");
    place.y -= kLineHeight;
  }
  if (!panel.letter.empty())
    text += text_at(markup(("{/:Bold " + panel.letter + "}").c_str()), placed.letter_at, layout, "left");
  text += text_at(placed.x_label, placed.x_label_at, layout, "center");
  return text + text_at(placed.y_label, placed.y_label_at, layout, "center rotate by 90");
}

std::string panel_text(const Figure& figure, std::size_t index, const Layout& layout) {
  const Panel& panel = figure.panels[index];
  const PanelLayout& placed = layout.panels()[index];
  std::string text = margins(placed, layout) + texts(panel, placed, layout);
  text += axis_text("x", panel.x, placed.ranges.x, placed.x_tics);
  text += axis_text("y", panel.y, placed.ranges.y, placed.y_tics);
  const double least =
      panel.y.logarithmic ? placed.ranges.y.from / 10 : -std::numeric_limits<double>::infinity();
  std::string plots;
  for (std::size_t i = 0; i < panel.series.size(); ++i) {
    if (!has_values(panel.series[i])) continue;
    const std::string block = formatted("$d%zu_%zu", index, i);
    text += block + " << EOD\n" + data_block(panel.series[i], least) + "EOD\n";
    plots += (plots.empty() ? "plot " : ", ") + block + " " + style_text(panel.series[i].style) + " notitle";
  }
  return text + (plots.empty() ? "plot NaN notitle" : plots) + "\n";
}

/// The sample of a legend's entry, centred on a place.
std::string sample_text(const std::string& block, const Style& style, const Place& place,
                        std::string& plots) {
  const auto [x, y] = place;
  const double left = x - Layout::kSample / 2, right = x + Layout::kSample / 2;
  const auto plot = [&](const std::string& name, const Style& shown) {
    plots += (plots.empty() ? "plot " : ", ") + name + " " + style_text(shown) + " notitle";
  };
  if (style.mark == Mark::band) {
    plot(block, style);
    return block + formatted(" << EOD\n%g %g %g\n%g %g %g\nEOD\n", left, y - 6, y + 6, right, y - 6, y + 6);
  }
  std::string middle = block + formatted("p << EOD\n%g %g\nEOD\n", x, y);
  std::string line = block + formatted(" << EOD\n%g %g\n%g %g\nEOD\n", left, y, right, y);
  Style shown = style;
  switch (style.mark) {
    case Mark::line_points:
      plot(block, {Mark::line, style.colour, style.symbol});
      plot(block + "p", {Mark::points, style.colour, style.symbol});
      return line + middle;
    case Mark::dots:
      // A cloud's own dots are too small to be seen alone.
      shown.mark = Mark::points;
      [[fallthrough]];
    case Mark::points:
    case Mark::open_points:
      plot(block + "p", shown);
      return middle;
    default:
      plot(block, style);
      return line;
  }
}

/// The legend, in a plot as large as the picture. gnuplot's own keys lie over the data or shrink the panels.
std::string legend_text(const Layout& layout) {
  if (layout.legend().empty()) return "";
  std::string text =
      "unset label\nunset xtics\nunset ytics\nunset border\nunset logscale\n"
      "set lmargin at screen 0\nset rmargin at screen 1\nset bmargin at screen 0\nset tmargin at screen 1\n";
  text += formatted("set xrange [0:%g]\nset yrange [0:%g]\n", layout.width(), layout.height());
  std::string plots;
  for (std::size_t i = 0; i < layout.legend().size(); ++i) {
    const LegendEntry& entry = layout.legend()[i];
    text += sample_text(formatted("$legend%zu", i), entry.series->style, entry.sample_at, plots);
    text += text_at(entry.label, entry.label_at, layout, "left");
  }
  return text + plots + "\n";
}

}  // namespace

double width_on_page(const Figure& figure) {
  return Layout(figure).width();
}

std::string to_gnuplot(const Figure& figure, Format format) {
  const Layout layout(figure);
  std::string text = "set encoding utf8\n" + terminal(layout, format);
  text += "set style data points\nset border 3 lw 1 lc rgb \"#404040\"\n";
  text += "unset key\nset clip two\nset multiplot\n";
  for (std::size_t index = 0; index < figure.panels.size(); ++index)
    text += panel_text(figure, index, layout);
  return text + legend_text(layout) + "unset multiplot\n";
}

}  // namespace ensyn::driver::report
