// Names of places in the program: by GCC's libbacktrace where there is one, else the function that dladdr
// knows.

#include <cxxabi.h>
#include <dlfcn.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "race.h"

#if defined(SIMT_BACKTRACE)
#  include <backtrace.h>
#endif

namespace simt {
namespace {

std::string demangled(const char* symbol) {
  int status = 0;
  char* name = abi::__cxa_demangle(symbol, nullptr, nullptr, &status);
  std::string text = status == 0 ? name : symbol;
  std::free(name);
  return text;
}

std::string by_dladdr(const void* point) {
  Dl_info info{};
  char text[64];
  if (dladdr(point, &info) == 0) info = {};
  const auto offset = static_cast<const char*>(point) - static_cast<const char*>(info.dli_fbase);
  std::snprintf(text, sizeof(text), "+0x%llx of the program", static_cast<unsigned long long>(offset));
  return info.dli_sname != nullptr ? demangled(info.dli_sname) : text;
}

#if defined(SIMT_BACKTRACE)

struct Found {
  std::string text;
};

/// Called from the innermost inlined function outwards.
int on_frame(void* data, std::uintptr_t, const char* file, int line, const char* function) {
  auto& found = *static_cast<Found*>(data);
  if (file == nullptr) return 0;
  if (found.text.empty() && function != nullptr) found.text = demangled(function) + " ";
  found.text += (found.text.find('/') != std::string::npos ? " in " : "") + std::string(file) + ":" +
                std::to_string(line);
  return 0;
}

void on_error(void*, const char*, int) {}

std::string by_debug_information(const void* point) {
  static backtrace_state* state = backtrace_create_state(nullptr, 0, on_error, nullptr);
  Found found;
  // The call lies before the address that it returns to.
  if (state != nullptr) {
    backtrace_pcinfo(state, reinterpret_cast<std::uintptr_t>(point) - 1, on_frame, on_error, &found);
  }
  return found.text;
}

#else

std::string by_debug_information(const void*) {
  return {};
}

#endif

}  // namespace

std::string program_point(const void* point) {
  std::string text = by_debug_information(point);
  return text.empty() ? by_dladdr(point) : text;
}

}  // namespace simt
