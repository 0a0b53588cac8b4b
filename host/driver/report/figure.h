/// \file
/// A figure as data: panels of series. From it come the gnuplot script and the CSV file beside the picture.
#pragma once

#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "host/driver/files/csv.h"

namespace ensyn::driver::report {

/// Okabe and Ito's colours, which colour-blind people can tell apart, and two greys.
enum class Colour { black, orange, sky_blue, green, yellow, blue, vermilion, purple, grey, light_grey };

enum class Mark {
  line,
  dashed,
  dotted,
  line_points,  ///< the series' symbol on a line
  points,       ///< the series' symbol, filled
  open_points,  ///< the series' symbol, not filled
  dots,         ///< small filled circles for many points
  band,         ///< between `low` and `high`, shaded
};

enum class Symbol { circle, square, triangle, inverted_triangle, diamond };

struct Style {
  Mark mark = Mark::line;
  Colour colour = Colour::black;
  Symbol symbol = Symbol::circle;
};

/// A piece of a figure's text. It is drawn literally, whatever it holds, unless it is `markup`.
struct Label {
  std::string text;
  bool is_markup = false;

  Label() = default;
  // NOLINTBEGIN(google-explicit-constructor): texts are labels.
  Label(std::string literal) : text(std::move(literal)) {}
  Label(const char* literal) : text(literal) {}
  // NOLINTEND(google-explicit-constructor)
};

/// gnuplot's enhanced text, such as `σ^2`, in which `_ ^ { } @ & ~` have a meaning; never of text from
/// outside.
[[nodiscard]] Label markup(const char* text);

/// What one curve or cloud shows. Values that are not finite are gaps.
struct Series {
  Label label;  ///< in the legend once per figure, and in the CSV file
  Style style;
  std::vector<double> x, y;       ///< y is empty for a band
  std::vector<double> low = {};   ///< of a band
  std::vector<double> high = {};  ///< of a band
  bool in_legend = true;
  bool sets_range = true;  ///< whether the axes must hold all of it
};

struct Axis {
  Label label;  ///< with the unit
  bool logarithmic = false;
  std::optional<double> from = std::nullopt, to = std::nullopt;  ///< instead of what the series need
};

struct Panel {
  std::string title;  ///< plain text; may have two lines
  Axis x, y;
  std::vector<Series> series;
  bool square = false;      ///< its axes are equally long
  std::string letter = {};  ///< as in the paper, of a row: that of its first panel; of ASCII, drawn above it
};

struct Figure {
  std::string name;           ///< of the files, for example `fig2`
  std::string title;          ///< plain text
  std::string caption;        ///< plain text
  std::size_t columns = 1;    ///< where there is one, its panels stand side by side all the same
  std::vector<Panel> panels;  ///< row by row
  bool shared_rows = true;    ///< the panels of a row have one range on each axis
};

/// Points that a scatter panel shows of its many, so that a picture of `clouds` of them stays well under 2
/// MB.
[[nodiscard]] std::size_t points_per_cloud(std::size_t clouds);

/// At most `count` of the numbers below `size`, ascending, without pattern: always the same ones.
[[nodiscard]] std::vector<std::size_t> spread_indices(std::size_t size, std::size_t count);

/// What the figure shows: `panel,series,x,y,low,high`, a row per value. A panel is its letter and title.
[[nodiscard]] Table to_table(const Figure& figure);

enum class Format { svg, png, pdf };

/// The script that draws the figure on gnuplot's standard output.
[[nodiscard]] std::string to_gnuplot(const Figure& figure, Format format);

/// Pixels of the picture's width on a page whose text is as large as the figures'.
[[nodiscard]] double width_on_page(const Figure& figure);

/// gnuplot's PDF without the time at which it was drawn, so that the same figure is the same file.
[[nodiscard]] std::string own_pdf(std::string drawn);

/// gnuplot's SVG with the fonts to take where a viewer lacks the first, with its ids made the figure's own,
/// so that several can stand in one HTML file, and with the figure's title and caption for those who cannot
/// see it.
[[nodiscard]] std::string own_svg(const std::string& drawn, const Figure& figure);

}  // namespace ensyn::driver::report
