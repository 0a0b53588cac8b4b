// The pass over the parameters: gradient, costs and Adam of one step, then noise and weights of the next,
// each parameter read and written once. Included once per instruction set.

#if defined(ENSYN_CPU_ADVANCE_INL_H) == defined(HWY_TARGET_TOGGLE)
#  ifdef ENSYN_CPU_ADVANCE_INL_H
#    undef ENSYN_CPU_ADVANCE_INL_H
#  else
#    define ENSYN_CPU_ADVANCE_INL_H
#  endif

#  include "host/cpu/dense-inl.h"
#  include "host/cpu/kernels.h"
#  include "host/cpu/noise-inl.h"
#  include "host/cpu/vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ensyn::HWY_NAMESPACE {

using cpu::kBlock;
using cpu::kRowGroup;

/// Columns that one draw of quads serves; the last stretch of a row may hold only the first half of them.
template <class T>
inline constexpr int kStretch = 2 * kLanes<T>;

/// Address of field 0 at (row of the group, column) in a layer with `fields` fields.
template <class T>
ENSYN_FN T* field_of(const cpu::RowGroup<T>& group, int fields, int row, int column) {
  const auto block = offset_of(row, group.blocks) + static_cast<std::size_t>(column / kBlock);
  return group.state + block * static_cast<std::size_t>(fields * kBlock) +
         static_cast<std::size_t>(column % kBlock);
}

/// Noise of the group's four rows at one stretch of columns.
template <class T>
ENSYN_FN GroupNormals<T> draw_group(const cpu::RowGroup<T>& group, const cpu::SampleOutput<T>& sample,
                                    int column) {
  const auto per_row_pair = static_cast<std::uint64_t>((group.columns + 1) / 2);
  const auto row_pair = static_cast<std::uint64_t>(group.first_row / 2);
  const std::uint64_t first = row_pair * per_row_pair + static_cast<std::uint64_t>(column / 2);
  const std::uint64_t quads[2] = {first, first + per_row_pair};
  return draw<T>(*sample.noise, quads);
}

/// Gradients of the group's rows at kWidth vectors of columns.
template <int kWidth, class T>
struct GradientTile {
  Vec<T> of[kRowGroup][kWidth];
};

template <int kWidth, class T>
ENSYN_FN GradientTile<kWidth, T> gradient_tile(const cpu::UpdateInput<T>& in, int column) {
  GradientTile<kWidth, T> g;
  for (auto& row : g.of) {
    for (auto& v : row) v = constant<Vec<T>>(0);
  }
  const T* x = in.input + column;
  const T* delta = in.delta;
  for (int b = 0; b < in.batch; ++b, x += in.input_stride, delta += in.delta_stride) {
    Vec<T> inputs[kWidth];
    ENSYN_UNROLL
    for (int v = 0; v < kWidth; ++v) inputs[v] = load(x + v * kLanes<T>);
    ENSYN_UNROLL
    for (int r = 0; r < kRowGroup; ++r) {
      const auto d = constant<Vec<T>>(delta[r]);
      ENSYN_UNROLL
      for (int v = 0; v < kWidth; ++v) g.of[r][v] = fused(d, inputs[v], g.of[r][v]);
    }
  }
  return g;
}

/// Addresses of K vectors' worth of parameters: field 0 of each.
template <class T, int K>
struct Places {
  T* of[K];
};

template <class T, int K>
ENSYN_FN void store_field(Vec<T, K> x, const Places<T, K>& places, int field) {
  ENSYN_UNROLL
  for (int i = 0; i < K; ++i) store(Vec<T>{{x.v[i]}}, places.of[i] + field * kBlock);
}

// The updates are short enough for the processor to overlap by itself; side by side they would only spill
// registers.

template <class T>
ENSYN_FN Vec<T> update_mu(T* p, Vec<T> gradient, const cpu::UpdateRates<T>& rates) {
  Vec<T> mu = load(p + cpu::kMu * kBlock);
  Vec<T> m = load(p + cpu::kMuMoment1 * kBlock), v = load(p + cpu::kMuMoment2 * kBlock);
  adam(mu, m, v, add_magnitude_gradient(gradient, mu, rates.magnitude, rates.inverse_variance), rates.adam);
  store(mu, p + cpu::kMu * kBlock);
  store(m, p + cpu::kMuMoment1 * kBlock);
  store(v, p + cpu::kMuMoment2 * kBlock);
  return mu;
}

