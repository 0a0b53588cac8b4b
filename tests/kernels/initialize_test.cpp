#include "kernels/initialize.h"

#include <gtest/gtest.h>

#include "kernels/support.h"

namespace ensyn::kernels::test {
namespace {

template <class T>
struct Problem {
  Problem(int network_count, int row_count, int column_count, int padding)
      : networks(network_count),
        rows(row_count),
        columns(column_count),
        stride(column_count + padding),
        members(test::members(network_count, Noise::mixed)),
        population(members),
        // What stands behind a row's end is written too, so it is inside here.
        arrays{Stack<T>(networks, rows, stride, 0), Stack<T>(networks, rows, stride, 0),
               Stack<T>(networks, rows, stride, 0), Stack<T>(networks, rows, stride, 0),
               Stack<T>(networks, rows, stride, 0), Stack<T>(networks, rows, stride, 0)} {}

  [[nodiscard]] Initialize<T> arguments() const {
    Initialize<T> args;
    args.networks = population.view();
    args.one_value = {0.1, -9.25};
    args.layer = {rows, columns, stride, 3};
    args.parameters = {arrays[0].data(), arrays[1].data(), arrays[2].data(),          arrays[3].data(),
                       arrays[4].data(), arrays[5].data(), arrays[0].network_stride()};
    return args;
  }

  /// mu, or `phi` in every element, of all networks.
  [[nodiscard]] std::vector<double> expected_mu(const std::vector<double>& ranges) const {
    std::vector<double> result;
    for (int n = 0; n < networks; ++n) {
      const oracle::Settings& s = members[static_cast<std::size_t>(n)].settings;
      const oracle::Draw draw{s.seed, s.stream, 0, 3, oracle::kInitialMu};
      for (int r = 0; r < rows; ++r) {
        for (int c = 0; c < stride; ++c) {
          const auto word = static_cast<std::int32_t>(c < columns ? oracle::word_at(draw, r, c, columns) : 0);
          const double mu = ranges[static_cast<std::size_t>(n)] * (word * 0x1p-31 + 0x1p-32);
          result.push_back(c < columns ? static_cast<double>(static_cast<T>(mu)) : 0);
        }
      }
    }
    return result;
  }
  [[nodiscard]] std::vector<double> expected_phi(const std::vector<double>& phis) const {
    std::vector<double> result;
    for (int n = 0; n < networks; ++n) {
      for (int i = 0; i < rows * stride; ++i) {
        const auto phi = static_cast<T>(phis[static_cast<std::size_t>(n)]);
        result.push_back(i % stride < columns ? static_cast<double>(phi) : 0);
      }
    }
    return result;
  }

  int networks, rows, columns, stride;
  std::vector<Member> members;
  Population<T> population;
  Stack<T> arrays[6];  // in the order of Parameters
};

template <class T>
class InitializeTest : public ::testing::Test {};
TYPED_TEST_SUITE(InitializeTest, Numbers);

/// Double arithmetic rounded once: equal to the last bit.
TYPED_TEST(InitializeTest, EqualsTheOracle) {
  const int shapes[][4] = {{1, 1, 1, 0},  {1, 1, 1, 3},   {3, 2, 3, 1},    {3, 3, 5, 3},
                           {1, 5, 31, 1}, {2, 31, 33, 7}, {1, 33, 257, 2}, {1, 100, 785, 15}};
  for (const auto& [networks, rows, columns, padding] : shapes) {
    SCOPED_TRACE(std::to_string(rows) + " x " + std::to_string(columns));
    Problem<TypeParam> problem(networks, rows, columns, padding);
    initialize(problem.arguments(), stream().get());
    const auto count = static_cast<std::size_t>(networks);
    EXPECT_EQ(problem.arrays[0].read(), problem.expected_mu(std::vector<double>(count, 0.1)));
    EXPECT_EQ(problem.arrays[3].read(), problem.expected_phi(std::vector<double>(count, -9.25)));
    for (const int moment : {1, 2, 4, 5}) {
      EXPECT_EQ(problem.arrays[moment].read(),
                std::vector<double>(count * static_cast<std::size_t>(rows * (columns + padding)), 0.0));
    }
  }
}

TYPED_TEST(InitializeTest, TakesTheValuesOfEachNetwork) {
  Problem<TypeParam> problem(3, 5, 6, 2);
  const DeviceArray<InitialValues> values({{0.1, -9}, {0.2, -4}, {0.3, -1}});
  auto args = problem.arguments();
  args.values = values.data();
  initialize(args, stream().get());
  EXPECT_EQ(problem.arrays[0].read(), problem.expected_mu({0.1, 0.2, 0.3}));
  EXPECT_EQ(problem.arrays[3].read(), problem.expected_phi({-9, -4, -1}));
}

TYPED_TEST(InitializeTest, LeavesOutPhiWhereThereIsNone) {
  Problem<TypeParam> problem(2, 3, 4, 1);
  const auto untouched = problem.arrays[3].bits();
  auto args = problem.arguments();
  args.parameters.phi = args.parameters.phi_moment1 = args.parameters.phi_moment2 = nullptr;
  initialize(args, stream().get());
  EXPECT_EQ(problem.arrays[0].read(), problem.expected_mu({0.1, 0.1}));
  for (const int array : {3, 4, 5}) EXPECT_EQ(problem.arrays[array].bits(), untouched);
}

TYPED_TEST(InitializeTest, DoesNotDependOnTheStep) {
  const auto bits = [](std::uint64_t step) {
    Problem<TypeParam> problem(1, 3, 4, 1);
    problem.members[0].step = step;
    const Population<TypeParam> population(problem.members);
    auto args = problem.arguments();
    args.networks = population.view();
    initialize(args, stream().get());
    return problem.arrays[0].bits();
  };
  EXPECT_EQ(bits(0), bits(1000));
}

}  // namespace
}  // namespace ensyn::kernels::test
