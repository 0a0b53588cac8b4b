/// \file
/// The state of a population in device memory.
///
/// One array for each of mu, phi and their moments: network after network, layer after layer, row after row,
/// each row padded to 16 bytes. What changes from step to step, a few numbers for each network, has a mirror
/// in host memory that is right whenever the stream has been waited for.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "ensyn/config.h"
#include "host/cuda/memory.h"
#include "host/model/state.h"
#include "kernels/base/network.h"

namespace ensyn::cuda {

/// The shapes of an architecture's layers.
[[nodiscard]] std::vector<kernels::Layer> device_layers(const Architecture& architecture);

template <class T>
class DeviceNetworks {
 public:
  /// Queues the initialisation of all members. \param fraction B/N
  DeviceNetworks(const PopulationConfig& config, double fraction, cudaStream_t stream);

  [[nodiscard]] const std::vector<kernels::Layer>& layers() const noexcept { return layers_; }
  [[nodiscard]] int count() const noexcept { return static_cast<int>(progress_.size()); }
  [[nodiscard]] bool any_heterogeneous() const noexcept { return any_heterogeneous_; }
  /// Whether weights share a phi in any network, and in any by rows.
  [[nodiscard]] bool any_shared() const noexcept { return any_shared_; }
  [[nodiscard]] bool any_by_row() const noexcept { return any_by_row_; }

  /// All members, or one alone.
  [[nodiscard]] kernels::Networks<T> all() const;
  [[nodiscard]] kernels::Networks<T> one(int member) const;
  /// Of all members, or from `member` on.
  [[nodiscard]] kernels::Parameters<T> parameters(int layer, int member = 0) const;

  [[nodiscard]] const kernels::NetworkConstants<T>* constants() const noexcept { return constants_.data(); }
  [[nodiscard]] kernels::NetworkProgress<T>* progress() const noexcept { return progress_.data(); }
  [[nodiscard]] T* shared_phi() const noexcept { return shared_phi_.data(); }
  [[nodiscard]] const kernels::PhiGroup* phi_groups() const noexcept { return phi_groups_.data(); }

  /// The mirror of one member's progress.
  [[nodiscard]] const kernels::NetworkProgress<T>& mirror(int member) const { return mirror_.data()[member]; }
  /// Queue copies of all progress between mirror and device.
  void download_progress(cudaStream_t stream);
  /// Sets every member to `step`, where it is not yet there.
  void set_step(std::uint64_t step, cudaStream_t stream);
  void clear_epoch_sums(cudaStream_t stream);

  /// The first member that holds a value that is not finite, if there is one: the device looks, and a flag of
  /// each member comes back. Waits for the stream.
  [[nodiscard]] std::optional<int> first_not_finite(const Stream& stream) const;

  /// Waits for the stream.
  [[nodiscard]] NetworkState read(int member, const Stream& stream) const;
  void write(int member, const NetworkState& state, const Stream& stream);

 private:
  static constexpr int kFields = 6;
  /// mu, phi and moments, in the order of kernels::Parameters; null where there is no phi.
  [[nodiscard]] T* field(int index) const noexcept;
  /// Fields that a member uses.
  [[nodiscard]] int fields_of_member(int member) const noexcept;
  void upload_progress(cudaStream_t stream);
  [[nodiscard]] kernels::NetworkProgress<T> progress_at(int member, std::uint64_t step) const;

  std::vector<NetworkConfig> configs_;
  std::vector<kernels::Layer> layers_;
  std::vector<std::int64_t> offsets_;  ///< of each layer within a network
  std::int64_t network_stride_ = 0;
  bool any_heterogeneous_ = false, any_shared_ = false, any_by_row_ = false, any_laplace_ = false;
  DeviceBuffer<T> state_;
  std::vector<std::size_t> first_phi_;  ///< of each member, and behind the last
  DeviceBuffer<T> shared_phi_;
  DeviceBuffer<kernels::PhiGroup> phi_groups_;  ///< of each kind of noise that there is
  DeviceBuffer<kernels::NetworkConstants<T>> constants_;
  DeviceBuffer<kernels::NetworkProgress<T>> progress_;
  PinnedBuffer<kernels::NetworkProgress<T>> mirror_;
  DeviceBuffer<unsigned> not_finite_;  ///< a flag of each member
};

extern template class DeviceNetworks<float>;
extern template class DeviceNetworks<double>;

}  // namespace ensyn::cuda
