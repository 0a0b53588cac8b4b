// The pass over the parameters: gradient, costs and Adam of one step, then noise and weights of the next,
// each parameter read and written once.

#pragma once

#include "host/cpu/dense-inl.h"
#include "host/cpu/kernels.h"
#include "host/cpu/noise-inl.h"
#include "host/cpu/vector-inl.h"

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

/// Noise of the group's four rows at one stretch of columns, in the form that the law takes.
template <NoiseLaw kLaw, class T>
ENSYN_FN GroupNoise<T> draw_group(const cpu::RowGroup<T>& group, const cpu::SampleOutput<T>& sample,
                                  int column) {
  const auto per_row_pair = static_cast<std::uint64_t>((group.columns + 1) / 2);
  const auto row_pair = static_cast<std::uint64_t>(group.first_row / 2);
  const std::uint64_t first = row_pair * per_row_pair + static_cast<std::uint64_t>(column / 2);
  const std::uint64_t quads[2] = {first, first + per_row_pair};
  if constexpr (kLaw == NoiseLaw::binomial) {
    return draw_words<T>(*sample.noise, quads);
  } else {
    return draw_normals<T>(*sample.noise, quads);
  }
}

template <NoiseLaw kLaw, class V>
ENSYN_FN Weight<V> draw_weight(V mu, V sigma, V noise, int vesicles) {
  if constexpr (kLaw == NoiseLaw::binomial) {
    return binomial_weight(mu, sigma, noise, vesicles);
  } else if constexpr (kLaw == NoiseLaw::log_normal) {
    return log_normal_weight(mu, sigma, noise);
  } else {
    return gaussian_weight(mu, sigma, noise);
  }
}

