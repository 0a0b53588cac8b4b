#include "kernels/finish_step.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "kernels/reference.h"
#include "kernels/support.h"

namespace ensyn::kernels::test {
namespace {

enum What { kNll = 90, kCorrect, kParts };

template <class T>
struct Problem {
  Problem(const std::vector<Member>& networks, int batch_size, int parts)
      : members(networks), batch(batch_size), part_count(parts), population(members) {
    const int count = static_cast<int>(members.size());
    for (int n = 0; n < count; ++n) {
      for (int b = 0; b < batch; ++b) {
        nll_values.push_back(static_cast<T>(value(kNll, n, b, 0) + 1));
        correct_values.push_back(value(kCorrect, n, b, 0) > 0 ? 1 : 0);
      }
      for (int i = 0; i < parts; ++i) part_values.push_back(static_cast<T>(100 * value(kParts, n, i, 0)));
    }
  }

  void run() {
    const DeviceArray<T> nll(nll_values), parts(part_values);
    const DeviceArray<std::uint8_t> correct(correct_values);
    FinishStep<T> args;
    args.networks = static_cast<int>(members.size());
    args.constants = population.constants.data();
    args.progress = population.progress.data();
    args.shared_phi = population.shared.data();
    args.partial_sums = parts.data();
    args.partial_sum_count = part_count;
    args.nll = nll.data();
    args.correct = correct.data();
    args.batch = batch;
    const DeviceArray<PhiGroup> device_groups(groups);
    args.groups = device_groups.data();
    finish_step(args, stream().get());
    // The arrays above are read when the stream comes to it.
    stream().wait();
  }

  [[nodiscard]] double nll_of(int n) const {
    double sum = 0;
    for (int b = 0; b < batch; ++b)
      sum += static_cast<double>(nll_values[static_cast<std::size_t>(n * batch + b)]);
    return sum;
  }
  [[nodiscard]] std::uint64_t correct_of(int n) const {
    std::uint64_t sum = 0;
    for (int b = 0; b < batch; ++b) sum += correct_values[static_cast<std::size_t>(n * batch + b)];
    return sum;
  }
  [[nodiscard]] double parts_of(int n) const {
    double sum = 0;
    for (int i = 0; i < part_count; ++i) {
      sum += static_cast<double>(part_values[static_cast<std::size_t>(n * part_count + i)]);
    }
    return sum;
  }

