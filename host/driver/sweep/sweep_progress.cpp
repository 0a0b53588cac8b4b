#include "host/driver/sweep/sweep_progress.h"

#include <algorithm>
#include <string>

#include "host/driver/files/text.h"

namespace ensyn::driver {

SweepProgress::SweepProgress(bool visible, std::size_t networks, std::uint64_t steps)
    : line_(visible), networks_(networks), steps_(steps) {}

void SweepProgress::watch(int worker, std::uint64_t position, std::uint64_t trained) {
  const std::lock_guard lock(mutex_);
  workers_[worker] = {position, trained};
}

void SweepProgress::show(std::size_t done) {
  if (!line_.visible()) return;
  // A speed measured over less would promise too much or too little.
  constexpr double kShortest = 2;
  const double elapsed = seconds();
  std::uint64_t position = steps_ * done;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [worker, at] : workers_) position += at.position;
  }
  const std::uint64_t all = steps_ * networks_;
  const double rate = static_cast<double>(trained()) / elapsed;
  const double left = static_cast<double>(all - std::min(all, position)) / rate;
  std::string text = grouped(done) + " of " + grouped(networks_) + " networks done, ";
  if (elapsed < kShortest || !(rate > 0)) {
    text += "measuring the speed";
  } else {
    text += grouped(static_cast<std::uint64_t>(rate)) + " network-steps/s, " + duration_text(left) + " left";
  }
  line_.show(text);
}

std::uint64_t SweepProgress::trained() const {
  const std::lock_guard lock(mutex_);
  std::uint64_t sum = 0;
  for (const auto& [worker, at] : workers_) sum += at.trained;
  return sum;
}

double SweepProgress::seconds() const {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
}

}  // namespace ensyn::driver