/// Calls body.operator()<law>(). Laws are told apart here, outside all loops.
template <class Body>
ENSYN_FN void with_law(NoiseLaw law, const Body& body) {
  switch (law) {
    case NoiseLaw::gaussian:
      return body.template operator()<NoiseLaw::gaussian>();
    case NoiseLaw::binomial:
      return body.template operator()<NoiseLaw::binomial>();
    case NoiseLaw::log_normal:
      return body.template operator()<NoiseLaw::log_normal>();
  }
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

/// `cost_slope` is the gradient of the costs in phi.
template <class T>
ENSYN_FN Vec<T> update_phi(T* p, Vec<T> gradient, Vec<T> cost_slope, const cpu::UpdateRates<T>& rates) {
  Vec<T> phi = load(p + cpu::kPhi * kBlock);
  Vec<T> m = load(p + cpu::kPhiMoment1 * kBlock), v = load(p + cpu::kPhiMoment2 * kBlock);
  const Vec<T> slope = load(p + cpu::kNoiseSlope * kBlock);
  adam(phi, m, v, fused(gradient, slope, cost_slope), rates.adam);
  store(phi, p + cpu::kPhi * kBlock);
  store(m, p + cpu::kPhiMoment1 * kBlock);
  store(v, p + cpu::kPhiMoment2 * kBlock);
  return phi;
}

/// One draw of w with sigma = softplus(phi); leaves for the update what multiplies dL/dw and what is added to
/// it.
template <NoiseLaw kLaw, class T, int K>
ENSYN_FN Weight<Vec<T, K>> sample_weight(const Places<T, K>& p, Vec<T, K> mu, Vec<T, K> phi, Vec<T, K> noise,
                                         const cpu::CostRates<T>& cost, int vesicles) {
  const Softplus<Vec<T, K>> sigma = softplus(phi);
  const Weight<Vec<T, K>> w = draw_weight<kLaw>(mu, sigma.value, noise, vesicles);
  store_field(w.sigma_slope * sigma.derivative, p, cpu::kNoiseSlope);
  const Vec<T, K> slope = cost_gradient(sigma.value, cost.terms, cost.count, cost.inverse_variance);
  store_field(slope * sigma.derivative, p, cpu::kCostSlope);
  return w;
}

/// Vector k of the K that stand in two rows from `row` on, kWidth in each: its row, and its offset in a
/// matrix of the group's rows.
template <int kWidth, class T>
struct Position {
  int row, column;
  std::size_t offset;
  ENSYN_FN Position(const cpu::RowGroup<T>& group, int first_row, int first_column, int k)
      : row(first_row + k / kWidth),
        column(first_column + k % kWidth * kLanes<T>),
        offset(offset_of(row, group.blocks * kBlock) + static_cast<std::size_t>(column)) {}
};

/// kLaplace: the gradient of a Laplace prior counts, which is found at the update.
template <bool kUpdate, bool kSample, bool kLaplace, NoiseLaw kLaw, int kWidth, class T>
ENSYN_FN void advance_stretch(const cpu::RowGroup<T>& group, const cpu::UpdateInput<T>* update,
                              const cpu::UpdateRates<T>& rates, const cpu::CostRates<T>& cost,
                              const cpu::SampleOutput<T>* sample, int column) {
  GradientTile<kWidth, T> g;
  if constexpr (kUpdate) g = gradient_tile<kWidth>(*update, column);
  GroupNoise<T> noise;
  if constexpr (kSample) noise = draw_group<kLaw>(group, *sample, column);
  // Two rows at a time: as many independent chains as registers allow.
  constexpr int K = 2 * kWidth;
  ENSYN_UNROLL
  for (int row = 0; row < kRowGroup; row += 2) {
    Places<T, K> p;
    Vec<T, K> mu, phi, drawn;
    ENSYN_UNROLL
    for (int k = 0; k < K; ++k) {
      const Position<kWidth, T> at(group, row, column, k);
      p.of[k] = field_of(group, cpu::kHeterogeneousFields, at.row, at.column);
      if constexpr (kUpdate) {
        const Vec<T> gradient = g.of[at.row][k % kWidth];
        Vec<T> mu_gradient = gradient;
        if constexpr (!kSample) {
          if (group.mu_slope != nullptr) mu_gradient = gradient * load(group.mu_slope + at.offset);
        }
        Vec<T> cost_slope = load(p.of[k] + cpu::kCostSlope * kBlock);
        if constexpr (kLaplace) {
          const Softplus<Vec<T>> sigma = softplus(load(p.of[k] + cpu::kPhi * kBlock));
          const auto prior =
              laplace_gradient(load(p.of[k] + cpu::kMu * kBlock), sigma.value, rates.inverse_scale);
          mu_gradient = mu_gradient + prior.mu;
          cost_slope = fused(prior.sigma, sigma.derivative, cost_slope);
        }
        mu.v[k] = update_mu(p.of[k], mu_gradient, rates).v[0];
        phi.v[k] = update_phi(p.of[k], gradient, cost_slope, rates).v[0];
      } else {
        mu.v[k] = load(p.of[k] + cpu::kMu * kBlock).v[0];
        phi.v[k] = load(p.of[k] + cpu::kPhi * kBlock).v[0];
      }
      if constexpr (kSample) drawn.v[k] = noise.of[at.row][k % kWidth].v[0];
    }
    if constexpr (kSample) {
      const Weight<Vec<T, K>> w = sample_weight<kLaw>(p, mu, phi, drawn, cost, sample->vesicles);
      ENSYN_UNROLL
      for (int k = 0; k < K; ++k) {
        const Position<kWidth, T> at(group, row, column, k);
        store(Vec<T>{{w.value.v[k]}}, sample->weights + at.offset);
        if constexpr (kLaw == NoiseLaw::log_normal)
          store(Vec<T>{{w.mu_slope.v[k]}}, group.mu_slope + at.offset);
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
  const bool laplace = rates.inverse_scale != T(0);
  if (update != nullptr && sample != nullptr && sample->law == NoiseLaw::gaussian && !laplace) {
    for_stretches<T>(group.blocks, [&]<int kWidth>(int column) HWY_ATTR {
      advance_stretch<true, true, false, NoiseLaw::gaussian, kWidth>(group, update, rates, cost, sample,
                                                                     column);
    });
    return;
  }
  // The other laws and the Laplace prior go over the rows twice, which costs little beside their draws and
  // spares many variants to compile.
  if (update != nullptr && laplace) {
    for_stretches<T>(group.blocks, [&]<int kWidth>(int column) HWY_ATTR {
      advance_stretch<true, false, true, NoiseLaw::gaussian, kWidth>(group, update, rates, cost, sample,
                                                                     column);
    });
  } else if (update != nullptr) {
    for_stretches<T>(group.blocks, [&]<int kWidth>(int column) HWY_ATTR {
      advance_stretch<true, false, false, NoiseLaw::gaussian, kWidth>(group, update, rates, cost, sample,
                                                                      column);
    });
  }
  if (sample == nullptr) return;
  with_law(sample->law, [&]<NoiseLaw kLaw>() HWY_ATTR {
    for_stretches<T>(group.blocks, [&]<int kWidth>(int column) HWY_ATTR {
      advance_stretch<false, true, false, kLaw, kWidth>(group, update, rates, cost, sample, column);
    });
  });
}

/// `x` in the columns that a row has, 0 in its padding; `column` is that of the first lane.
template <class T>
ENSYN_FN Vec<T> inside(Vec<T> x, int column, int columns) {
  const Vec<T> number{{hn::Iota(Tag<T>(), static_cast<T>(column))}};
  return select(less(number, constant<Vec<T>>(static_cast<T>(columns))), x, constant<Vec<T>>(0));
}

/// kSums is 1, for a sum over all rows, or kRowGroup.
template <int kSums, bool kLaplace, class T>
HWY_ATTR void update_shared_rows(const cpu::RowGroup<T>& group, const cpu::UpdateInput<T>& update,
                                 const cpu::UpdateRates<T>& rates, const cpu::SharedUpdate<T>& shared) {
  constexpr int kRowsPerSum = kRowGroup / kSums;
  // 16 partial sums, each over one column of all blocks and rows in the order of columns, then rows: the same
  // whatever the vector's width.
  HWY_ALIGN T sums[kSums][kBlock] = {};
  for_stretches<T>(group.blocks, [&]<int kWidth>(int column) HWY_ATTR {
    const auto g = gradient_tile<kWidth>(update, column);
    for (int v = 0; v < kWidth; ++v) {
      const int at = column + v * kLanes<T>;
      ENSYN_UNROLL
      for (int s = 0; s < kSums; ++s) {
        T* sum = sums[s] + at % kBlock;
        Vec<T> total = load(sum);
        ENSYN_UNROLL
        for (int row = s * kRowsPerSum; row < (s + 1) * kRowsPerSum; ++row) {
          T* p = field_of(group, cpu::kSharedFields, row, at);
          if constexpr (kLaplace) {
            const auto prior = laplace_gradient(load(p + cpu::kMu * kBlock),
                                                constant<Vec<T>>(shared.sigma[row]), rates.inverse_scale);
            update_mu(p, g.of[row][v] + prior.mu, rates);
            total = fused(g.of[row][v], load(p + cpu::kSharedNoise * kBlock), total);
            if (row < shared.rows) total = total + inside<T>(prior.sigma, at, group.columns);
          } else {
            update_mu(p, g.of[row][v], rates);
            total = fused(g.of[row][v], load(p + cpu::kSharedNoise * kBlock), total);
          }
        }
        store(total, sum);
      }
    }
  });
  for (int s = 0; s < kSums; ++s) {
    Vec<T> parts[kVectors<T>];
    for (int v = 0; v < kVectors<T>; ++v) parts[v] = load(sums[s] + v * kLanes<T>);
    shared.sums[s] = sum_of_block(parts);
  }
}

template <class T>
HWY_ATTR void update_shared(const cpu::RowGroup<T>& group, const cpu::UpdateInput<T>& update,
                            const cpu::UpdateRates<T>& rates, const cpu::SharedUpdate<T>& shared) {
  if (rates.inverse_scale != T(0)) {
    if (shared.by_row) {
      update_shared_rows<kRowGroup, true>(group, update, rates, shared);
    } else {
      update_shared_rows<1, true>(group, update, rates, shared);
    }
  } else if (shared.by_row) {
    update_shared_rows<kRowGroup, false>(group, update, rates, shared);
  } else {
    update_shared_rows<1, false>(group, update, rates, shared);
  }
}

template <class T>
HWY_ATTR void sample_shared(const cpu::RowGroup<T>& group, const T* sigma,
                            const cpu::SampleOutput<T>& sample) {
  for_stretches<T>(group.blocks, [&]<int kWidth>(int column) HWY_ATTR {
    const auto normals = draw_group<NoiseLaw::gaussian>(group, sample, column);
    for (int row = 0; row < kRowGroup; ++row) {
      for (int v = 0; v < kWidth; ++v) {
        const int at = column + v * kLanes<T>;
        T* p = field_of(group, cpu::kSharedFields, row, at);
        store(normals.of[row][v], p + cpu::kSharedNoise * kBlock);
        store(fused(constant<Vec<T>>(sigma[row]), normals.of[row][v], load(p + cpu::kMu * kBlock)),
              sample.weights + offset_of(row, group.blocks * kBlock) + at);
      }
    }
  });
}

template <class T>
HWY_ATTR void sample_plain(const cpu::RowGroup<T>& group, const T* mu, const T* sigma,
                           const cpu::SampleOutput<T>& sample) {
  with_law(sample.law, [&]<NoiseLaw kLaw>() HWY_ATTR {
    for_stretches<T>(group.blocks, [&]<int kWidth>(int column) HWY_ATTR {
      const auto noise = draw_group<kLaw>(group, sample, column);
      for (int row = 0; row < kRowGroup; ++row) {
        for (int v = 0; v < kWidth; ++v) {
          const auto at =
              offset_of(row, group.blocks * kBlock) + static_cast<std::size_t>(column + v * kLanes<T>);
          store(draw_weight<kLaw>(load(mu + at), load(sigma + at), noise.of[row][v], sample.vesicles).value,
                sample.weights + at);
        }
      }
    });
  });
}

}  // namespace ensyn::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