  std::vector<Member> members;
  int batch, part_count;
  /// By default all parts belong to one.
  std::vector<PhiGroup> groups{{0, part_count, 1000}};
  Population<T> population;
  std::vector<T> nll_values, part_values;
  std::vector<std::uint8_t> correct_values;
};

/// That these are the textbook's rates at the zero-based step `step`.
template <class T>
void expect_rates(const detail::AdamRates<T>& rates, const oracle::Settings& s, std::uint64_t step) {
  const auto t = static_cast<double>(step + 1);
  // Rounded to T; in double 1 - beta^t is known to an epsilon of 1, however small it is.
  const double relative = kEpsilon<T> + 4 * kEpsilon<double> / (1 - s.beta2);
  const double step_size = s.learning_rate / (1 - std::pow(s.beta1, t));
  const double root_correction = 1 / std::sqrt(1 - std::pow(s.beta2, t));
  EXPECT_NEAR(rates.step_size, step_size, relative * step_size);
  EXPECT_NEAR(rates.root_correction, root_correction, relative * root_correction);
  EXPECT_EQ(rates.beta1, static_cast<T>(s.beta1));
  EXPECT_EQ(rates.beta2, static_cast<T>(s.beta2));
  EXPECT_EQ(rates.one_minus_beta1, static_cast<T>(1 - s.beta1));
  EXPECT_EQ(rates.one_minus_beta2, static_cast<T>(1 - s.beta2));
  EXPECT_EQ(rates.epsilon, static_cast<T>(s.epsilon));
}

template <class T>
class FinishStepTest : public ::testing::Test {};
TYPED_TEST_SUITE(FinishStepTest, Numbers);

TYPED_TEST(FinishStepTest, SumsTheMinibatchesAndAdvances) {
  for (const int batch : {1, 3, 20, 130}) {
    Problem<TypeParam> problem(members(3, Noise::mixed), batch, 5);
    for (int k = 1; k <= 3; ++k) {
      problem.run();
      const auto progress = problem.population.progress.read();
      for (std::size_t n = 0; n < 3; ++n) {
        const double nll = k * problem.nll_of(static_cast<int>(n));
        // Up to 390 additions in double.
        EXPECT_NEAR(progress[n].nll, nll, 1e-14 * nll);
        EXPECT_EQ(progress[n].correct, static_cast<unsigned>(k) * problem.correct_of(static_cast<int>(n)));
        EXPECT_EQ(progress[n].examples, static_cast<unsigned>(k * batch));
        EXPECT_EQ(progress[n].diverged_at, kNoStep);
        EXPECT_EQ(progress[n].step, problem.members[n].step + static_cast<unsigned>(k));
        expect_rates(progress[n].adam, problem.members[n].settings, progress[n].step);
      }
    }
  }
}

TYPED_TEST(FinishStepTest, RatesAreThoseOfTheNextStep) {
  for (const std::uint64_t next : {0, 1, 9, 149999}) {
    std::vector<Member> networks = members(2, Noise::heterogeneous);
    networks[1].settings.beta1 = 0.5;
    networks[1].settings.beta2 = 0.9999;
    for (Member& member : networks) member.step = next - 1;  // 2^64 - 1 before step 0: steps wrap
    Problem<TypeParam> problem(networks, 2, 0);
    problem.run();
    const auto progress = problem.population.progress.read();
    for (std::size_t n = 0; n < 2; ++n) {
      EXPECT_EQ(progress[n].step, next);
      expect_rates(progress[n].adam, networks[n].settings, next);
    }
  }
}

TYPED_TEST(FinishStepTest, NotesTheFirstStepThatIsNotFiniteAndOnlyThat) {
  using T = TypeParam;
  for (const T bad : {std::numeric_limits<T>::quiet_NaN(), std::numeric_limits<T>::infinity(),
                      -std::numeric_limits<T>::infinity()}) {
    Problem<T> problem(members(3, Noise::mixed), 20, 5);
    problem.run();
    const std::vector<T> good = problem.nll_values;
    problem.nll_values[20 + 13] = bad;  // of the second network
    problem.run();
    problem.run();
    problem.nll_values = good;
    problem.run();
    const auto progress = problem.population.progress.read();
    EXPECT_EQ(progress[0].diverged_at, kNoStep);
    EXPECT_EQ(progress[1].diverged_at, problem.members[1].step + 1);
    EXPECT_EQ(progress[2].diverged_at, kNoStep);
    EXPECT_EQ(progress[1].examples, 20U) << "sums stop where the loss stopped being finite";
    EXPECT_NEAR(progress[1].nll, problem.nll_of(1), 1e-14 * problem.nll_of(1));
    EXPECT_EQ(progress[0].examples, 80U);
    EXPECT_EQ(progress[1].step, problem.members[1].step + 4);
  }
}

TYPED_TEST(FinishStepTest, UpdatesASharedPhi) {
  using T = TypeParam;
  const std::vector<NamedCosts> costs = all_costs();
  std::vector<Member> networks = members(static_cast<int>(costs.size()), Noise::homogeneous);
  for (std::size_t n = 0; n < networks.size(); ++n) {
    networks[n].settings.terms = costs[n].terms;
    networks[n].settings.variational = costs[n].variational;
    networks[n].settings.prior_sigma = costs[n].prior_sigma;
  }
  for (const int parts : {0, 1, 26}) {
    Problem<T> problem(networks, 3, parts);
    problem.run();
    const std::vector<T> got = problem.population.shared.read();
    std::vector<Number> want;
    for (std::size_t n = 0; n < networks.size(); ++n) {
      const Member& m = networks[n];
      const Number cost = cost_gradient<T>(m.settings, oracle::softplus(m.shared_phi));
      const double noise = problem.parts_of(static_cast<int>(n)) / problem.groups[0].size;
      const double slope = oracle::sigmoid(m.shared_phi);
      const double size = std::abs(noise) + std::abs(cost.value);
      const Adam updated = adam<T>(
          m.settings, m.step, m.shared_phi, m.shared_moment1, m.shared_moment2,
          {slope * (noise + cost.value), slope * (cost.error + allowance::kWeight * kEpsilon<T> * size)});
      append(want, {updated.value, updated.moment1, updated.moment2});
    }
    EXPECT_TRUE(close({got.begin(), got.end()}, want)) << parts << " partial sums";
  }
}

TYPED_TEST(FinishStepTest, UpdatesEachGroupFromItsOwnParts) {
  using T = TypeParam;
  // More groups than threads, of one to five parts and of sizes of their own.
  constexpr int kGroups = 77;
  std::vector<Member> networks = members(3, Noise::per_neuron);
  for (Member& member : networks) member.groups = kGroups;
  std::vector<PhiGroup> groups;
  int parts = 0;
  for (int g = 0; g < kGroups; ++g) {
    groups.push_back({parts, 1 + g % 5, 10.0 + g});
    parts += groups.back().part_count;
  }
  Problem<T> problem(networks, 3, parts);
  problem.groups = groups;
  problem.run();
  const std::vector<T> got = problem.population.shared.read();
  std::vector<Number> want;
  for (std::size_t n = 0; n < networks.size(); ++n) {
    const Member& m = networks[n];
    for (int g = 0; g < kGroups; ++g) {
      const PhiGroup& group = groups[static_cast<std::size_t>(g)];
      double sum = 0;
      for (int i = 0; i < group.part_count; ++i) {
        sum += static_cast<double>(problem.part_values[n * static_cast<std::size_t>(parts) +
                                                       static_cast<std::size_t>(group.first_part + i)]);
      }
      const Number cost = cost_gradient<T>(m.settings, oracle::softplus(m.phi_of(g)));
      const double noise = sum / group.size, slope = oracle::sigmoid(m.phi_of(g));
      const double size = std::abs(noise) + std::abs(cost.value);
      const Adam updated = adam<T>(
          m.settings, m.step, m.phi_of(g), m.shared_moment1, m.shared_moment2,
          {slope * (noise + cost.value), slope * (cost.error + allowance::kWeight * kEpsilon<T> * size)});
      append(want, {updated.value, updated.moment1, updated.moment2});
    }
  }
  EXPECT_TRUE(close({got.begin(), got.end()}, want));
}

TYPED_TEST(FinishStepTest, LeavesThePhiOfHeterogeneousNetworksAlone) {
  using T = TypeParam;
  Problem<T> problem(members(3, Noise::mixed), 3, 4);
  const std::vector<T> before = problem.population.shared.read();
  problem.run();
  const std::vector<T> after = problem.population.shared.read();
  for (std::size_t i = 0; i < 9; ++i) EXPECT_EQ(after[i] == before[i], i / 3 != 1) << i;
}

}  // namespace
}  // namespace ensyn::kernels::test
