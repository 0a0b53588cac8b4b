#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "host/cpu/kernels.cpp"
#include <hwy/foreach_target.h>
// Highway asks for this order: foreach_target.h first.
#include "host/cpu/advance-inl.h"
#include "host/cpu/dense-inl.h"
#include "host/cpu/softmax-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ensyn::HWY_NAMESPACE {

template <class T>
inline constexpr cpu::KernelTable<T> kTable{
    .advance_heterogeneous = advance_heterogeneous<T>,
    .update_homogeneous = update_homogeneous<T>,
    .sample_homogeneous = sample_homogeneous<T>,
    .sample_plain = sample_plain<T>,
    .forward = forward<T>,
    .backward = backward<T>,
    .loss = loss<T>,
    .log_softmax = log_softmax<T>,
    .normalize = normalize<T>,
};

}  // namespace ensyn::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

#  include <hwy/targets.h>

#  include "ensyn/error.h"

namespace ensyn::cpu {
namespace {

std::vector<InstructionSet> find_usable() {
  std::vector<InstructionSet> sets;
  const auto supported = hwy::SupportedTargets();
  (void)supported;
#  if HWY_TARGETS & HWY_AVX3
  if (supported & HWY_AVX3) sets.push_back({"avx512", &N_AVX3::kTable<float>, &N_AVX3::kTable<double>});
#  endif
#  if HWY_TARGETS & HWY_AVX2
  if (supported & HWY_AVX2) sets.push_back({"avx2", &N_AVX2::kTable<float>, &N_AVX2::kTable<double>});
#  endif
#  if HWY_TARGETS & HWY_NEON
  sets.push_back({"neon", &N_NEON::kTable<float>, &N_NEON::kTable<double>});
#  endif
#  if HWY_TARGETS & HWY_EMU128
  sets.push_back({"portable", &N_EMU128::kTable<float>, &N_EMU128::kTable<double>});
#  endif
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
  stream.first_quad =
      static_cast<std::uint64_t>(key.tensor) << 40 | static_cast<std::uint64_t>(key.purpose) << 52;
  return stream;
}

}  // namespace ensyn::cpu

#endif  // HWY_ONCE
