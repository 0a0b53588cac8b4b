/// \file
/// Ctrl-C and termination as a request that training reads between steps.
#pragma once

namespace ensyn::driver {

/// While one lives, the first SIGINT or SIGTERM is noted instead of ending the process; a second one ends it
/// as usual. At most one at a time.
class InterruptGuard {
 public:
  InterruptGuard();
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;

  [[nodiscard]] static bool interrupted() noexcept;
};

/// Makes a write beyond the file size limit (`ulimit -f`) fail with a reason, as one to a full disk does,
/// instead of killing the process.
void ignore_file_size_signal() noexcept;

}  // namespace ensyn::driver
