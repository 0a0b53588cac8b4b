// Instructions per clock and multiprocessor of single instructions (operations.h, chains.h). The chains of
// one warp are computed on the host too, and every multiprocessor must end with the same.

#include <cstring>

#include "operations.h"

namespace probe {
namespace {

/// Words for `Operands`: an odd multiplier and a mask, then -1 and 3.7 as floats.
Operands operands() {
  constexpr float kFloats[] = {-1, 3.7F};
  Operands all{{0xD2511F53U, 0xFFFDB975U, 0, 0}};
  std::memcpy(&all.word[2], kFloats, sizeof(kFloats));
  return all;
}

template <class Op>
bool agrees(const Chains<Op>& chains, unsigned thread) {
  const Op op(operands(), thread % 32);
  typename Op::Exact x[kChains];
  for (unsigned c = 0; c < kChains; ++c) x[c] = Op::start(thread, c);
  for (unsigned step = 0; step < chains.steps; ++step) {
    for (unsigned c = 0; c < kChains; ++c) x[c] = op.exact(x[c], x[(c + 1) % kChains]);
  }
  for (unsigned c = 0; c < kChains; ++c) {
    const typename Op::Value found = chains.results[thread].of[c];
    const double error = std::abs(static_cast<double>(found) - static_cast<double>(x[c]));
    // Doubles hold not all integers of 64 bits.
    if (Op::kTolerance == 0 ? found != x[c] : !(error <= Op::kTolerance)) return false;
  }
  return true;
}

template <class Op>
void measure_rate(const Target& target, Report& report) {
  const Chains<Op> chains = run_chains<Op>(target, operands());
  std::string wrong = chains.difference();
  for (unsigned thread = 0; thread < 32 && wrong.empty(); ++thread) {
    if (!agrees(chains, thread)) wrong = "not what the host computes";
  }
  report.add({Op::kName, "/clock/SM", chains.per_tick(), Op::kAssumption, wrong, {}, {}});
}

}  // namespace

// Assumptions: limits.md, section 0.
void measure_rates(const Target& target, Report& report) {
  measure_rate<WideMultiply>(target, report);
  measure_rate<Logic>(target, report);
  measure_rate<MultiplyAdd>(target, report);
  measure_rate<Addition>(target, report);
  measure_rate<Conversion>(target, report);
  measure_rate<Exponential>(target, report);
  measure_rate<Logarithm>(target, report);
  measure_rate<ReciprocalRoot>(target, report);
  measure_rate<Reciprocal>(target, report);
  measure_rate<Root>(target, report);
  measure_rate<Sine>(target, report);
}

}  // namespace probe
