#include "kernels/not_finite.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <string>

#include "kernels/support.h"

namespace ensyn::kernels::test {
namespace {

constexpr int kNetworks = 4;
constexpr unsigned kUntouched = 6;  // a flag of before, which shows what is written beside the last bit

struct Shape {
  int rows, columns;
};
const Shape kShapes[] = {{1, 1}, {1, 3}, {3, 5}, {5, 33}, {31, 31}, {33, 100}, {4, 256}, {5, 257}, {3, 785}};

template <class T>
std::array<T, 4> not_numbers() {
  using Limits = std::numeric_limits<T>;
  return {Limits::infinity(), -Limits::infinity(), Limits::quiet_NaN(), -Limits::quiet_NaN()};
}

template <class T>
std::array<T, 6> extremes() {
  using Limits = std::numeric_limits<T>;
  return {Limits::max(), -Limits::max(), Limits::min(), Limits::denorm_min(), -Limits::denorm_min(), T(-0.0)};
}

/// Four networks, heterogeneous, per neuron, per layer and homogeneous, or all of one kind. NaN lies beside
/// every row and every matrix.
template <class T>
struct Problem {
  Problem(const Shape& shape, Noise noise)
      : members(test::members(kNetworks, noise)),
        population(members),
        layer(kNetworks, shape.rows, shape.columns, 2),
        found(std::vector<unsigned>(kNetworks, kUntouched)) {}

  [[nodiscard]] std::array<Stack<T>*, 6> stacks() {
    return {&layer.mu,  &layer.mu_moment1,  &layer.mu_moment2,
            &layer.phi, &layer.phi_moment1, &layer.phi_moment2};
  }
  [[nodiscard]] NotFinite<T> arguments() const {
    return {population.view(), layer.layer(), layer.view(), found.data()};
  }

  std::vector<Member> members;
  Population<T> population;
  LayerParameters<T> layer;
  DeviceArray<unsigned> found;
};

/// Network whose flag the kernel sets, kNetworks for none; -1 where it did something else.
template <class T>
int found_by(Problem<T>& problem) {
  problem.found.write(std::vector<unsigned>(kNetworks, kUntouched));
  not_finite(problem.arguments(), stream().get());
  const std::vector<unsigned> flags = problem.found.read();
  int result = kNetworks;
  for (int n = 0; n < kNetworks; ++n) {
    const unsigned flag = flags[static_cast<std::size_t>(n)];
    if (flag == kUntouched) continue;
    if (flag != (kUntouched | 1) || result != kNetworks) return -1;
    result = n;
  }
  return result;
}

/// Where the element lies in its stack.
template <class T>
T* element(const Stack<T>& stack, int network, int row, int column) {
  return stack.data() + network * stack.network_stride() + std::int64_t{row} * stack.stride() + column;
}

/// One number in device memory that is another while this exists.
template <class E>
class Planted {
 public:
  Planted(E* place, E now) : place_(place) {
    cuda::copy_from_device(std::span<E>(&before_, 1), static_cast<const E*>(place_), stream().get());
    stream().wait();
    put(now);
  }
  ~Planted() { put(before_); }
  Planted(const Planted&) = delete;
  Planted& operator=(const Planted&) = delete;

