#include "host/driver/sweep/sweep_work.h"

#include <algorithm>
#include <cmath>
#include <system_error>
#include <tuple>
#include <utility>

namespace ensyn::driver {
namespace {

/// Networks of one architecture and one kind of noise take equally long and so make good chunks.
auto kind_of(const Grid& grid, std::size_t network) {
  return std::tuple(grid.hidden(network), grid.network(network).noise, network);
}

}  // namespace

SweepWork::SweepWork(const Grid& grid, SweepFile& rows, std::filesystem::path partial,
                     std::vector<Chunk> started, int workers)
    : grid_(grid),
      rows_(rows),
      partial_(std::move(partial)),
      started_(started.begin(), started.end()),
      workers_(static_cast<std::size_t>(workers)) {
  std::vector<bool> begun(grid.size());
  for (const Chunk& chunk : started) {
    for (const std::size_t network : chunk.networks) begun[network] = true;
  }
  for (std::size_t network = 0; network < grid.size(); ++network) {
    if (!begun[network] && !rows.has(network)) pending_.push_back(network);
  }
  std::ranges::sort(pending_, std::greater{}, [&](std::size_t network) { return kind_of(grid, network); });
}

std::optional<Chunk> SweepWork::next(std::size_t wanted) {
  const std::lock_guard lock(mutex_);
  if (!started_.empty()) {
    Chunk chunk = std::move(started_.front());
    started_.pop_front();
    return chunk;
  }
  if (pending_.empty()) return std::nullopt;
  const std::size_t fair = (pending_.size() + workers_ - 1) / workers_;
  Chunk chunk{pending_.back(), {}, {}};
  while (!pending_.empty() && chunk.networks.size() < std::min(wanted, fair) &&
         grid_.hidden(pending_.back()) == grid_.hidden(chunk.id)) {
    chunk.networks.push_back(pending_.back());
    pending_.pop_back();
  }
  return chunk;
}

void SweepWork::take(const Delivery& delivery) {
  const std::lock_guard lock(mutex_);
  if (!delivery.results.empty()) rows_.add(delivery.results);
  if (!delivery.done) return;
  std::error_code ignored;
  std::filesystem::remove(partial_file(partial_, *delivery.done), ignored);
}

std::size_t SweepWork::done() const {
  const std::lock_guard lock(mutex_);
  return rows_.count();
}

std::size_t SweepWork::diverged() const {
  const std::lock_guard lock(mutex_);
  std::size_t count = 0;
  for (std::size_t network = 0; network < grid_.size(); ++network) {
    if (rows_.has(network) && !std::isnan(rows_.value(network, "diverged_at"))) ++count;
  }
  return count;
}

}  // namespace ensyn::driver