template <class T>
ENSYN_FN Vec<T> update_phi(T* p, Vec<T> gradient, const cpu::UpdateRates<T>& rates) {
  Vec<T> phi = load(p + cpu::kPhi * kBlock);
  Vec<T> m = load(p + cpu::kPhiMoment1 * kBlock), v = load(p + cpu::kPhiMoment2 * kBlock);
  const Vec<T> slope = load(p + cpu::kNoiseSlope * kBlock);
  adam(phi, m, v, fused(gradient, slope, load(p + cpu::kCostSlope * kBlock)), rates.adam);
  store(phi, p + cpu::kPhi * kBlock);
  store(m, p + cpu::kPhiMoment1 * kBlock);
  store(v, p + cpu::kPhiMoment2 * kBlock);
  return phi;
}

/// One draw of w = mu + softplus(phi) xi; leaves for the update what multiplies dL/dw and what is added to
/// it.
template <class T, int K>
ENSYN_FN Vec<T, K> sample_weight(const Places<T, K>& p, Vec<T, K> mu, Vec<T, K> phi, Vec<T, K> xi,
                                 const cpu::CostRates<T>& cost) {
  const Softplus<Vec<T, K>> sigma = softplus(phi);
  store_field(xi * sigma.derivative, p, cpu::kNoiseSlope);
  const Vec<T, K> slope = cost_gradient(sigma.value, cost.terms, cost.count, cost.inverse_variance);
  store_field(slope * sigma.derivative, p, cpu::kCostSlope);
  return fused(sigma.value, xi, mu);
}

template <bool kUpdate, bool kSample, int kWidth, class T>
ENSYN_FN void advance_stretch(const cpu::RowGroup<T>& group, const cpu::UpdateInput<T>* update,
                              const cpu::UpdateRates<T>& rates, const cpu::CostRates<T>& cost,
                              const cpu::SampleOutput<T>* sample, int column) {
  GradientTile<kWidth, T> g;
  if constexpr (kUpdate) g = gradient_tile<kWidth>(*update, column);
  GroupNormals<T> normals;
  if constexpr (kSample) normals = draw_group(group, *sample, column);
  // Two rows at a time: as many independent chains as registers allow.
  constexpr int K = 2 * kWidth;
  ENSYN_UNROLL
  for (int row = 0; row < kRowGroup; row += 2) {
    Places<T, K> p;
    Vec<T, K> mu, phi, xi;
    ENSYN_UNROLL
    for (int k = 0; k < K; ++k) {
      const int r = row + k / kWidth, v = k % kWidth;
      p.of[k] = field_of(group, cpu::kHeterogeneousFields, r, column + v * kLanes<T>);
      if constexpr (kUpdate) {
        mu.v[k] = update_mu(p.of[k], g.of[r][v], rates).v[0];
        phi.v[k] = update_phi(p.of[k], g.of[r][v], rates).v[0];
      } else {
        mu.v[k] = load(p.of[k] + cpu::kMu * kBlock).v[0];
        phi.v[k] = load(p.of[k] + cpu::kPhi * kBlock).v[0];
      }
      if constexpr (kSample) xi.v[k] = normals.of[r][v].v[0];
    }
    if constexpr (kSample) {
      const Vec<T, K> w = sample_weight(p, mu, phi, xi, cost);
      ENSYN_UNROLL
      for (int k = 0; k < K; ++k) {
        const int r = row + k / kWidth, at = column + k % kWidth * kLanes<T>;
        store(Vec<T>{{w.v[k]}}, sample->weights + offset_of(r, group.blocks * kBlock) + at);
      }
    }
  }
}

