#include "host/model/engine.h"

#include "host/model/divergence.h"

namespace ensyn {

void report_divergence(const Engine& engine, const PopulationConfig& config,
                       std::span<const std::uint64_t> diverged_at) {
  for (int member = 0; member < static_cast<int>(diverged_at.size()); ++member) {
    const std::uint64_t step = diverged_at[static_cast<std::size_t>(member)];
    if (step != kNoDivergence) throw loss_divergence(config, member, step, engine.read(member));
  }
}

void check_finite(Engine& engine, const PopulationConfig& config, std::uint64_t steps) {
  const std::optional<int> member = engine.first_not_finite();
  if (!member) return;
  // The engine looks fast, and the state says where.
  const std::optional<NotFinite> found = find_not_finite(config, *member, engine.read(*member));
  if (found) throw state_divergence(config, *member, steps, *found);
}

}  // namespace ensyn
