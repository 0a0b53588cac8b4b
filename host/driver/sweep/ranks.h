/// \file
/// The processes that mpirun started together, as far as a sweep needs to know of them.
#pragma once

#include <memory>
#include <optional>
#include <string>

namespace ensyn::driver {

struct Message {
  int from = 0;
  std::string text;
};

/// One process is rank 0 of size 1. Not for use from two threads at once, though from different ones.
class Ranks {
 public:
  Ranks() = default;
  Ranks(const Ranks&) = delete;
  Ranks& operator=(const Ranks&) = delete;
  /// A process that ends without `finish` having been called takes its fellows with it.
  virtual ~Ranks() = default;

  [[nodiscard]] virtual int rank() const = 0;
  [[nodiscard]] virtual int size() const = 0;
  /// Among the ranks on this machine.
  [[nodiscard]] virtual int local_rank() const = 0;
  [[nodiscard]] virtual int local_size() const = 0;
  /// The ranks on this machine that may use some processor that this one may use, itself included.
  [[nodiscard]] virtual int sharers() const = 0;

  virtual void send(int to, const std::string& text) = 0;
  /// A message that has arrived, if there is one; does not wait.
  [[nodiscard]] virtual std::optional<Message> receive() = 0;
  /// The last call, which every rank makes; waits for the others.
  virtual void finish() = 0;
};

/// This process and no other.
[[nodiscard]] std::unique_ptr<Ranks> alone_rank();

/// Joins the others where mpirun (OpenMPI's) started this process as one of several. Message passing lies in
/// a library of its own that is loaded here, so that who does without need not have MPI.
/// \throws ConfigError when it cannot be loaded
[[nodiscard]] std::unique_ptr<Ranks> join_ranks();

}  // namespace ensyn::driver
