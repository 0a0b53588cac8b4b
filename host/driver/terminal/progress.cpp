#include "host/driver/terminal/progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <string>
#include <utility>

#include "host/driver/files/text.h"

namespace ensyn::driver {
namespace {

std::size_t terminal_width() {
  winsize size = {};
  const bool known = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return known ? size.ws_col : 80;
}

std::string& heading() {
  static std::string text;
  return text;
}

/// Rewrites the line, as much of it as fits.
void rewrite(std::string text) {
  text.resize(std::min(text.size(), terminal_width() - 1));
  std::cerr << "\r\033[K" << text << std::flush;
}

}  // namespace

TerminalLine::TerminalLine(bool wanted) : visible_(wanted && isatty(STDERR_FILENO) != 0) {}

TerminalLine::~TerminalLine() {
  clear();
}

void TerminalLine::show(std::string text) {
  if (visible_) rewrite(heading().empty() ? std::move(text) : heading() + ": " + text);
}

void TerminalLine::clear() {
  if (visible_) rewrite(heading());
}

LineHeading::LineHeading(bool wanted, std::string text) : visible_(wanted && isatty(STDERR_FILENO) != 0) {
  if (!visible_) return;
  heading() = std::move(text);
  rewrite(heading());
}

LineHeading::~LineHeading() {
  if (!visible_) return;
  heading().clear();
  rewrite("");
}

ProgressLine::ProgressLine(bool wanted, int epochs, std::uint64_t first_step)
    : line_(wanted), epochs_(epochs), first_step_(first_step), start_(std::chrono::steady_clock::now()) {}

void ProgressLine::show(const Progress& progress) {
  if (!line_.visible() || progress.step <= first_step_) return;
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start_;
  const double rate = static_cast<double>(progress.step - first_step_) / elapsed.count();
  const std::uint64_t end = progress.steps_per_epoch * static_cast<std::uint64_t>(epochs_);
  const double left = static_cast<double>(end - progress.step) / rate;
  const std::uint64_t epoch = (progress.step - 1) / progress.steps_per_epoch + 1;
  const TrainingMetrics& metrics = progress.metrics.front();
  line_.show("epoch " + std::to_string(epoch) + "/" + std::to_string(epochs_) +
             formatted(", loss %.4f, accuracy %.2f %%, ", metrics.nll, 100 * metrics.accuracy) +
             grouped(static_cast<std::uint64_t>(rate)) + " steps/s, " + duration_text(left) + " left");
}

}  // namespace ensyn::driver
