// The clock of the multiprocessors under load: ticks against the device's timer over some 300 ms of nothing
// but one kind of instruction. Of special functions the values come to rest, and the products' operands are
// small integers: both cost less power than numbers that change, so that the clock may be lower in real work.

#include "fragments.h"
#include "operations.h"

namespace probe {
namespace {

constexpr double kNanoseconds = 3e8;

double megahertz(const Span& span) {
  return 1e3 * static_cast<double>(span.ticks) / static_cast<double>(span.nanoseconds);
}

template <class Op>
void measure_under(const Target& target, Report& report, const std::string& load, const Operands& operands,
                   double assumption) {
  const Chains<Op> brief = run_chains<Op>(target, operands);
  const double once = static_cast<double>(brief.spans[0].nanoseconds);
  const auto rounds = static_cast<unsigned>(kChainRounds * std::clamp(kNanoseconds / once, 1.0, 1e5));
  const Chains<Op> chains = run_chains<Op>(target, operands, rounds);
  std::vector<double> clocks;
  for (const Span& span : chains.spans) clocks.push_back(megahertz(span));
  const auto [least, most] = std::minmax_element(clocks.begin(), clocks.end());
  std::string wrong = chains.difference();
  // No clock of these devices is outside, so that one of the two readings would be wrong.
  if (!(*least > 100 && *most < 5000)) wrong = "no clock is like that";
  report.add({"clock under " + load,
              "MHz",
              median(clocks),
              assumption,
              wrong,
              std::to_string(std::lround(*least)) + " to " + std::to_string(std::lround(*most)) +
                  " over the multiprocessors",
              {}});
}

}  // namespace

// Assumptions: limits.md, section 0; that for products is under wgmma.
void measure_clock(const Target& target, Report& report) {
  measure_under<Exponential>(target, report, "MUFU.EX2", {}, 1900);
  // Words 2 and 3 are the floats -1 and 3.7.
  measure_under<MultiplyAdd>(target, report, "FFMA", {{0, 0, 0xBF800000U, 0x406CCCCDU}}, 1900);
  if (target.has(8, 0)) {
    measure_under<Tf32>(target, report, "mma tf32", {}, 1750);
  } else {
    report.not_here("clock under mma tf32");
  }
}

}  // namespace probe
