#include <hwy/targets.h>

#include <string>
#include <vector>

#include "ensyn/error.h"
#include "host/cpu/kernels.h"

namespace ensyn::cpu {
namespace {

std::vector<InstructionSet> find_usable() {
  const auto supported = hwy::SupportedTargets();
  std::vector<InstructionSet> sets;
  const auto add = [&](auto target, const InstructionSet& set) {
    if (set.single_precision != nullptr && (supported & target) != 0) sets.push_back(set);
  };
  add(HWY_AVX3, {"avx512", avx512_table<float>(), avx512_table<double>()});
  add(HWY_AVX2, {"avx2", avx2_table<float>(), avx2_table<double>()});
  add(HWY_NEON, {"neon", neon_table<float>(), neon_table<double>()});
  // Every processor runs it, whatever Highway says of those that have better.
  add(supported, {"portable", portable_table<float>(), portable_table<double>()});
  return sets;
}

}  // namespace

std::span<const InstructionSet> usable_instruction_sets() {
  static const std::vector<InstructionSet> sets = find_usable();
  return sets;
}

const InstructionSet& find_instruction_set(const std::string& name) {
  const auto sets = usable_instruction_sets();
  if (name == "auto") return sets.front();
  std::string usable;
  for (const auto& set : sets) {
    if (set.name == name) return set;
    usable += (usable.empty() ? "" : ", ") + std::string(set.name);
  }
  throw DeviceError("instruction set '" + name + "' cannot run here: use auto or one of " + usable);
}

NoiseStream NoiseStream::from(const NoiseKey& key) noexcept {
  NoiseStream stream;
  auto k0 = static_cast<std::uint32_t>(key.seed), k1 = static_cast<std::uint32_t>(key.seed >> 32);
  for (std::size_t r = 0; r < 10; ++r, k0 += 0x9E3779B9u, k1 += 0xBB67AE85u) {
    stream.round_keys[2 * r] = k0;
    stream.round_keys[2 * r + 1] = k1;
  }
  stream.step_and_stream = key.step | static_cast<std::uint64_t>(key.stream) << 40;
  stream.first_quad = static_cast<std::uint64_t>(key.tensor) << 40 | static_cast<std::uint64_t>(key.purpose)
                                                                         << 52;
  return stream;
}

}  // namespace ensyn::cpu