 private:
  void put(E x) {
    cuda::copy_to_device(place_, std::span<const E>(&x, 1), stream().get());
    stream().wait();
  }
  E* place_;
  E before_{};
};

std::string text(const Shape& shape) {
  return std::to_string(shape.rows) + " x " + std::to_string(shape.columns);
}

template <class T>
class NotFiniteTest : public ::testing::Test {};
TYPED_TEST_SUITE(NotFiniteTest, Numbers);

TYPED_TEST(NotFiniteTest, FindsTheNetworkOfAnElementAtTheEdges) {
  using T = TypeParam;
  for (const Shape& shape : kShapes) {
    SCOPED_TRACE(text(shape));
    Problem<T> problem(shape, Noise::heterogeneous);
    const std::vector<std::uint8_t> before = problem.layer.bits();
    ASSERT_EQ(found_by(problem), kNetworks) << "numbers alone";
    int which = 0;
    for (const Stack<T>* stack : problem.stacks()) {
      for (const int row : {0, shape.rows / 2, shape.rows - 1}) {
        for (const int column : {0, shape.columns / 2, shape.columns - 1}) {
          const T value = not_numbers<T>()[static_cast<std::size_t>(which % 4)];
          const int network = ++which % kNetworks;
          const Planted<T> planted(element(*stack, network, row, column), value);
          ASSERT_EQ(found_by(problem), network) << value << " in row " << row << ", column " << column;
        }
      }
    }
    EXPECT_EQ(problem.layer.bits(), before) << "written to what was to be looked at";
  }
}

TYPED_TEST(NotFiniteTest, FindsEveryElementOfALayer) {
  using T = TypeParam;
  const Shape shape{5, 33};
  Problem<T> problem(shape, Noise::heterogeneous);
  for (const Stack<T>* stack : problem.stacks()) {
    for (int row = 0; row < shape.rows; ++row) {
      for (int column = 0; column < shape.columns; ++column) {
        const Planted<T> planted(element(*stack, 2, row, column), std::numeric_limits<T>::infinity());
        ASSERT_EQ(found_by(problem), 2) << "row " << row << ", column " << column;
      }
    }
  }
}

TYPED_TEST(NotFiniteTest, TakesEveryNumberForOne) {
  using T = TypeParam;
  Problem<T> problem({3, 5}, Noise::scopes);
  for (const T value : extremes<T>()) {
    for (Stack<T>* stack : problem.stacks())
      stack->set([&](int, int, int) { return static_cast<double>(value); });
    problem.population.shared.write(std::vector<T>(problem.population.shared.read().size(), value));
    EXPECT_EQ(found_by(problem), kNetworks) << value;
  }
  for (const T value : not_numbers<T>()) {
    const Planted<T> planted(element(problem.layer.mu, 1, 2, 4), value);
    EXPECT_EQ(found_by(problem), 1) << value;
  }
}

TYPED_TEST(NotFiniteTest, LooksAtThePhiThatTheLayersWeightsShare) {
  using T = TypeParam;
  constexpr T kInfinity = std::numeric_limits<T>::infinity();
  for (const Shape& shape : kShapes) {
    SCOPED_TRACE(text(shape));
    Problem<T> problem(shape, Noise::scopes);
    std::int64_t first_phi = 0;
    for (int n = 0; n < kNetworks; ++n) {
      const Member& member = problem.members[static_cast<std::size_t>(n)];
      for (int g = 0; g < std::min(member.groups, 50); ++g) {
        bool of_layer = false;
        for (int row = 0; row < shape.rows; ++row)
          of_layer |= member.shares() && LayerParameters<T>::group_of(member, row) == g;
        const Planted<T> planted(problem.population.shared.data() + 3 * (first_phi + g) + g % 3, kInfinity);
        ASSERT_EQ(found_by(problem), of_layer ? n : kNetworks) << "network " << n << ", group " << g;
      }
      first_phi += member.groups;
    }
  }
}

TYPED_TEST(NotFiniteTest, LeavesRowsOfPhiAloneWhereWeightsShareIt) {
  using T = TypeParam;
  Problem<T> problem({3, 5}, Noise::scopes);
  for (int n = 0; n < kNetworks; ++n) {
    const bool own = !problem.members[static_cast<std::size_t>(n)].shares();
    for (const Stack<T>* stack :
         {&problem.layer.phi, &problem.layer.phi_moment1, &problem.layer.phi_moment2}) {
      const Planted<T> planted(element(*stack, n, 1, 2), std::numeric_limits<T>::quiet_NaN());
      EXPECT_EQ(found_by(problem), own ? n : kNetworks);
    }
  }
  // There may be none at all.
  Problem<T> shared({3, 5}, Noise::homogeneous);
  NotFinite<T> args = shared.arguments();
  args.parameters.phi = args.parameters.phi_moment1 = args.parameters.phi_moment2 = nullptr;
  not_finite(args, stream().get());
  EXPECT_EQ(shared.found.read(), std::vector<unsigned>(kNetworks, kUntouched));
}

TYPED_TEST(NotFiniteTest, LooksAtTheSumOfLosses) {
  using T = TypeParam;
  Problem<T> problem({3, 5}, Noise::scopes);
  for (int n = 0; n < kNetworks; ++n) {
    double* const sum = &problem.population.progress.data()[n].nll;
    for (const double value : not_numbers<double>()) {
      const Planted<double> planted(sum, value);
      EXPECT_EQ(found_by(problem), n) << value;
    }
    for (const double value : extremes<double>()) {
      const Planted<double> planted(sum, value);
      EXPECT_EQ(found_by(problem), kNetworks) << value;
    }
  }
}

TYPED_TEST(NotFiniteTest, FlagsEveryNetworkThatHasOne) {
  using T = TypeParam;
  Problem<T> problem({5, 33}, Noise::heterogeneous);
  problem.layer.mu.set([](int n, int, int) { return n % 2 == 1 ? std::nan("") : 0; });
  not_finite(problem.arguments(), stream().get());
  EXPECT_EQ(problem.found.read(),
            (std::vector<unsigned>{kUntouched, kUntouched | 1, kUntouched, kUntouched | 1}));
}

}  // namespace
}  // namespace ensyn::kernels::test
