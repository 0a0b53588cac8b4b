#include "host/driver/sweep/ranks.h"

#include <dlfcn.h>

#include <cstdlib>
#include <stdexcept>
#include <string_view>

#include "ensyn/error.h"

namespace ensyn::driver {
namespace {

/// Beside libensyn.so, and so on the program's path of libraries.
constexpr const char* kLibrary = "libensyn-mpi.so";

class Alone final : public Ranks {
 public:
  [[nodiscard]] int rank() const override { return 0; }
  [[nodiscard]] int size() const override { return 1; }
  [[nodiscard]] int local_rank() const override { return 0; }
  [[nodiscard]] int local_size() const override { return 1; }
  [[nodiscard]] int sharers() const override { return 1; }
  void send(int, const std::string&) override { throw std::logic_error("there is no other rank"); }
  [[nodiscard]] std::optional<Message> receive() override { return std::nullopt; }
  void finish() override {}
};

}  // namespace

std::unique_ptr<Ranks> alone_rank() {
  return std::make_unique<Alone>();
}

std::unique_ptr<Ranks> join_ranks() {
  const char* size = std::getenv("OMPI_COMM_WORLD_SIZE");
  if (size == nullptr || std::string_view(size) == "1") return alone_rank();
  // OpenMPI loads libraries of its own that look for its symbols among the global ones.
  void* library = dlopen(kLibrary, RTLD_NOW | RTLD_GLOBAL);
  void* join = library == nullptr ? nullptr : dlsym(library, "ensyn_join_ranks");
  if (join == nullptr) {
    const char* reason = dlerror();
    throw ConfigError("mpirun started this as one of " + std::string(size) +
                      " processes, but message passing cannot be loaded (" + (reason ? reason : kLibrary) +
                      "): build ensyn where OpenMPI is installed, or start it without mpirun");
  }
  return std::unique_ptr<Ranks>(reinterpret_cast<Ranks* (*)()>(join)());
}

}  // namespace ensyn::driver
