/// \file
/// sweep.csv: a row per network that is done, in grid order whatever the order of finishing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "host/driver/sweep/grid.h"

namespace ensyn::driver {

/// What a network achieved, as the cells of its row that follow its settings.
struct SweepResult {
  std::size_t network = 0;  ///< its place in the grid
  std::string cells;
};

/// Of a network trained to its end. Values that are not finite numbers become empty cells.
[[nodiscard]] std::string result_cells(const Evaluation& evaluation, const Energy& energy,
                                       std::uint64_t steps);
/// Of one that diverged: nothing but the step at which it did.
[[nodiscard]] std::string divergence_cells(std::uint64_t step);

class SweepFile {
 public:
  /// \param journal a file with the digest of each row, by which changes that others made to rows show; it
  /// may be absent. \param grid is kept by reference.
  SweepFile(std::filesystem::path file, std::filesystem::path journal, const Grid& grid);

  /// Takes up the rows of an earlier run, if there is one. \throws DataError that names the line when a row
  /// is cut, changed, without results, twice there or of no network of the grid; or when columns are missing
  /// or the journal is damaged
  void read();
  /// Adds rows and replaces the file, whole or not at all. \throws IoError
  void add(const std::vector<SweepResult>& results);

  [[nodiscard]] bool has(std::size_t network) const { return !rows_[network].empty(); }
  [[nodiscard]] std::size_t count() const { return count_; }
  /// The number in a column of a network's row; NaN where its cell is empty.
  [[nodiscard]] double value(std::size_t network, std::string_view column) const;

 private:
  void take_row(const std::string& line, std::size_t number);
  void check_cells(const std::string& line, std::size_t number) const;
  void read_journal();
  [[noreturn]] void fail(std::size_t line, const std::string& what) const;

  std::filesystem::path file_, journal_;
  const Grid& grid_;
  std::vector<std::string> rows_;  ///< by network; empty where there is none yet
  std::size_t count_ = 0;
  std::map<std::string, std::size_t> networks_;   ///< by key; filled while reading
  std::map<std::size_t, std::uint64_t> digests_;  ///< of rows, by network
  bool journaled_ = false;                        ///< whether a journal was found
};

}  // namespace ensyn::driver
