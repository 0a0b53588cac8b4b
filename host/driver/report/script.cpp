#include <algorithm>
#include <cmath>
#include <set>

#include "host/driver/files/text.h"
#include "host/driver/report/axes.h"
#include "host/driver/report/figure.h"
#include "host/driver/report/gnuplot_string.h"

namespace ensyn::driver::report {
namespace {

constexpr double kPanelWidth = 290, kWidePanel = 400, kPanelHeight = 262;  ///< with axis labels and title
constexpr double kLeft = 84, kRight = 12, kTop = 52, kBottom = 50;
constexpr double kFirstColumnExtra = 8;
constexpr double kWidest = 1600;  ///< that a long name in the legend makes the figure
constexpr double kLegendRow = 22, kSample = 34;
constexpr double kCharacter = 7.2;  ///< rough width of one in the legend

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

/// The lines of a title, each a string of its own.
std::string title_text(const std::string& title) {
  std::string text;
  for (std::size_t begin = 0; begin != std::string::npos;) {
    const std::size_t end = title.find('\n', begin);
    text += (text.empty() ? "" : " . \"\\n\" . ") + gnuplot_string(title.substr(begin, end - begin));
    begin = end == std::string::npos ? end : end + 1;
  }
  return text + " noenhanced";
}

std::string number(double value) {
  return std::isfinite(value) ? formatted("%.6g", value) : "NaN";
}

std::string data_block(const Series& series) {
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
      text += " " + number(series.low[i]) + " " + number(series.high[i]) + "\n";
    } else {
      text += " " + number(series.y[i]) + "\n";
    }
  }
  return text;
}

bool has_values(const Series& series) {
  const auto finite = [](double value) { return std::isfinite(value); };
  return std::ranges::any_of(series.style.mark == Mark::band ? series.low : series.y, finite);
}

/// Characters of UTF-8 text.
std::size_t characters(const std::string& text) {
  return static_cast<std::size_t>(std::ranges::count_if(
      text, [](char byte) { return (static_cast<unsigned char>(byte) & 0xC0U) != 0x80U; }));
}

/// Where the panels lie, in pixels from the lower left corner.
class Layout {
 public:
  explicit Layout(const Figure& figure) : columns_(std::max<std::size_t>(1, figure.columns)) {
    std::set<std::string> seen;
    for (const bool bands : {false, true}) {
      for (const Panel& panel : figure.panels) {
        for (const Series& series : panel.series) {
          if (!series.in_legend || !has_values(series) || (series.style.mark == Mark::band) != bands)
            continue;
          if (seen.insert(series.label.text).second) legend_.push_back(&series);
        }
      }
    }
    rows_ = (figure.panels.size() + columns_ - 1) / columns_;
    const double panel = columns_ <= 2 ? kWidePanel : kPanelWidth;
    width_ = static_cast<double>(columns_) * panel + kFirstColumnExtra;
    std::size_t longest = 0;
    for (const Series* series : legend_) longest = std::max(longest, characters(legible(series->label.text)));
    legend_entry_ = static_cast<double>(longest) * kCharacter + kSample + 30;
    width_ = std::max(width_, std::min(legend_entry_ + 20, kWidest));
    legend_columns_ = std::clamp<std::size_t>(static_cast<std::size_t>((width_ - 20) / legend_entry_), 1,
                                              std::max<std::size_t>(1, legend_.size()));
    const std::size_t legend_rows = (legend_.size() + legend_columns_ - 1) / legend_columns_;
    legend_height_ = static_cast<double>(legend_rows) * kLegendRow + (legend_.empty() ? 0 : 6);
    height_ = static_cast<double>(rows_) * kPanelHeight + legend_height_;
  }

  [[nodiscard]] double width() const { return width_; }
  [[nodiscard]] double height() const { return height_; }
  [[nodiscard]] const std::vector<const Series*>& legend() const { return legend_; }
  [[nodiscard]] std::size_t legend_columns() const { return legend_columns_; }
  [[nodiscard]] double legend_height() const { return legend_height_; }
  [[nodiscard]] double legend_entry() const { return legend_entry_; }
  /// Where the first column begins, so that all of them are in the middle.
  [[nodiscard]] double legend_left() const {
    return std::max(10.0, (width_ - static_cast<double>(legend_columns_) * legend_entry_) / 2 + 10);
  }

  [[nodiscard]] std::string margins(std::size_t index) const {
    const double panel_width = (width_ - kFirstColumnExtra) / static_cast<double>(columns_);
    const double left = kFirstColumnExtra + static_cast<double>(index % columns_) * panel_width;
    const std::size_t row = index / columns_;
    const double top = height_ - static_cast<double>(row) * kPanelHeight;
    return formatted("set lmargin at screen %.5f\nset rmargin at screen %.5f\n", (left + kLeft) / width_,
                     (left + panel_width - kRight) / width_) +
           formatted("set tmargin at screen %.5f\nset bmargin at screen %.5f\n", (top - kTop) / height_,
                     (top - kPanelHeight + kBottom) / height_);
  }

