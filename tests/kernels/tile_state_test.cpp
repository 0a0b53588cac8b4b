// Tiles hold what rows hold, where kernels/whole/tiles.h says, and give it back.

#include "kernels/whole/tile_state.h"

#include <gtest/gtest.h>

#include <array>

#include "kernels/support.h"

namespace ensyn::kernels::test {
namespace {

/// Layers 33 x 11 and 7 x 34 of heterogeneous and homogeneous networks in turn.
template <class T>
struct Problem {
  static constexpr int kNetworks = 3;

  Problem() : members(test::members(kNetworks, Noise::mixed)), population(members) {
    const Layer shapes[] = {first.layer(), second.layer()};
    tiling = tiling_of(shapes, 2);
    for (const Member& member : members) {
      offsets.push_back(size);
      size += tiled_elements(tiling, !member.shares());
    }
  }

  [[nodiscard]] TileState<T> arguments(T* state, const std::int64_t* places) const {
    TileState<T> args;
    args.networks = kNetworks;
    args.constants = population.view().constants;
    args.tiling = tiling;
    args.layers[0] = first.view();
    args.layers[1] = second.view();
    args.state = state;
    args.state_offsets = places;
    return args;
  }

  /// An element of a field, by the values that the parameters were made of.
  [[nodiscard]] double expected(const LayerParameters<T>& layer, int field, int network, int row,
                                int column) const {
    const std::array<const Fill*, kOwnPhiFields> fills = {&layer.mu_value,          &layer.mu_moment1_value,
                                                          &layer.mu_moment2_value,  &layer.phi_value,
                                                          &layer.phi_moment1_value, &layer.phi_moment2_value};
    return (*fills[static_cast<std::size_t>(field)])(network, row, column);
  }

  std::vector<Member> members;
  Population<T> population;
  LayerParameters<T> first{kNetworks, 33, 11, 0}, second{kNetworks, 7, 34, 1};
  Tiling tiling;
  std::vector<std::int64_t> offsets;
  std::int64_t size = 0;
};

template <class T>
class TileStateTest : public ::testing::Test {};
TYPED_TEST_SUITE(TileStateTest, Numbers);

/// Walks all elements of the state in the order of memory, as tiles.h describes it.
template <class T, class Visit>
void for_each_element(const Problem<T>& problem, const Visit& visit) {
  std::size_t at = 0;
  for (int n = 0; n < Problem<T>::kNetworks; ++n) {
    const int fields = problem.members[static_cast<std::size_t>(n)].shares() ? 3 : 6;
    for (const auto* layer : {&problem.first, &problem.second}) {
      for (int row = 0; row < layer->rows; row += 16) {
        for (int column = 0; column < layer->columns; column += 8) {
          for (int i = 0; i < fields * 128; ++i) {
            const int quad = i % 128 / 4, in_quad = i % 4;
            visit(at++, *layer, n, i / 128, row + 2 * (quad / 4) + in_quad / 2,
                  column + 2 * (quad % 4) + in_quad % 2);
          }
        }
      }
    }
  }
}

TYPED_TEST(TileStateTest, TilesHoldTheRowsElements) {
  using T = TypeParam;
  const Problem<T> problem;
  const DeviceArray<T> state(static_cast<std::size_t>(problem.size));
  const DeviceArray<std::int64_t> offsets(problem.offsets);
  to_tiles(problem.arguments(state.data(), offsets.data()), stream().get());
  const std::vector<T> got = state.read();
  std::size_t visited = 0;
  for_each_element(
      problem, [&](std::size_t at, const LayerParameters<T>& layer, int n, int field, int row, int column) {
        const bool inside = row < layer.rows && column < layer.columns;
        const double want = inside ? problem.expected(layer, field, n, row, column) : 0;
        EXPECT_EQ(got[at], static_cast<T>(want)) << "element " << at;
        ++visited;
      });
  EXPECT_EQ(visited, got.size());
}

TYPED_TEST(TileStateTest, RowsGetTheTilesElementsAndNothingBesideThem) {
  using T = TypeParam;
  const Problem<T> problem;
  std::vector<T> tiles(static_cast<std::size_t>(problem.size));
  for (std::size_t i = 0; i < tiles.size(); ++i) tiles[i] = static_cast<T>(i % 8191);
  const DeviceArray<T> state(tiles);
  const DeviceArray<std::int64_t> offsets(problem.offsets);
  from_tiles(problem.arguments(state.data(), offsets.data()), stream().get());
  // mu of all networks; phi of those that have their own, the others' as it was.
  const std::vector<double> mu = problem.second.mu.read(), phi = problem.second.phi.read();
  for_each_element(
      problem, [&](std::size_t at, const LayerParameters<T>& layer, int n, int field, int row, int column) {
        if (&layer != &problem.second || row >= layer.rows || column >= layer.columns) return;
        const auto in_rows = static_cast<std::size_t>((n * layer.rows + row) * layer.columns + column);
        if (field == 0) {
          EXPECT_EQ(mu[in_rows], static_cast<double>(tiles[at]));
        }
        if (field == 3) {
          EXPECT_EQ(phi[in_rows], static_cast<double>(tiles[at]));
        }
        if (field == 0 && problem.members[static_cast<std::size_t>(n)].shares()) {
          EXPECT_EQ(phi[in_rows],
                    static_cast<double>(static_cast<T>(problem.expected(layer, 3, n, row, column))));
        }
      });
}

}  // namespace
}  // namespace ensyn::kernels::test
