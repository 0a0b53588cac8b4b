/// \file
/// Where a figure's parts lie. Room is reserved for text by its extent in the widest of the figures' fonts,
/// so that a picture looks the same, and nothing in it is cut or overlaps, whichever fonts a machine has.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "host/driver/report/axes.h"
#include "host/driver/report/figure.h"

namespace ensyn::driver::report {

/// All places are in pixels from the picture's lower left corner.
struct Place {
  double x = 0, y = 0;
};

/// One panel: its ranges and text, and where they lie.
struct PanelLayout {
  Ranges ranges;
  std::vector<Tic> x_tics, y_tics;
  double left = 0, right = 0, bottom = 0, top = 0;  ///< the axes
  std::vector<std::string> title;                   ///< lines, from above
  Label x_label, y_label;
  Place title_at;    ///< middle of its first line
  Place x_label_at;  ///< middle
  Place y_label_at;  ///< middle of text that goes upwards
  Place letter_at;   ///< left end
};

struct LegendEntry {
  const Series* series = nullptr;
  Label label;
  Place sample_at;  ///< middle
  Place label_at;   ///< left end
};

class Layout {
 public:
  static constexpr double kSample = 34;  ///< width of the sample of a legend's entry

  /// \param figure must live as long as this
  explicit Layout(const Figure& figure);

  [[nodiscard]] double width() const { return width_; }
  [[nodiscard]] double height() const { return height_; }
  [[nodiscard]] const std::vector<PanelLayout>& panels() const { return panels_; }
  [[nodiscard]] const std::vector<LegendEntry>& legend() const { return legend_; }

 private:
  struct Sides {
    double left = 0, right = 0;
  };

  void choose_text(const Figure& figure);
  void choose_plots(const Figure& figure);
  [[nodiscard]] Sides sides_of(const Figure& figure, std::size_t column) const;
  void find_legend(const Figure& figure);
  void choose_size(const Figure& figure);
  void place_panels();
  void place_legend();

  std::size_t columns_, rows_, legend_rows_ = 0;
  double plot_width_ = 0, plot_height_ = 0;
  double width_ = 0, height_ = 0, panels_width_ = 0, legend_entry_ = 0;
  std::vector<double> above_;  ///< room for the titles of each row
  std::vector<Sides> sides_;
  std::vector<PanelLayout> panels_;
  std::vector<LegendEntry> legend_;
};

/// Whether anything of the series can be drawn.
[[nodiscard]] bool has_values(const Series& series);

}  // namespace ensyn::driver::report
