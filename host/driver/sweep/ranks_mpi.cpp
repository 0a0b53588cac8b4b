/// \file
/// Ranks by MPI: the only file that knows of it, and a library of its own, see ranks.h.
#include <mpi.h>
#include <sched.h>

#include <cstddef>
#include <vector>

#include "ensyn/error.h"
#include "host/driver/sweep/ranks.h"

namespace ensyn::driver {
namespace {

constexpr int kTag = 1;

class MpiRanks final : public Ranks {
 public:
  MpiRanks() {
    int provided = 0;
    MPI_Init_thread(nullptr, nullptr, MPI_THREAD_SERIALIZED, &provided);
    if (provided < MPI_THREAD_SERIALIZED) {
      throw Error("this MPI allows calls from one thread only: use one that was built with threads");
    }
    MPI_Comm_rank(MPI_COMM_WORLD, &rank_);
    MPI_Comm_size(MPI_COMM_WORLD, &size_);
    look_around();
  }

  [[nodiscard]] int rank() const override { return rank_; }
  [[nodiscard]] int size() const override { return size_; }
  [[nodiscard]] int local_rank() const override { return local_rank_; }
  [[nodiscard]] int local_size() const override { return local_size_; }
  [[nodiscard]] int sharers() const override { return sharers_; }

  void send(int to, const std::string& text) override {
    MPI_Send(text.data(), static_cast<int>(text.size()), MPI_CHAR, to, kTag, MPI_COMM_WORLD);
  }

  [[nodiscard]] std::optional<Message> receive() override {
    int there = 0, length = 0;
    MPI_Status status;
    MPI_Iprobe(MPI_ANY_SOURCE, kTag, MPI_COMM_WORLD, &there, &status);
    if (there == 0) return std::nullopt;
    MPI_Get_count(&status, MPI_CHAR, &length);
    Message message{status.MPI_SOURCE, std::string(static_cast<std::size_t>(length), '\0')};
    MPI_Recv(message.text.data(), length, MPI_CHAR, message.from, kTag, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    return message;
  }

  void finish() override { MPI_Finalize(); }

 private:
  /// Who is on this machine, and may use the same processors: mpirun may have bound ranks to some.
  void look_around() {
    MPI_Comm local = MPI_COMM_NULL;
    MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, rank_, MPI_INFO_NULL, &local);
    MPI_Comm_rank(local, &local_rank_);
    MPI_Comm_size(local, &local_size_);
    cpu_set_t own;
    CPU_ZERO(&own);
    sched_getaffinity(0, sizeof(own), &own);
    std::vector<cpu_set_t> all(static_cast<std::size_t>(local_size_));
    MPI_Allgather(&own, sizeof(own), MPI_BYTE, all.data(), sizeof(own), MPI_BYTE, local);
    MPI_Comm_free(&local);
    for (const cpu_set_t& other : all) {
      cpu_set_t common;
      CPU_AND(&common, &own, &other);
      if (CPU_COUNT(&common) > 0) ++sharers_;
    }
  }

  int rank_ = 0, size_ = 1, local_rank_ = 0, local_size_ = 1, sharers_ = 0;
};

}  // namespace
}  // namespace ensyn::driver

extern "C" [[gnu::visibility("default")]] ensyn::driver::Ranks* ensyn_join_ranks() {
  return new ensyn::driver::MpiRanks;
}
