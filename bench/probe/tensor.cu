// Rates of the tensor cores by mma.sync, each format with its own fragments (fragments.h): clocks of a
// scheduler for one instruction, and multiply-adds. Every element of the results is checked.

#include "fragments.h"

namespace probe {
namespace {

template <class Op>
std::string wrong(const Chains<Op>& chains) {
  for (unsigned thread = 0; thread < kChainThreads; ++thread) {
    for (unsigned chain = 0; chain < kChains; ++chain) {
      for (int element = 0; element < Op::kElements; ++element) {
        const double is = chains.results[thread].of[chain].of[element];
        const double should = Op::expected(thread % 32, element, chain, chains.steps);
        if (is != should) return "an element is " + std::to_string(is) + ", not " + std::to_string(should);
      }
    }
  }
  return chains.difference();
}

template <class Op>
void measure_product(const Target& target, Report& report, int from_major, std::optional<double> assumption) {
  if (!target.has(from_major, 0)) return report.not_here(Op::kName);
  const Chains<Op> chains = run_chains<Op>(target, {});
  const std::string problem = wrong(chains);
  report.add({Op::kName,
              "clocks/warp",
              chains.ticks_per_warp(),
              assumption,
              problem,
              "of one of the four schedulers",
              {}});
  report.add(
      {Op::kName, "multiply-adds/clk/SM", chains.per_tick() / 32 * Op::kMultiplyAdds, {}, problem, {}, {}});
}

}  // namespace

// Assumption: limits.md, sections 2 and 9.
void measure_tensor(const Target& target, Report& report) {
  measure_product<Tf32>(target, report, 8, 6.5);
  measure_product<Bf16>(target, report, 8, 6.5);
  measure_product<Double8x8x4>(target, report, 8, {});
  measure_product<Double16x8x8>(target, report, 9, {});
}

}  // namespace probe