 private:
  std::size_t columns_, rows_ = 1, legend_columns_ = 1;
  double width_ = 0, height_ = 0, legend_height_ = 0, legend_entry_ = 0;
  std::vector<const Series*> legend_;
};

std::string terminal(const Layout& layout, Format format) {
  if (format == Format::svg) {
    return formatted(
        "set terminal svg size %.0f,%.0f enhanced font \"Helvetica,13\" background \"#ffffff\"\n",
        layout.width(), layout.height());
  }
  constexpr double kScale = 2;
  return formatted(
      "set terminal pngcairo size %.0f,%.0f enhanced font \"Helvetica,12\" fontscale %g linewidth "
      "%g pointscale %g background \"#ffffff\"\n",
      kScale * layout.width(), kScale * layout.height(), kScale, kScale, kScale);
}

std::string axis_text(const char* which, const Axis& axis, const Range& range, bool narrow) {
  std::string text = formatted("%s logscale %s\n", axis.logarithmic ? "set" : "unset", which);
  text += formatted("set %srange [%.10g:%.10g]\n", which, range.from, range.to);
  text += formatted("set %stics nomirror out scale 0.7,0.4 ", which) + tics(range, axis.logarithmic, narrow) +
          "\n";
  text += formatted("set %slabel ", which) + label_text(axis.label) + "\n";
  return text;
}

std::string panel_text(const Figure& figure, std::size_t index, const Layout& layout) {
  const Panel& panel = figure.panels[index];
  const Ranges ranges = ranges_of(figure, index);
  std::string text = layout.margins(index) + "set title " + title_text(panel.title) + "\n";
  // Labels along the axis meet where several panels share the width.
  const bool narrow = panel.square || figure.columns > 2;
  text += axis_text("x", panel.x, ranges.x, narrow) + axis_text("y", panel.y, ranges.y, panel.square);
  text += panel.square ? "set size ratio -1\n" : "set size noratio\n";
  std::string plots;
  for (std::size_t i = 0; i < panel.series.size(); ++i) {
    if (!has_values(panel.series[i])) continue;
    const std::string block = formatted("$d%zu_%zu", index, i);
    text += block + " << EOD\n" + data_block(panel.series[i]) + "EOD\n";
    plots += (plots.empty() ? "plot " : ", ") + block + " " + style_text(panel.series[i].style) + " notitle";
  }
  return text + (plots.empty() ? "plot NaN notitle" : plots) + "\n";
}

/// The sample of a legend's entry, `kSample` pixels wide, centred on (x, y).
std::string sample_text(const std::string& block, const Style& style, double x, double y,
                        std::string& plots) {
  const double left = x - kSample / 2, right = x + kSample / 2;
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

/// The legend, below the panels, in pixels. gnuplot's own keys lie over the data or shrink the panels.
std::string legend_text(const Layout& layout) {
  if (layout.legend().empty()) return "";
  std::string text =
      "unset title\nunset xlabel\nunset ylabel\nunset xtics\nunset ytics\nunset border\nunset logscale\n"
      "set size noratio\nset lmargin at screen 0\nset rmargin at screen 1\nset bmargin at screen 0\n";
  text += formatted("set tmargin at screen %.5f\n", layout.legend_height() / layout.height());
  text += formatted("set xrange [0:%g]\nset yrange [0:%g]\n", layout.width(), layout.legend_height());
  std::string plots;
  for (std::size_t i = 0; i < layout.legend().size(); ++i) {
    const Series& series = *layout.legend()[i];
    const auto column = static_cast<double>(i % layout.legend_columns());
    const std::size_t row = i / layout.legend_columns();
    const double x = layout.legend_left() + column * layout.legend_entry() + kSample / 2;
    const double y = layout.legend_height() - (static_cast<double>(row) + 0.5) * kLegendRow;
    text += sample_text(formatted("$legend%zu", i), series.style, x, y, plots);
    text +=
        "set label " + label_text(series.label) + formatted(" at first %g,%g left\n", x + kSample / 2 + 8, y);
  }
  return text + plots + "\n";
}

}  // namespace

std::string to_gnuplot(const Figure& figure, Format format) {
  const Layout layout(figure);
  std::string text = "set encoding utf8\n" + terminal(layout, format);
  text += "set style data points\nset border 3 lw 1 lc rgb \"#404040\"\nset title offset 0,-0.4\n";
  text += "set xlabel offset 0,0.3\nset ylabel offset 0.6,0\nunset key\nset clip two\nset multiplot\n";
  for (std::size_t index = 0; index < figure.panels.size(); ++index)
    text += panel_text(figure, index, layout);
  return text + legend_text(layout) + "unset multiplot\n";
}

}  // namespace ensyn::driver::report
