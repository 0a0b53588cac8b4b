/// \file
/// How the CPU backend lays out the state of one layer.
///
/// Rows (outputs) are padded to groups of 4, columns (inputs and the bias) to blocks of 16. A block holds 16
/// consecutive columns of one row, all their quantities side by side, so that one pass over the parameters
/// reads and writes a single stream:
///   heterogeneous: mu, mu moments, phi, phi moments, noise * dsigma/dphi, cost gradient * dsigma/dphi
///   shared phi:    mu, mu moments, noise
/// The last quantities live for one step: the forward pass leaves them for the update. Padding never reaches
/// a result: the inputs of padded columns and the gradients of padded rows are zero.
#pragma once

#include <cstddef>
#include <memory>
#include <new>

#include "host/model/state.h"

namespace ensyn::cpu {

inline constexpr int kBlock =
    16;  ///< columns of a block; also the number of partial sums of every dot product
inline constexpr int kRowGroup = 4;  ///< rows that one work item updates
inline constexpr int kAlignment = 64;

/// Fields of a block, in units of kBlock elements.
enum HeterogeneousField {
  kMu,
  kMuMoment1,
  kMuMoment2,
  kPhi,
  kPhiMoment1,
  kPhiMoment2,
  kNoiseSlope,
  kCostSlope
};
inline constexpr int kHeterogeneousFields = 8;
inline constexpr int kSharedNoise = 3;  // after kMu, kMuMoment1, kMuMoment2
inline constexpr int kSharedFields = 4;

[[nodiscard]] constexpr int round_up(int n, int multiple) {
  return (n + multiple - 1) / multiple * multiple;
}

/// Zero-initialised, aligned array. Not copyable: states are large and owned once.
template <class T>
class Array {
 public:
  Array() = default;
  explicit Array(std::size_t size)
      : data_(static_cast<T*>(::operator new (size * sizeof(T), std::align_val_t{kAlignment}))), size_(size) {
    std::uninitialized_fill_n(data_.get(), size, T{});
  }
  [[nodiscard]] T* data() noexcept { return data_.get(); }
  [[nodiscard]] const T* data() const noexcept { return data_.get(); }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  T& operator[](std::size_t i) noexcept { return data_.get()[i]; }
  const T& operator[](std::size_t i) const noexcept { return data_.get()[i]; }

 private:
  struct Release {
    void operator()(T* p) const noexcept { ::operator delete (p, std::align_val_t{kAlignment}); }
  };
  std::unique_ptr<T, Release> data_;
  std::size_t size_ = 0;
};

/// Shape of one layer in memory.
struct LayerShape {
  int rows = 0;     ///< outputs
  int columns = 0;  ///< inputs + 1

  [[nodiscard]] constexpr int padded_rows() const { return round_up(rows, kRowGroup); }
  [[nodiscard]] constexpr int stride() const {
    return round_up(columns, kBlock);
  }                                                                         ///< of inputs and sampled weights
  [[nodiscard]] constexpr int blocks() const { return stride() / kBlock; }  ///< of one row
  [[nodiscard]] constexpr int row_groups() const { return padded_rows() / kRowGroup; }
  [[nodiscard]] constexpr std::size_t elements() const {
    return static_cast<std::size_t>(padded_rows()) * static_cast<std::size_t>(stride());
  }
};

/// Offset of element (row, column) of `field` in a layer whose blocks have `fields` fields.
[[nodiscard]] constexpr std::size_t element_offset(const LayerShape& shape, int fields, int row, int column,
                                                   int field) {
  const auto block = static_cast<std::size_t>(row) * static_cast<std::size_t>(shape.blocks()) +
                     static_cast<std::size_t>(column / kBlock);
  return (block * static_cast<std::size_t>(fields) + static_cast<std::size_t>(field)) * kBlock +
         static_cast<std::size_t>(column % kBlock);
}

}  // namespace ensyn::cpu
