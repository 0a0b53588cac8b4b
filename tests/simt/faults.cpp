// Invalid accesses of kernels: freed memory and what lies between allocations is not mapped, so that the
// system reports each access, which becomes an Error with the kernel, block and thread.

#include <csignal>
#include <cstdint>
#include <cstdio>

#include "device_memory.h"
#include "runtime.h"
#include "scheduler.h"

namespace simt {
namespace {

struct sigaction previous {};

std::string text_of(const void* address) {
  char text[32];
  std::snprintf(text, sizeof(text), "%p", address);
  return text;
}

/// Runs on the stack of the thread that made the access, which is given up.
void on_fault(int number, siginfo_t* info, void* context) {
  if (scheduler().running()) {
    const void* address = info->si_addr;
    scheduler().fail([&] {
      const std::string what = "access to address " + text_of(address);
      return device_memory().in_range(address) ? what + ": " + device_memory().explain(address) : what;
    });
  }
  if (device_memory().in_range(info->si_addr)) {
    std::fprintf(stderr, "simt: host code uses %s\n", device_memory().explain(info->si_addr).c_str());
  }
  if ((previous.sa_flags & SA_SIGINFO) != 0 && previous.sa_sigaction != nullptr) {
    previous.sa_sigaction(number, info, context);
  } else {
    sigaction(number, &previous, nullptr);  // the access is repeated and meets what was there before
  }
}

}  // namespace

void install_fault_handler() {
  struct sigaction action {};
  action.sa_sigaction = on_fault;
  action.sa_flags = SA_SIGINFO | SA_NODEFER;  // the handler is left by a switch of fibers
  sigemptyset(&action.sa_mask);
  sigaction(SIGSEGV, &action, &previous);
}

}  // namespace simt