/// Calls body.operator()<2>(column) for whole stretches and <1> for a last half one.
template <class T, class Body>
ENSYN_FN void for_stretches(int blocks, const Body& body) {
  const int stride = blocks * kBlock;
  int column = 0;
  for (; column + kStretch<T> <= stride; column += kStretch<T>) body.template operator()<2>(column);
  if (column < stride) body.template operator()<1>(column);
}

template <class T>
HWY_ATTR void advance_heterogeneous(const cpu::RowGroup<T>& group, const cpu::UpdateInput<T>* update,
                                    const cpu::UpdateRates<T>& rates, const cpu::CostRates<T>& cost,
                                    const cpu::SampleOutput<T>* sample) {
  if (update != nullptr && sample != nullptr) {
    for_stretches<T>(group.blocks, [&]<int kWidth>(int column) HWY_ATTR {
      advance_stretch<true, true, kWidth>(group, update, rates, cost, sample, column);
    });
  } else if (update != nullptr) {
    for_stretches<T>(group.blocks, [&]<int kWidth>(int column) HWY_ATTR {
      advance_stretch<true, false, kWidth>(group, update, rates, cost, sample, column);
    });
  } else {
    for_stretches<T>(group.blocks, [&]<int kWidth>(int column) HWY_ATTR {
      advance_stretch<false, true, kWidth>(group, update, rates, cost, sample, column);
    });
  }
}

template <class T>
HWY_ATTR T update_homogeneous(const cpu::RowGroup<T>& group, const cpu::UpdateInput<T>& update,
                              const cpu::UpdateRates<T>& rates) {
  // 16 partial sums, each over one column of all blocks and rows in the order of columns, then rows: the same
  // whatever the vector's width.
  HWY_ALIGN T sums[kBlock] = {};
  for_stretches<T>(group.blocks, [&]<int kWidth>(int column) HWY_ATTR {
    const auto g = gradient_tile<kWidth>(update, column);
    for (int v = 0; v < kWidth; ++v) {
      const int at = column + v * kLanes<T>;
      T* sum = sums + at % kBlock;
      Vec<T> total = load(sum);
      ENSYN_UNROLL
      for (int row = 0; row < kRowGroup; ++row) {
        T* p = field_of(group, cpu::kHomogeneousFields, row, at);
        update_mu(p, g.of[row][v], rates);
        total = fused(g.of[row][v], load(p + cpu::kHomogeneousNoise * kBlock), total);
      }
      store(total, sum);
    }
  });
  Vec<T> parts[kVectors<T>];
  for (int v = 0; v < kVectors<T>; ++v) parts[v] = load(sums + v * kLanes<T>);
  return sum_of_block(parts);
}

template <class T>
HWY_ATTR void sample_homogeneous(const cpu::RowGroup<T>& group, T sigma, const cpu::SampleOutput<T>& sample) {
  for_stretches<T>(group.blocks, [&]<int kWidth>(int column) HWY_ATTR {
    const auto normals = draw_group(group, sample, column);
    for (int row = 0; row < kRowGroup; ++row) {
      for (int v = 0; v < kWidth; ++v) {
        const int at = column + v * kLanes<T>;
        T* p = field_of(group, cpu::kHomogeneousFields, row, at);
        store(normals.of[row][v], p + cpu::kHomogeneousNoise * kBlock);
        store(fused(constant<Vec<T>>(sigma), normals.of[row][v], load(p + cpu::kMu * kBlock)),
              sample.weights + offset_of(row, group.blocks * kBlock) + at);
      }
    }
  });
}

template <class T>
HWY_ATTR void sample_plain(const cpu::RowGroup<T>& group, const T* mu, const T* sigma,
                           const cpu::SampleOutput<T>& sample) {
  for_stretches<T>(group.blocks, [&]<int kWidth>(int column) HWY_ATTR {
    const auto normals = draw_group(group, sample, column);
    for (int row = 0; row < kRowGroup; ++row) {
      for (int v = 0; v < kWidth; ++v) {
        const auto at =
            offset_of(row, group.blocks * kBlock) + static_cast<std::size_t>(column + v * kLanes<T>);
        store(fused(load(sigma + at), normals.of[row][v], load(mu + at)), sample.weights + at);
      }
    }
  });
}

}  // namespace ensyn::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // toggled guard
