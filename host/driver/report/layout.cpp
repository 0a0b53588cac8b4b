#include "host/driver/report/layout.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "host/driver/files/text.h"
#include "host/driver/report/text_extent.h"

namespace ensyn::driver::report {
namespace {

constexpr double kPage = 1160;  ///< width of a figure on the page, unless its panels would become too narrow
constexpr double kEdge = 8;     ///< around everything
constexpr double kLeastPlot = 150, kMostPlot = 330;
constexpr double kTicRoom = 16;  ///< from the axis to the labels of its tics
constexpr double kLabelGap = 8;  ///< between those and the axis's own label
constexpr double kColumnGap = 10, kRowGap = 14;
constexpr double kTitleGap = 8;
/// Below the axes: labels of tics, and the axis's own.
constexpr double kBelow = kTicRoom + kLineHeight + kLabelGap / 2 + kLineHeight;
constexpr double kLetter = 26;  ///< of a panel's letter, with the gap to the title
constexpr double kLegendGap = 12, kLegendRow = 24, kLegendSpace = 28;

double extent(const Label& label) {
  return label.is_markup ? markup_width(label.text) : text_width(legible(label.text));
}

Label shortened(const Label& label, double width) {
  return label.is_markup ? label : Label(elided(legible(label.text), width));
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  if (text.empty()) return lines;
  for (std::size_t begin = 0; begin != std::string::npos;) {
    const std::size_t end = text.find('\n', begin);
    lines.push_back(text.substr(begin, end == std::string::npos ? end : end - begin));
    begin = end == std::string::npos ? end : end + 1;
  }
  return lines;
}

double plot_height(std::size_t columns) {
  return columns <= 2 ? 230 : columns == 3 ? 200 : 165;
}

double title_width(const PanelLayout& panel) {
  double width = 0;
  for (const std::string& line : panel.title) width = std::max(width, text_width(line));
  return width;
}

/// Panels one above the other would make a tall column, so that they stand side by side.
std::size_t columns_of(const Figure& figure) {
  constexpr std::size_t kMost = 4;
  const std::size_t count = figure.panels.size();
  if (figure.columns > 1 || count <= 1) return std::max<std::size_t>(1, figure.columns);
  const std::size_t rows = (count + kMost - 1) / kMost;
  return (count + rows - 1) / rows;
}

}  // namespace

bool has_values(const Series& series) {
  const auto finite = [](double value) { return std::isfinite(value); };
  return std::ranges::any_of(series.style.mark == Mark::band ? series.low : series.y, finite);
}

Layout::Layout(const Figure& figure)
    : columns_(columns_of(figure)),
      rows_((figure.panels.size() + columns_ - 1) / columns_),
      panels_(figure.panels.size()) {
  choose_text(figure);
  choose_plots(figure);
  find_legend(figure);
  choose_size(figure);
  place_panels();
  place_legend();
}

void Layout::choose_text(const Figure& figure) {
  const double most = std::max(kPage / static_cast<double>(columns_), kLeastPlot) - 2 * kColumnGap;
  plot_height_ = plot_height(columns_);
  for (std::size_t i = 0; i < panels_.size(); ++i) {
    PanelLayout& panel = panels_[i];
    for (const std::string& line : lines_of(figure.panels[i].title)) {
      panel.title.push_back(elided(legible(line), most));
    }
    panel.x_label = shortened(figure.panels[i].x.label, most);
    panel.y_label = shortened(figure.panels[i].y.label, plot_height_ + 2 * kLineHeight);
  }
}

void Layout::choose_plots(const Figure& figure) {
  const bool square = std::ranges::any_of(figure.panels, &Panel::square);
  for (std::size_t i = 0; i < panels_.size(); ++i) {
    panels_[i].ranges = ranges_of(figure, i);
    panels_[i].y_tics = tics(panels_[i].ranges.y, figure.panels[i].y.logarithmic, {plot_height_, false});
  }
  double sides = 2 * kEdge;
  for (std::size_t column = 0; column < columns_; ++column) {
    sides_.push_back(sides_of(figure, column));
    sides += sides_.back().left + sides_.back().right;
  }
  plot_width_ = std::clamp((kPage - sides) / static_cast<double>(columns_), kLeastPlot, kMostPlot);
  if (square) plot_width_ = plot_height_;
  for (std::size_t i = 0; i < panels_.size(); ++i) {
    panels_[i].x_tics = tics(panels_[i].ranges.x, figure.panels[i].x.logarithmic, {plot_width_, true});
  }
  // Now that the width is known, so is what reaches beyond it.
  for (std::size_t column = 0; column < columns_; ++column) sides_[column] = sides_of(figure, column);
}

Layout::Sides Layout::sides_of(const Figure& figure, std::size_t column) const {
  Sides sides{0, kColumnGap};
  for (std::size_t i = column; i < panels_.size(); i += columns_) {
    const PanelLayout& panel = panels_[i];
    double left = kTicRoom + widest(panel.y_tics) + kColumnGap;
    if (!panel.y_label.text.empty()) left += kLabelGap + kLineHeight;
    // A label may stand at the very end of its axis.
    double right = widest(panel.x_tics) / 2 + kColumnGap;
    if (plot_width_ > 0) {
      const double title = (title_width(panel) - plot_width_) / 2;
      const double text = std::max(title, (extent(panel.x_label) - plot_width_) / 2) + kColumnGap / 2;
      right = std::max(right, text);
      left = std::max(left, text);
      if (!figure.panels[i].letter.empty()) left = std::max(left, title + kLetter + kColumnGap / 2);
    }
    sides.left = std::max(sides.left, left);
    sides.right = std::max(sides.right, right);
  }
  return sides;
}

void Layout::choose_size(const Figure& figure) {
  panels_width_ = 0;
  for (const Sides& sides : sides_) panels_width_ += sides.left + plot_width_ + sides.right;
  width_ = std::max(panels_width_, legend_entry_ - kLegendSpace) + 2 * kEdge;
  above_.assign(rows_, 0);
  for (std::size_t i = 0; i < panels_.size(); ++i) {
    const std::size_t lines =
        std::max<std::size_t>(panels_[i].title.size(), figure.panels[i].letter.empty() ? 0 : 1);
    const double room = static_cast<double>(lines) * kLineHeight + kTitleGap;
    above_[i / columns_] = std::max(above_[i / columns_], room);
  }
  height_ = 2 * kEdge;
  for (const double room : above_) height_ += room + plot_height_ + kBelow + kRowGap;
  if (rows_ > 0) height_ -= kRowGap;
  if (legend_.empty()) return;
  const double room = width_ - 2 * kEdge + kLegendSpace;
  const std::size_t most = std::max<std::size_t>(1, static_cast<std::size_t>(room / legend_entry_));
  legend_rows_ = (legend_.size() + most - 1) / most;
  height_ += static_cast<double>(legend_rows_) * kLegendRow + kLegendGap;
}

void Layout::place_panels() {
  double top = height_ - kEdge;
  for (std::size_t row = 0; row < rows_; ++row) {
    double left = (width_ - panels_width_) / 2;
    for (std::size_t column = 0; column < columns_ && row * columns_ + column < panels_.size(); ++column) {
      PanelLayout& panel = panels_[row * columns_ + column];
      const Sides& sides = sides_[column];
      panel.left = left + sides.left, panel.right = panel.left + plot_width_;
      panel.top = top - above_[row], panel.bottom = panel.top - plot_height_;
      const double middle = (panel.left + panel.right) / 2;
      const auto lines = static_cast<double>(panel.title.size());
      panel.title_at = {middle, panel.top + kTitleGap + (lines - 0.5) * kLineHeight};
      panel.letter_at = {left + kColumnGap / 2, top - kLineHeight / 2};
      panel.x_label_at = {middle, panel.bottom - kBelow + kLineHeight / 2};
      panel.y_label_at = {panel.left - kTicRoom - widest(panel.y_tics) - kLabelGap - kLineHeight / 2,
                          (panel.bottom + panel.top) / 2};
      left = panel.right + sides.right;
    }
    top -= above_[row] + plot_height_ + kBelow + kRowGap;
  }
}

void Layout::find_legend(const Figure& figure) {
  constexpr double kMost = kPage - kSample - kLabelGap;  // a longer name is shortened
  std::set<std::string> seen;
  for (const bool bands : {false, true}) {
    for (const Panel& panel : figure.panels) {
      for (const Series& series : panel.series) {
        if (!series.in_legend || !has_values(series) || (series.style.mark == Mark::band) != bands) continue;
        if (!seen.insert(series.label.text).second) continue;
        legend_.push_back({&series, shortened(series.label, kMost), {}, {}});
        legend_entry_ =
            std::max(legend_entry_, kSample + kLabelGap + extent(legend_.back().label) + kLegendSpace);
      }
    }
  }
}

void Layout::place_legend() {
  if (legend_.empty()) return;
  const std::size_t across = (legend_.size() + legend_rows_ - 1) / legend_rows_;
  const double left = (width_ - static_cast<double>(across) * legend_entry_ + kLegendSpace) / 2;
  for (std::size_t i = 0; i < legend_.size(); ++i) {
    const double x = left + static_cast<double>(i % across) * legend_entry_;
    const std::size_t row = i / across;
    const double y = kEdge + (static_cast<double>(legend_rows_ - row) - 0.5) * kLegendRow;
    legend_[i].sample_at = {x + kSample / 2, y};
    legend_[i].label_at = {x + kSample + kLabelGap, y};
  }
}

}  // namespace ensyn::driver::report
