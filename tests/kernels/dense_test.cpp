#include "kernels/dense.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

#include "kernels/reference.h"
#include "kernels/support.h"

namespace ensyn::kernels::test {
namespace {

template <class T>
class DenseTest : public ::testing::Test {};
TYPED_TEST_SUITE(DenseTest, Numbers);

TYPED_TEST(DenseTest, GathersInputsWithTheOneOfTheBias) {
  using T = TypeParam;
  const struct {
    int networks, columns, batch;
    Source source;
    Order order;
  } cases[] = {{1, 1, 1, Source::floats, Order::none},   {1, 2, 3, Source::values, Order::none},
               {3, 5, 20, Source::bytes, Order::own},    {3, 33, 21, Source::floats, Order::own},
               {2, 129, 33, Source::bytes, Order::none}, {1, 785, 130, Source::bytes, Order::shared},
               {3, 101, 3, Source::values, Order::none}};
  for (const auto& c : cases) {
    SCOPED_TRACE(std::to_string(c.columns) + " columns, batch " + std::to_string(c.batch));
    const std::vector<Member> networks = members(c.networks, Noise::mixed);
    const Population<T> population(networks);
    const int examples = c.order == Order::none ? c.batch : 3 * c.batch + 1;
    const TestInputs<T> inputs(c.source, c.order, c.networks, examples, c.columns - 1, c.batch);
    const Stack<T> output(c.networks, c.batch, c.columns);
    GatherInputs<T> args;
    args.networks = population.view();
    args.inputs = inputs.view();
    args.columns = c.columns;
    args.batch = c.batch;
    args.output = output.data();
    args.output_stride = output.stride();
    args.output_network_stride = output.network_stride();
    gather_inputs(args, stream().get());
    std::vector<Number> want;
    for (int n = 0; n < c.networks; ++n) {
      for (int b = 0; b < c.batch; ++b) {
        for (int k = 0; k < c.columns; ++k) {
          want.push_back(input_number(inputs, n, networks[static_cast<std::size_t>(n)].step, b, k));
          if (k == c.columns - 1) want.back().error = 0;
        }
      }
    }
    EXPECT_TRUE(close(output.read(), want));
  }
}

constexpr int kNetworks = 3, kBatch = 21, kColumns = 131;

template <class T>
Rectify<T> rectify_arguments(const Stack<T>& values) {
  Rectify<T> args;
  args.networks = kNetworks;
  args.values = values.data();
  args.stride = values.stride();
  args.network_stride = values.network_stride();
  args.columns = kColumns;
  args.batch = kBatch;
  return args;
}

TYPED_TEST(DenseTest, RectifiesValues) {
  using T = TypeParam;
  const Fill fill = integers_of(1);
  const Stack<T> values(kNetworks, kBatch, kColumns, fill);
  std::vector<double> want = values.read();
  for (double& x : want) x = x > 0 ? x : 0;
  rectify(rectify_arguments(values), stream().get());
  EXPECT_EQ(values.read(), want);
}

TYPED_TEST(DenseTest, RectifiesByAGateOfOtherStrides) {
  using T = TypeParam;
  const Stack<T> values(kNetworks, kBatch, kColumns, values_of(1));
  Stack<T> gate(kNetworks, kBatch, kColumns, 7);
  gate.set(integers_of(2));
  std::vector<double> want = values.read();
  const std::vector<double> gates = gate.read();
  for (std::size_t i = 0; i < want.size(); ++i) want[i] = gates[i] > 0 ? want[i] : 0;
  Rectify<T> args = rectify_arguments(values);
  args.gate = gate.data();
  args.gate_stride = gate.stride();
  args.gate_network_stride = gate.network_stride();
  rectify(args, stream().get());
  EXPECT_EQ(values.read(), want);
}

TYPED_TEST(DenseTest, NanComesThroughTheReluAndClosesAGate) {
  using T = TypeParam;
  const Fill nan = [](int, int, int) { return std::numeric_limits<double>::quiet_NaN(); };
  const Stack<T> values(kNetworks, kBatch, kColumns, nan), gate(kNetworks, kBatch, kColumns, nan);
  Rectify<T> args = rectify_arguments(values);
  rectify(args, stream().get());
  for (const double x : values.read()) ASSERT_TRUE(std::isnan(x));
  args.gate = gate.data();
  args.gate_stride = gate.stride();
  args.gate_network_stride = gate.network_stride();
  rectify(args, stream().get());
  for (const double x : values.read()) ASSERT_EQ(x, 0);
}

}  // namespace
}  // namespace ensyn::kernels::test
