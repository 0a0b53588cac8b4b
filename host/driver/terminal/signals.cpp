#include "host/driver/terminal/signals.h"

#include <array>
#include <atomic>
#include <csignal>

namespace ensyn::driver {
namespace {

constexpr std::array kSignals = {SIGINT, SIGTERM};

std::atomic<bool> requested = false;
static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler may touch lock-free atomics only");

extern "C" void note_interrupt(int) {
  requested.store(true);
}

}  // namespace

InterruptGuard::InterruptGuard() {
  requested.store(false);
  struct sigaction action = {};
  action.sa_handler = note_interrupt;
  // Each signal is caught once, so that impatience ends the process.
  action.sa_flags = static_cast<int>(SA_RESTART | SA_RESETHAND);
  for (const int signal : kSignals) {
    // What nohup or a background job has set to be ignored stays ignored.
    struct sigaction before = {};
    sigaction(signal, nullptr, &before);
    if (before.sa_handler != SIG_IGN) sigaction(signal, &action, nullptr);
  }
}

InterruptGuard::~InterruptGuard() {
  for (const int signal : kSignals) {
    struct sigaction now = {};
    sigaction(signal, nullptr, &now);
    if (now.sa_handler == note_interrupt) std::signal(signal, SIG_DFL);
  }
}

bool InterruptGuard::interrupted() noexcept {
  return requested.load();
}

void ignore_file_size_signal() noexcept {
  std::signal(SIGXFSZ, SIG_IGN);
}

}  // namespace ensyn::driver
