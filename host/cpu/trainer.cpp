#include "host/cpu/trainer.h"

#include <algorithm>
#include <cmath>

#include "host/cpu/squared_error.h"

namespace ensyn::cpu {
namespace {

/// Real targets of an example; 0 where there are labels.
int targets_of(const Architecture& architecture) {
  return architecture.likelihood == Likelihood::gaussian ? architecture.outputs() : 0;
}

/// Cost of one row group relative to the others: its columns, and again for the first layer's forward
/// product.
int cost_of(const LayerShape& shape, bool first) {
  return shape.stride() * (first ? 4 : 3);
}

}  // namespace

template <class T>
Team<T>::Team(const Architecture& architecture, int batch, int threads)
    : threads_(threads),
      barrier_(threads),
      minibatches_{Minibatch<T>(layer_shapes(architecture).front(), batch, targets_of(architecture)),
                   Minibatch<T>(layer_shapes(architecture).front(), batch, targets_of(architecture))},
      activations_{Activations<T>(layer_shapes(architecture), batch),
                   Activations<T>(layer_shapes(architecture), batch)},
      nll_(static_cast<std::size_t>(batch)),
      correct_(static_cast<std::size_t>(batch)) {
  const std::vector<LayerShape> shapes = layer_shapes(architecture);
  if (architecture.likelihood == Likelihood::gaussian) gaussian_ = GaussianConstants<T>::of(architecture);
  double total = 0;
  for (std::size_t l = 0; l < shapes.size(); ++l) {
    weights_.emplace_back(l == 0 ? 0 : shapes[l].elements());
    for (int g = 0; g < shapes[l].row_groups(); ++g) items_.push_back({static_cast<int>(l), g});
    total += static_cast<double>(shapes[l].row_groups()) * cost_of(shapes[l], l == 0);
  }
  for (int r = 0; r < threads; ++r) {
    first_weights_.emplace_back(static_cast<std::size_t>(kRowGroup) *
                                static_cast<std::size_t>(shapes[0].stride()));
  }
  noise_gradients_.resize(items_.size() * kRowGroup);
  double done = 0;
  shares_.push_back(0);
  for (std::size_t i = 0; i < items_.size(); ++i) {
    const auto l = static_cast<std::size_t>(items_[i].layer);
    const double cost = cost_of(shapes[l], l == 0);
    // A group goes to the next thread when more than half of it lies beyond this thread's share.
    while (static_cast<int>(shares_.size()) < threads &&
           done + cost / 2 > total * static_cast<double>(shares_.size()) / threads) {
      shares_.push_back(i);
    }
    done += cost;
  }
  while (static_cast<int>(shares_.size()) <= threads) shares_.push_back(items_.size());
}

template <class T>
Trainer<T>::Trainer(Team<T>& team, Member<T>& member, const Dataset& data, const KernelTable<T>& kernels,
                    const Stretch& stretch, int rank)
    : team_(team),
      member_(member),
      data_(data),
      kernels_(kernels),
      stretch_(stretch),
      rank_(rank),
      batch_(static_cast<int>(team.nll_.size())),
      begin_(batch_ * rank / team.threads_),
      end_(batch_ * (rank + 1) / team.threads_),
      shared_(member.shared),
      shared_sigma_(shared_.size()),
      sums_(member.sums) {
  const PhiGroups& groups = member.groups();
  const auto share = static_cast<std::size_t>(rank);
  const std::size_t first = team.shares_[share], end = team.shares_[share + 1];
  if (!groups.by_row()) {
    end_shared_ = groups.count();
  } else if (first < end) {
    const auto &low = team.items_[first], &high = team.items_[end - 1];
    const int last_row =
        std::min((high.group + 1) * kRowGroup, member.shapes()[static_cast<std::size_t>(high.layer)].rows) -
        1;
    first_shared_ = groups.of(low.layer, low.group * kRowGroup);
    end_shared_ = groups.of(high.layer, last_row) + 1;
  }
  for (std::size_t g = first_shared_; g < end_shared_; ++g)
    shared_sigma_[g] = member.shared_sigma(shared_[g]);
}

template <class T>
void Trainer<T>::gather(std::uint64_t step) {
  const std::uint64_t first = step % stretch_.steps_per_epoch * static_cast<std::uint64_t>(batch_);
  for (int b = begin_; b < end_; ++b) {
    minibatch(step).gather(data_, kernels_, b, stretch_.order[first + static_cast<std::uint64_t>(b)]);
  }
}

template <class T>
UpdateInput<T> Trainer<T>::update_input(std::size_t layer, int group, std::uint64_t step) {
  const int l = static_cast<int>(layer);
  auto& act = activations(step);
  return {.input = l == 0 ? minibatch(step).inputs.data() : act.output(l - 1),
          .input_stride = l == 0 ? minibatch(step).stride : act.output_stride(l - 1),
          .delta = act.delta(l) + group * kRowGroup,
          .delta_stride = act.output_stride(l),
          .batch = batch_};
}

template <class T>
void Trainer<T>::forward_first_group(int group, const T* weights, std::uint64_t step) {
  const int row = group * kRowGroup;
  activations(step).forward_first(kernels_, minibatch(step), weights, row,
                                  std::min(kRowGroup, member_.shapes()[0].rows - row), batch_);
}

template <class T>
void Trainer<T>::update_shared(std::uint64_t step) {
  const UpdateRates<T> rates = member_.update_rates(step);
  const PhiGroups& groups = member_.groups();
  const auto rank = static_cast<std::size_t>(rank_);
  const std::size_t first = team_.shares_[rank], end = team_.shares_[rank + 1];
  for (std::size_t i = first; i < end; ++i) {
    const auto [layer, group] = team_.items_[i];
    const auto sigma = row_sigmas(layer, group);
    kernels_.update_shared(
        member_.row_group(layer, group), update_input(static_cast<std::size_t>(layer), group, step), rates,
        {.sigma = sigma.data(),
         .rows = member_.shapes()[static_cast<std::size_t>(layer)].rows - group * kRowGroup,
         .by_row = groups.by_row(),
         .sums = team_.noise_gradients_.data() + i * kRowGroup});
  }
  std::vector<double> sums(groups.count());
  const auto add = [&](std::size_t i) {
    const auto [layer, group] = team_.items_[i];
    const int row = group * kRowGroup, rows = member_.shapes()[static_cast<std::size_t>(layer)].rows;
    const T* parts = team_.noise_gradients_.data() + i * kRowGroup;
    for (int r = 0; r < (groups.by_row() ? std::min(kRowGroup, rows - row) : 1); ++r) {
      sums[groups.of(layer, row + r)] += static_cast<double>(parts[r]);
    }
  };
  if (groups.by_row()) {
    for (std::size_t i = first; i < end; ++i) add(i);
  } else {
    team_.barrier_.wait();
    // Every thread adds the parts in the same order and so knows the new sigmas without asking.
    for (std::size_t i = 0; i < team_.items_.size(); ++i) add(i);
  }
  for (std::size_t g = first_shared_; g < end_shared_; ++g) {
    member_.update_shared(shared_[g], g, sums[g], rates);
    shared_sigma_[g] = member_.shared_sigma(shared_[g]);
  }
}

template <class T>
std::array<T, kRowGroup> Trainer<T>::row_sigmas(int layer, int group) const {
  std::array<T, kRowGroup> sigma;
  for (std::size_t r = 0; r < kRowGroup; ++r) {
    // What lies behind the last row is padding.
    const int row = std::min(group * kRowGroup + static_cast<int>(r),
                             member_.shapes()[static_cast<std::size_t>(layer)].rows - 1);
    sigma[r] = shared_sigma_[member_.groups().of(layer, row)];
  }
  return sigma;
}

template <class T>
void Trainer<T>::advance(const std::uint64_t* updated, const std::uint64_t* sampled) {
  const bool shared = member_.shares_phi();
  if (shared && updated != nullptr) update_shared(*updated);
  if (shared && sampled == nullptr) return;

  UpdateRates<T> rates{};
  if (!shared && updated != nullptr) rates = member_.update_rates(*updated);
  const CostRates<T> costs = member_.cost_rates();
  std::vector<NoiseStream> noise;
  if (sampled != nullptr) noise = member_.noise(*sampled, Purpose::training);
  const auto rank = static_cast<std::size_t>(rank_);
  for (std::size_t i = team_.shares_[rank]; i < team_.shares_[rank + 1]; ++i) {
    const auto [layer, group] = team_.items_[i];
    const auto l = static_cast<std::size_t>(layer);
    const RowGroup<T> rows = member_.row_group(layer, group);
    SampleOutput<T> out;
    if (sampled != nullptr) {
      const auto row = static_cast<std::size_t>(group * kRowGroup);
      out =
          member_.sample(noise[l], l == 0 ? team_.first_weights_[rank].data()
                                          : team_.weights_[l].data() +
                                                row * static_cast<std::size_t>(member_.shapes()[l].stride()));
    }
    if (shared) {
      kernels_.sample_shared(rows, row_sigmas(layer, group).data(), out);
    } else {
      UpdateInput<T> input;
      if (updated != nullptr) input = update_input(l, group, *updated);
      kernels_.advance_heterogeneous(rows, updated != nullptr ? &input : nullptr, rates, costs,
                                     sampled != nullptr ? &out : nullptr);
    }
    if (sampled != nullptr && l == 0) forward_first_group(group, out.weights, *sampled);
  }
}

template <class T>
void Trainer<T>::examples_pass(std::uint64_t step) {
  auto& act = activations(step);
  std::vector<const T*> weights;
  for (const auto& w : team_.weights_) weights.push_back(w.data());
  act.forward_hidden(kernels_, weights, begin_, end_);
  loss(step);
  act.backward(kernels_, weights, begin_, end_);
}

/// Of this thread's examples; outputs become their gradients.
template <class T>
void Trainer<T>::loss(std::uint64_t step) {
  auto& act = activations(step);
  const int last = act.layers() - 1, outputs = member_.shapes().back().rows;
  T* output = act.output(last) + static_cast<std::ptrdiff_t>(begin_) * act.output_stride(last);
  T* nll = team_.nll_.data() + begin_;
  std::uint8_t* correct = team_.correct_.data() + begin_;
  if (team_.gaussian_) {
    const T* targets = minibatch(step).targets.data() + static_cast<std::ptrdiff_t>(begin_) * outputs;
    squared_error<T>({.outputs = output,
                      .stride = act.output_stride(last),
                      .count = outputs,
                      .batch = end_ - begin_,
                      .targets = targets,
                      .constants = *team_.gaussian_,
                      .nll = nll,
                      .correct = correct});
    return;
  }
  kernels_.loss({.logits = output,
                 .stride = act.output_stride(last),
                 .classes = outputs,
                 .batch = end_ - begin_,
                 .labels = minibatch(step).labels.data() + begin_,
                 .nll = nll,
                 .correct = correct});
}

/// Adds the step's loss; every thread does, and so knows of a divergence. \returns whether the loss is
/// finite.
template <class T>
bool Trainer<T>::account() {
  double nll = 0;
  for (const T value : team_.nll_) nll += static_cast<double>(value);
  if (!std::isfinite(nll)) return false;
  sums_.nll += nll;
  sums_.examples += static_cast<std::uint64_t>(batch_);
  for (const auto correct : team_.correct_) sums_.correct += correct;
  return true;
}

template <class T>
std::uint64_t Trainer<T>::run() {
  const std::uint64_t end = stretch_.first + stretch_.count;
  gather(stretch_.first);
  team_.barrier_.wait();
  std::uint64_t diverged = kNoDivergence;
  for (std::uint64_t step = stretch_.first; step < end; ++step) {
    const std::uint64_t previous = step - 1;
    advance(step == stretch_.first ? nullptr : &previous, &step);
    team_.barrier_.wait();
    examples_pass(step);
    if (step + 1 < end) gather(step + 1);
    team_.barrier_.wait();
    if (!account()) {
      diverged = step;
      break;
    }
  }
  if (diverged == kNoDivergence) {
    const std::uint64_t previous = end - 1;
    advance(&previous, nullptr);
  }
  team_.barrier_.wait();
  if (rank_ == 0) member_.sums = sums_;
  if (rank_ == 0 || member_.groups().by_row()) {
    std::copy(shared_.begin() + static_cast<std::ptrdiff_t>(first_shared_),
              shared_.begin() + static_cast<std::ptrdiff_t>(end_shared_),
              member_.shared.begin() + static_cast<std::ptrdiff_t>(first_shared_));
  }
  return diverged;
}

template class Team<float>;
template class Team<double>;
template class Trainer<float>;
template class Trainer<double>;

}  // namespace ensyn::cpu
