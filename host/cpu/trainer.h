/// \file
/// Training steps of one network by a team of threads.
///
/// A step has two phases between barriers. First every thread passes over its share of the parameters:
/// gradient, costs and Adam of the last step, noise and weights of this one, and the first layer's outputs,
/// which need nothing else. Then every thread takes its share of the examples through the other layers, the
/// loss and back, and fetches the next minibatch. Where weights of several row groups share a phi, the sum
/// over them is needed between update and noise, hence one barrier more.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "ensyn/dataset.h"
#include "host/cpu/activations.h"
#include "host/cpu/kernels.h"
#include "host/cpu/member.h"
#include "host/cpu/team.h"
#include "host/model/engine.h"
#include "host/model/likelihood.h"

namespace ensyn::cpu {

/// Buffers and meeting point of one team; used for one network after another.
template <class T>
class Team {
 public:
  Team(const Architecture& architecture, int batch, int threads);

  [[nodiscard]] int threads() const noexcept { return threads_; }

 private:
  template <class U>
  friend class Trainer;

  struct WorkItem {
    int layer, group;
  };
  /// Row groups of rank r are [shares[r], shares[r + 1]).
  std::vector<WorkItem> items_;
  std::vector<std::size_t> shares_;

  int threads_;
  std::optional<GaussianConstants<T>> gaussian_;  ///< of that likelihood
  Barrier barrier_;
  // Of even and odd steps: the update of one step runs beside the first layer of the next.
  Minibatch<T> minibatches_[2];
  Activations<T> activations_[2];
  std::vector<Array<T>> weights_;        ///< per layer; the first layer's rows are not kept
  std::vector<Array<T>> first_weights_;  ///< per thread, one row group of layer 0
  std::vector<T> nll_;
  std::vector<std::uint8_t> correct_;
  std::vector<T> noise_gradients_;  ///< kRowGroup per work item; see KernelTable::update_shared
};

/// What a stretch of training needs to know.
struct Stretch {
  std::span<const std::uint32_t> order;  ///< of the epoch's examples
  std::uint64_t steps_per_epoch = 1;
  std::uint64_t first = 0, count = 0;  ///< steps, all of one epoch
};

template <class T>
class Trainer {
 public:
  Trainer(Team<T>& team, Member<T>& member, const Dataset& data, const KernelTable<T>& kernels,
          const Stretch& stretch, int rank);

  /// Called by every thread of the team, each with its rank. \returns the first step whose loss was not
  /// finite, the same to every thread, or kNoDivergence.
  std::uint64_t run();

 private:
  void gather(std::uint64_t step);
  /// This thread's share of the pass over the parameters: the update of step `updated`, if any, and the
  /// weights of step `sampled`, if any.
  void advance(const std::uint64_t* updated, const std::uint64_t* sampled);
  void update_shared(std::uint64_t step);
  /// sigma of each row of a row group, where weights share it.
  [[nodiscard]] std::array<T, kRowGroup> row_sigmas(int layer, int group) const;
  void forward_first_group(int group, const T* weights, std::uint64_t step);
  void examples_pass(std::uint64_t step);
  void loss(std::uint64_t step);
  bool account();
  [[nodiscard]] UpdateInput<T> update_input(std::size_t layer, int group, std::uint64_t step);
  [[nodiscard]] Minibatch<T>& minibatch(std::uint64_t step) { return team_.minibatches_[step % 2]; }
  [[nodiscard]] Activations<T>& activations(std::uint64_t step) { return team_.activations_[step % 2]; }

  Team<T>& team_;
  Member<T>& member_;
  const Dataset& data_;
  const KernelTable<T>& kernels_;
  Stretch stretch_;
  int rank_, batch_;
  int begin_, end_;  ///< this thread's examples
  /// This thread's copy: of all groups, or, where each row is one, right for its own rows.
  std::vector<typename Member<T>::Shared> shared_;
  std::vector<T> shared_sigma_;
  std::size_t first_shared_ = 0, end_shared_ = 0;  ///< groups that this thread keeps right
  EpochSums sums_;
};

extern template class Team<float>;
extern template class Team<double>;
extern template class Trainer<float>;
extern template class Trainer<double>;

}  // namespace ensyn::cpu
